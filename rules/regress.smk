# regress: photometric redshifts. Networks may use a GPU, so they have a rule of their own.


rule train_regressor:
    input:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
    output:
        folder=directory("results/{sample}/regress/{split}/{model}/{seed}"),
    log:
        "logs/train_regressor/{sample}/{split}/{model}/{seed}.log",
    benchmark:
        "benchmarks/runs/train_regressor/{sample}/{split}/{model}/{seed}.jsonl"
    wildcard_constraints:
        model=one_of(set(RUN.regressors) - TORCH_REGRESSORS),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(60),
    params:
        settings=lambda wildcards: RUN.regressors[wildcards.model].canonical(),
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
        code=model_code("train_regressor.py", RUN.regressors),
    message:
        "Training regressor {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/train_regressor.py"


rule search_settings:
    input:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
    output:
        table="results/{sample}/regress/{split}/{model}/search/{seed}.csv",
        chosen="results/{sample}/regress/{split}/{model}/search/{seed}.json",
    log:
        "logs/search_settings/{sample}/{split}/{model}/{seed}.log",
    benchmark:
        "benchmarks/runs/search_settings/{sample}/{split}/{model}/{seed}.jsonl"
    wildcard_constraints:
        model=one_of(SEARCHING_REGRESSORS),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        gpu=1,
        without_gpu="stop",
        mem_mb=by_attempt(1800),
        runtime=by_attempt(60),
    params:
        settings=lambda wildcards: RUN.regressors[wildcards.model].canonical(),
        seed=lambda wildcards: int(wildcards.seed),
        code=model_code("search_settings.py", RUN.regressors),
    message:
        "Searching settings of {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/search_settings.py"


rule train_network:
    input:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
        chosen=chosen_settings,
    output:
        folder=directory("results/{sample}/regress/{split}/{model}/{seed}"),
    log:
        "logs/train_network/{sample}/{split}/{model}/{seed}.log",
    benchmark:
        "benchmarks/runs/train_network/{sample}/{split}/{model}/{seed}.jsonl"
    wildcard_constraints:
        model=one_of(TORCH_REGRESSORS),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        gpu=1,
        without_gpu="stop",
        mem_mb=by_attempt(1800),
        runtime=by_attempt(60),
    params:
        settings=lambda wildcards: RUN.regressors[wildcards.model].canonical(),
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
        # beside the output, which Snakemake deletes when a job was killed
        checkpoints="results/{sample}/regress/{split}/{model}/checkpoints/{seed}",
        code=model_code("train_network.py", RUN.regressors),
    message:
        "Training network {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/train_network.py"


rule calibrate_pdfs:
    input:
        model="results/{sample}/regress/{split}/{model}/{seed}",
        development="results/{sample}/split/{split}/{seed}/development.parquet",
    output:
        calibration="results/{sample}/regress/{split}/{model}/calibration/{seed}.json",
        reference="results/{sample}/regress/{split}/{model}/calibration/{seed}.parquet",
    log:
        "logs/calibrate_pdfs/{sample}/{split}/{model}/{seed}.log",
    benchmark:
        "benchmarks/runs/calibrate_pdfs/{sample}/{split}/{model}/{seed}.jsonl"
    wildcard_constraints:
        model=one_of(PDF_REGRESSORS),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1800),
        runtime=by_attempt(30),
    params:
        settings=as_text(RUN.redshift_pdfs.calibration().canonical()),
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
        code=model_code("calibrate_pdfs.py", RUN.regressors),
    message:
        "Calibrating p(z) of {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/calibrate_pdfs.py"
