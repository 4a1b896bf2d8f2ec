# evaluate, continued: redshift densities p(z) of the test objects


rule predict_pdfs:
    input:
        models=each_seed("results/{sample}/regress/{split}/{model}/{seed}"),
        calibrations=each_seed(
            "results/{sample}/regress/{split}/{model}/calibration/{seed}.json"
        ),
        references=each_seed(
            "results/{sample}/regress/{split}/{model}/calibration/{seed}.parquet"
        ),
        tests=each_seed("results/{sample}/split/{split}/{seed}/test.parquet"),
    output:
        predictions="results/{sample}/regress/{split}/{model}/predictions.parquet",
        pdfs="results/{sample}/regress/{split}/{model}/pdfs.hdf5",
    wildcard_constraints:
        model=one_of(PDF_REGRESSORS),
    resources:
        **needs(1000, 12, minutes=60),
    params:
        seeds=RUN.seeds,
        model="{model}",
        quantiles=RUN.redshift_pdfs.quantiles,
    message:
        "Predicting p(z) of the test objects of {wildcards.sample} with {wildcards.model}, split {wildcards.split}"
    script:
        "../scripts/predict_pdfs.py"


rule weigh_spectra:
    input:
        developments=each_seed(
            "results/{sample}/split/{split}/{seed}/development.parquet"
        ),
        tests=each_seed("results/{sample}/split/{split}/{seed}/test.parquet"),
        models=of_models("{seed}", among=PDF_REGRESSORS),
        calibrations=of_models("calibration/{seed}.json", among=PDF_REGRESSORS),
        references=of_models("calibration/{seed}.parquet", among=PDF_REGRESSORS),
        predictions=of_models("predictions.parquet", among=PDF_REGRESSORS),
    output:
        scores="results/{sample}/regress/{split}/covariate_shift.csv",
    wildcard_constraints:
        sample=one_of(PDF_SAMPLES),
    resources:
        **needs(1000, 8, minutes=60),
    params:
        models=lambda wildcards: models_of(wildcards.sample, among=PDF_REGRESSORS),
        seeds=RUN.seeds,
        neighbours=RUN.redshift_pdfs.weight_neighbours,
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Weighting the spectra of {wildcards.sample}, split {wildcards.split}, to estimate the scores of its test objects"
    script:
        "../scripts/weigh_spectra.py"


rule score_pdfs:
    input:
        predictions=of_models("predictions.parquet", among=PDF_REGRESSORS),
    output:
        scores=reported("results/{sample}/regress/{split}/pdf_scores.csv"),
        differences=reported("results/{sample}/regress/{split}/pdf_differences.csv"),
        scores_by_bin="results/{sample}/regress/{split}/pdf_scores_by_bin.csv",
        pit="results/{sample}/regress/{split}/pit.csv",
    wildcard_constraints:
        sample=one_of(PDF_SAMPLES),
    resources:
        **needs(600, 20, minutes=30),
    params:
        models=lambda wildcards: models_of(wildcards.sample, among=PDF_REGRESSORS),
        settings=as_text(RUN.redshift_pdfs.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring p(z) of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/score_pdfs.py"


rule stack_pdfs:
    input:
        predictions=of_models("predictions.parquet", among=PDF_REGRESSORS),
        pdfs=of_models("pdfs.hdf5", among=PDF_REGRESSORS),
    output:
        stacks="results/{sample}/regress/{split}/redshift_stacks.csv",
        summary=reported("results/{sample}/regress/{split}/redshift_stacks_summary.csv"),
    wildcard_constraints:
        sample=one_of(PDF_SAMPLES),
    resources:
        **needs(600, 8, minutes=30),
    params:
        models=lambda wildcards: models_of(wildcards.sample, among=PDF_REGRESSORS),
        settings=as_text(RUN.redshift_pdfs.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Stacking p(z) of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/stack_pdfs.py"


rule plot_pdfs:
    input:
        scores="results/{sample}/regress/{split}/pdf_scores.csv",
        scores_by_bin="results/{sample}/regress/{split}/pdf_scores_by_bin.csv",
        pit="results/{sample}/regress/{split}/pit.csv",
        stacks="results/{sample}/regress/{split}/redshift_stacks.csv",
        summary="results/{sample}/regress/{split}/redshift_stacks_summary.csv",
        predictions=of_models("predictions.parquet", among=PDF_REGRESSORS),
        pdfs=of_models("pdfs.hdf5", among=PDF_REGRESSORS),
    output:
        figures=drawn(figures.PDFS),
    wildcard_constraints:
        sample=one_of(PDF_SAMPLES),
    resources:
        **needs(600, 10, minutes=10),
    params:
        models=lambda wildcards: models_of(wildcards.sample, among=PDF_REGRESSORS),
        level=RUN.bootstrap.level,
        settings=FIGURES,
    message:
        "Drawing p(z) of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/plot_pdfs.py"
