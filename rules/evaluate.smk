# evaluate: the only stage that reads test rows


rule predict_classes:
    input:
        models=each_seed("results/{sample}/classify/{split}/{model}/{seed}"),
        tests=each_seed("results/{sample}/split/{split}/{seed}/test.parquet"),
    output:
        predictions="results/{sample}/classify/{split}/{model}/predictions.parquet",
    wildcard_constraints:
        model=one_of(RUN.classifiers),
    resources:
        **needs(800, 10, minutes=30),
    params:
        seeds=RUN.seeds,
        model="{model}",
    message:
        "Predicting the test classes of {wildcards.sample} with {wildcards.model}, split {wildcards.split}"
    script:
        "../scripts/predict_classes.py"


rule score_classes:
    input:
        predictions=of_models("predictions.parquet", "classify"),
        folders=of_models("{seed}", "classify"),
    output:
        scores=reported("results/{sample}/classify/{split}/scores.csv"),
        differences=reported("results/{sample}/classify/{split}/differences.csv"),
        scores_by_bin="results/{sample}/classify/{split}/scores_by_bin.csv",
        confusion="results/{sample}/classify/{split}/confusion.csv",
        reliability="results/{sample}/classify/{split}/reliability.csv",
        class_sets=reported("results/{sample}/classify/{split}/class_sets.csv"),
        operating_points=reported(
            "results/{sample}/classify/{split}/operating_points.csv"
        ),
        thresholds="results/{sample}/classify/{split}/operating_points.json",
    resources:
        **needs(600, 20, minutes=30),
    params:
        models=lambda wildcards: models_of(wildcards.sample, "classify"),
        settings=as_text(RUN.class_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring the classifiers of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/score_classes.py"


rule explain_classes:
    input:
        models=of_models("{seed}", "classify", EXPLAINED),
        tests=each_seed("results/{sample}/split/{split}/{seed}/test.parquet"),
    output:
        importance=reported("results/{sample}/classify/{split}/importance.csv"),
        dependence=reported("results/{sample}/classify/{split}/partial_dependence.csv"),
    wildcard_constraints:
        sample=one_of(explained_samples("classify")),
    resources:
        **needs(800, 10, minutes=60),
    params:
        models=lambda wildcards: models_of(wildcards.sample, "classify", EXPLAINED),
        seeds=RUN.seeds,
        settings=as_text(RUN.importance.measured().canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Measuring which features the classifiers of {wildcards.sample} use, split {wildcards.split}"
    script:
        "../scripts/explain_classes.py"


rule plot_classes:
    input:
        scores="results/{sample}/classify/{split}/scores.csv",
        scores_by_bin="results/{sample}/classify/{split}/scores_by_bin.csv",
        confusion="results/{sample}/classify/{split}/confusion.csv",
        reliability="results/{sample}/classify/{split}/reliability.csv",
        class_sets="results/{sample}/classify/{split}/class_sets.csv",
        predictions=of_models("predictions.parquet", "classify"),
        importance=explanation("importance", "classify"),
        dependence=explanation("partial_dependence", "classify"),
    output:
        figures=drawn(figures.CLASSES),
    resources:
        **needs(600, 10, minutes=10),
    params:
        models=lambda wildcards: models_of(wildcards.sample, "classify"),
        settings=FIGURES,
    message:
        "Drawing the classifiers of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/plot_classes.py"


rule predict_redshifts:
    input:
        models=each_seed("results/{sample}/regress/{split}/{model}/{seed}"),
        tests=each_seed("results/{sample}/split/{split}/{seed}/test.parquet"),
    output:
        predictions="results/{sample}/regress/{split}/{model}/predictions.parquet",
    wildcard_constraints:
        model=one_of(set(RUN.regressors) - PDF_REGRESSORS),
    resources:
        **needs(800, 10, minutes=30),
    params:
        seeds=RUN.seeds,
        model="{model}",
    message:
        "Predicting the test redshifts of {wildcards.sample} with {wildcards.model}, split {wildcards.split}"
    script:
        "../scripts/predict_redshifts.py"


rule score_redshifts:
    input:
        predictions=of_models("predictions.parquet"),
    output:
        scores=reported("results/{sample}/regress/{split}/scores.csv"),
        differences=reported("results/{sample}/regress/{split}/differences.csv"),
        scores_by_bin="results/{sample}/regress/{split}/scores_by_bin.csv",
    resources:
        **needs(600, 20, minutes=30),
    params:
        models=lambda wildcards: models_of(wildcards.sample),
        settings=as_text(RUN.redshift_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring the redshifts of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/score_redshifts.py"


rule score_photoz:
    input:
        predictions=of_models("predictions.parquet"),
        catalogue="results/{sample}/clean/catalogue.parquet",
    output:
        scores=reported("results/{sample}/regress/{split}/photoz_scores.csv"),
        differences=reported("results/{sample}/regress/{split}/photoz_differences.csv"),
    wildcard_constraints:
        sample=one_of(those(SAMPLES, lambda its: its.has_photoz)),
    resources:
        **needs(600, 20, minutes=30),
    params:
        models=lambda wildcards: models_of(wildcards.sample),
        settings=as_text(RUN.redshift_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring SDSS's own redshifts and the models of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/score_photoz.py"


rule explain_redshifts:
    input:
        models=of_models("{seed}", among=EXPLAINED),
        densities=of_models("{seed}", among=EXPLAINED & PDF_REGRESSORS),
        calibrations=of_models(
            "calibration/{seed}.json", among=EXPLAINED & PDF_REGRESSORS
        ),
        references=of_models(
            "calibration/{seed}.parquet", among=EXPLAINED & PDF_REGRESSORS
        ),
        tests=each_seed("results/{sample}/split/{split}/{seed}/test.parquet"),
    output:
        importance=reported("results/{sample}/regress/{split}/importance.csv"),
        dependence=reported("results/{sample}/regress/{split}/partial_dependence.csv"),
    wildcard_constraints:
        sample=one_of(explained_samples("regress")),
    resources:
        **needs(1000, 12, minutes=60),
    params:
        models=lambda wildcards: models_of(wildcards.sample, among=EXPLAINED),
        seeds=RUN.seeds,
        settings=as_text(RUN.importance.measured().canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Measuring which features the regressors of {wildcards.sample} use, split {wildcards.split}"
    script:
        "../scripts/explain_redshifts.py"


rule plot_redshifts:
    input:
        scores="results/{sample}/regress/{split}/scores.csv",
        scores_by_bin="results/{sample}/regress/{split}/scores_by_bin.csv",
        predictions=of_models("predictions.parquet"),
        histories=of_models("{seed}", among=TORCH_REGRESSORS),
        importance=explanation("importance", "regress"),
        dependence=explanation("partial_dependence", "regress"),
    output:
        figures=drawn(figures.REDSHIFTS),
    resources:
        **needs(600, 10, minutes=10),
    params:
        models=lambda wildcards: models_of(wildcards.sample),
        settings=FIGURES,
    message:
        "Drawing the redshifts of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/plot_redshifts.py"


# scores depend on what test and training objects have in common, such as plates or sky cells
rule compare_splits:
    input:
        features="results/{sample}/features/features.parquet",
        predictions=lambda its: of_splits("{model}/predictions.parquet", its.sample),
        scores=lambda its: of_splits("scores.csv", its.sample),
        pdf_scores=lambda its: of_splits(
            "pdf_scores.csv", its.sample, ["regress"] * (its.sample in PDF_SAMPLES)
        ),
    output:
        table=reported("results/{sample}/splits/comparison.csv"),
    wildcard_constraints:
        sample=one_of(those(SAMPLES, lambda its: len(its.splits) > 1)),
    resources:
        **needs(600, 20, minutes=30),
    params:
        splits=lambda wildcards: definitions(SAMPLES[wildcards.sample].splits),
        models=lambda its: json.dumps(
            {task: models_of(its.sample, task) for task in SAMPLES[its.sample].tasks}
        ),
        pdf_models=lambda its: model_figures.pdf_models(RUN, SAMPLES[its.sample]),
        classes=as_text(RUN.class_scores.canonical()),
        redshifts=as_text(RUN.redshift_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Comparing the splits of {wildcards.sample}"
    script:
        "../scripts/compare_splits.py"


rule score_outliers:
    input:
        outliers="results/{sample}/explore/outliers.parquet",
        catalogue="results/{sample}/clean/catalogue.parquet",
        oddities="results/{sample}/sky/oddities.parquet",
    output:
        scores=reported("results/{sample}/explore/oddity_scores.csv"),
    wildcard_constraints:
        sample=one_of(ODD & set(SAMPLES)),
    resources:
        **needs(600, 10, minutes=10),
    params:
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring the search for strange objects in {wildcards.sample}"
    script:
        "../scripts/score_outliers.py"
