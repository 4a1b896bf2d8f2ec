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
    log:
        "logs/predict_classes/{sample}/{split}/{model}.log",
    benchmark:
        "benchmarks/runs/predict_classes/{sample}/{split}/{model}.jsonl"
    wildcard_constraints:
        model=one_of(RUN.classifiers),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(30),
    params:
        seeds=RUN.seeds,
        model="{model}",
        code=code_digest("predict_classes.py"),
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
    log:
        "logs/score_classes/{sample}/{split}.log",
    benchmark:
        "benchmarks/runs/score_classes/{sample}/{split}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(30),
    params:
        models=lambda wildcards: models_of(wildcards.sample, "classify"),
        settings=as_text(RUN.class_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
        code=code_digest("score_classes.py"),
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
    log:
        "logs/plot_classes/{sample}/{split}/{figure}.log",
    benchmark:
        "benchmarks/runs/plot_classes/{sample}/{split}/{figure}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        figure="{figure}",
        models=lambda wildcards: models_of(wildcards.sample, "classify"),
        settings=FIGURES,
        code=code_digest("plot_classes.py"),
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
    log:
        "logs/predict_redshifts/{sample}/{split}/{model}.log",
    benchmark:
        "benchmarks/runs/predict_redshifts/{sample}/{split}/{model}.jsonl"
    wildcard_constraints:
        model=one_of(set(RUN.regressors) - PDF_REGRESSORS),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(30),
    params:
        seeds=RUN.seeds,
        model="{model}",
        code=model_code("predict_redshifts.py", RUN.regressors),
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
    log:
        "logs/score_redshifts/{sample}/{split}.log",
    benchmark:
        "benchmarks/runs/score_redshifts/{sample}/{split}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(30),
    params:
        models=lambda wildcards: models_of(wildcards.sample, "regress"),
        settings=as_text(RUN.redshift_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
        code=code_digest("score_redshifts.py"),
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
    log:
        "logs/plot_redshifts/{sample}/{split}/{figure}.log",
    benchmark:
        "benchmarks/runs/plot_redshifts/{sample}/{split}/{figure}.jsonl"
    wildcard_constraints:
        figure=one_of({*REGRESS_FIGURES, "training"}),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        figure="{figure}",
        models=lambda wildcards: models_of(wildcards.sample, "regress"),
        settings=FIGURES,
        code=code_digest("plot_redshifts.py"),
    message:
        "Drawing {wildcards.figure} of the redshifts of {wildcards.sample}, split {wildcards.split}"
    script:
        "../scripts/plot_redshifts.py"
