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
        code=code_digest("train_regressor.py"),
    message:
        "Training regressor {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/train_regressor.py"


rule train_network:
    input:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
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
        mem_mb=by_attempt(1800),
        runtime=by_attempt(60),
    params:
        settings=lambda wildcards: RUN.regressors[wildcards.model].canonical(),
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
        code=code_digest("train_network.py"),
    message:
        "Training network {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/train_network.py"
