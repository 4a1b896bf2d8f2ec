# evaluate: the only room that opens test rows


rule predict_classes:
    input:
        models=expand(
            "results/{{sample}}/classify/{{split}}/{{model}}/{seed}", seed=RUN.seeds
        ),
        tests=expand(
            "results/{{sample}}/split/{{split}}/{seed}/test.parquet", seed=RUN.seeds
        ),
    output:
        predictions="results/{sample}/classify/{split}/{model}/predictions.parquet",
    wildcard_constraints:
        model=one_of(RUN.classifiers),
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(30),
    params:
        seeds=RUN.seeds,
        model="{model}",
    message:
        "Predicting the test classes of {wildcards.sample} with {wildcards.model}, split {wildcards.split}"
    script:
        "../scripts/predict_classes.py"


rule score_classes:
    input:
        predictions=predictions_of("classify"),
    output:
        scores=report(
            "results/{sample}/classify/{split}/scores.csv",
            category="{sample}",
            subcategory="5 classes",
            caption="../report/class_scores.rst",
            labels={"what": "scores", "split": "{split}"},
        ),
        differences=report(
            "results/{sample}/classify/{split}/differences.csv",
            category="{sample}",
            subcategory="5 classes",
            caption="../report/differences.rst",
            labels={"what": "paired differences", "split": "{split}"},
        ),
        scores_by_bin="results/{sample}/classify/{split}/scores_by_bin.csv",
        confusion="results/{sample}/classify/{split}/confusion.csv",
        reliability="results/{sample}/classify/{split}/reliability.csv",
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(30),
    params:
        models=lambda wildcards: models_of(wildcards.sample, "classify"),
        settings=as_text(RUN.class_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring the classifiers of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/score_classes.py"


rule plot_classes:
    input:
        scores="results/{sample}/classify/{split}/scores.csv",
        scores_by_bin="results/{sample}/classify/{split}/scores_by_bin.csv",
        confusion="results/{sample}/classify/{split}/confusion.csv",
        reliability="results/{sample}/classify/{split}/reliability.csv",
        predictions=predictions_of("classify"),
    output:
        figure=report(
            f"results/{{sample}}/classify/{{split}}/figures/{{figure}}.{FIGURE}",
            category="{sample}",
            subcategory="5 classes",
            caption="../report/class_figure.rst",
            labels={"what": "{figure}", "split": "{split}"},
        ),
        also=also("results/{sample}/classify/{split}/figures/{figure}"),
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        figure="{figure}",
        models=lambda wildcards: models_of(wildcards.sample, "classify"),
        settings=FIGURES,
    message:
        "Drawing {wildcards.figure} of the classifiers of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/plot_classes.py"


rule predict_redshifts:
    input:
        models=expand(
            "results/{{sample}}/regress/{{split}}/{{model}}/{seed}", seed=RUN.seeds
        ),
        tests=expand(
            "results/{{sample}}/split/{{split}}/{seed}/test.parquet", seed=RUN.seeds
        ),
    output:
        predictions="results/{sample}/regress/{split}/{model}/predictions.parquet",
    wildcard_constraints:
        model=one_of(set(RUN.regressors) - PDF_REGRESSORS),
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(30),
    params:
        seeds=RUN.seeds,
        model="{model}",
    message:
        "Predicting the test redshifts of {wildcards.sample} with {wildcards.model}, split {wildcards.split}"
    script:
        "../scripts/predict_redshifts.py"


rule score_redshifts:
    input:
        predictions=predictions_of("regress"),
    output:
        scores=report(
            "results/{sample}/regress/{split}/scores.csv",
            category="{sample}",
            subcategory="6 redshifts",
            caption="../report/redshift_scores.rst",
            labels={"what": "scores", "split": "{split}"},
        ),
        differences=report(
            "results/{sample}/regress/{split}/differences.csv",
            category="{sample}",
            subcategory="6 redshifts",
            caption="../report/differences.rst",
            labels={"what": "paired differences", "split": "{split}"},
        ),
        scores_by_bin="results/{sample}/regress/{split}/scores_by_bin.csv",
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(30),
    params:
        models=lambda wildcards: models_of(wildcards.sample, "regress"),
        settings=as_text(RUN.redshift_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring the redshifts of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/score_redshifts.py"


rule plot_redshifts:
    input:
        scores="results/{sample}/regress/{split}/scores.csv",
        scores_by_bin="results/{sample}/regress/{split}/scores_by_bin.csv",
        predictions=predictions_of("regress"),
        histories=histories,
    output:
        figure=report(
            f"results/{{sample}}/regress/{{split}}/figures/{{figure}}.{FIGURE}",
            category="{sample}",
            subcategory="6 redshifts",
            caption="../report/redshift_figure.rst",
            labels={"what": "{figure}", "split": "{split}"},
        ),
        also=also("results/{sample}/regress/{split}/figures/{figure}"),
    wildcard_constraints:
        figure=one_of({*REGRESS_FIGURES, "training"}),
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        figure="{figure}",
        models=lambda wildcards: models_of(wildcards.sample, "regress"),
        settings=FIGURES,
    message:
        "Drawing {wildcards.figure} of the redshifts of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/plot_redshifts.py"
