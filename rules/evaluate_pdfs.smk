# evaluate, continued: redshift densities p(z) of the test objects


rule predict_pdfs:
    input:
        models=expand(
            "results/{{sample}}/regress/{{split}}/{{model}}/{seed}", seed=RUN.seeds
        ),
        calibrations=expand(
            "results/{{sample}}/regress/{{split}}/{{model}}/calibration/{seed}.json",
            seed=RUN.seeds,
        ),
        references=expand(
            "results/{{sample}}/regress/{{split}}/{{model}}/calibration/{seed}.parquet",
            seed=RUN.seeds,
        ),
        tests=expand(
            "results/{{sample}}/split/{{split}}/{seed}/test.parquet", seed=RUN.seeds
        ),
    output:
        predictions="results/{sample}/regress/{split}/{model}/predictions.parquet",
        pdfs="results/{sample}/regress/{split}/{model}/pdfs.hdf5",
    wildcard_constraints:
        model=one_of(PDF_REGRESSORS),
    resources:
        mem_mb=growing(1000, 12),
        runtime=by_attempt(60),
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
        developments=expand(
            "results/{{sample}}/split/{{split}}/{seed}/development.parquet",
            seed=RUN.seeds,
        ),
        tests=expand(
            "results/{{sample}}/split/{{split}}/{seed}/test.parquet", seed=RUN.seeds
        ),
        models=lambda wildcards: of_pdf_models(wildcards, "{seed}"),
        calibrations=lambda wildcards: of_pdf_models(
            wildcards, "calibration/{seed}.json"
        ),
        references=lambda wildcards: of_pdf_models(
            wildcards, "calibration/{seed}.parquet"
        ),
        predictions=lambda wildcards: of_pdf_models(wildcards, "predictions.parquet"),
    output:
        scores="results/{sample}/regress/{split}/covariate_shift.csv",
    wildcard_constraints:
        sample=one_of(PDF_SAMPLES),
    resources:
        mem_mb=growing(1000, 8),
        runtime=by_attempt(60),
    params:
        models=lambda wildcards: pdf_models_of(wildcards.sample),
        seeds=RUN.seeds,
        neighbours=RUN.redshift_pdfs.weight_neighbours,
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Weighing the spectra of {wildcards.sample}, split {wildcards.split}, to estimate the scores of its test objects"
    script:
        "../scripts/weigh_spectra.py"


rule score_pdfs:
    input:
        predictions=lambda wildcards: of_pdf_models(wildcards, "predictions.parquet"),
    output:
        scores=reported("results/{sample}/regress/{split}/pdf_scores.csv"),
        differences=reported("results/{sample}/regress/{split}/pdf_differences.csv"),
        scores_by_bin="results/{sample}/regress/{split}/pdf_scores_by_bin.csv",
        pit="results/{sample}/regress/{split}/pit.csv",
    wildcard_constraints:
        sample=one_of(PDF_SAMPLES),
    resources:
        mem_mb=growing(600, 20),
        runtime=by_attempt(30),
    params:
        models=lambda wildcards: pdf_models_of(wildcards.sample),
        settings=as_text(RUN.redshift_pdfs.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring p(z) of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/score_pdfs.py"


rule stack_pdfs:
    input:
        predictions=lambda wildcards: of_pdf_models(wildcards, "predictions.parquet"),
        pdfs=lambda wildcards: of_pdf_models(wildcards, "pdfs.hdf5"),
    output:
        stacks="results/{sample}/regress/{split}/redshift_stacks.csv",
        summary=reported("results/{sample}/regress/{split}/redshift_stacks_summary.csv"),
    wildcard_constraints:
        sample=one_of(PDF_SAMPLES),
    resources:
        mem_mb=growing(600, 8),
        runtime=by_attempt(30),
    params:
        models=lambda wildcards: pdf_models_of(wildcards.sample),
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
        predictions=lambda wildcards: of_pdf_models(wildcards, "predictions.parquet"),
        pdfs=lambda wildcards: of_pdf_models(wildcards, "pdfs.hdf5"),
    output:
        figures=drawn(PDFS),
        also=further(drawn(PDFS)),
    wildcard_constraints:
        sample=one_of(PDF_SAMPLES),
    resources:
        mem_mb=growing(600, 10),
        runtime=by_attempt(10),
    params:
        models=lambda wildcards: pdf_models_of(wildcards.sample),
        level=RUN.bootstrap.level,
        settings=FIGURES,
    message:
        "Drawing p(z) of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/plot_pdfs.py"
