# regress: photometric redshifts. Networks may use a GPU, so they have a separate rule.


rule train_regressor:
    input:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
    output:
        folder=directory("results/{sample}/regress/{split}/{model}/{seed}"),
    wildcard_constraints:
        model=one_of(set(RUN.regressors) - TORCH_REGRESSORS),
    resources:
        **needs(800, 12, minutes=60, minutes_per_mb=0.3),
    params:
        settings=lambda wildcards: RUN.regressors[wildcards.model].canonical(),
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
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
    wildcard_constraints:
        model=one_of(SEARCHING_REGRESSORS),
    resources:
        **needs(1000, 15, minutes=60, minutes_per_mb=0.3),
        gpu=1,
        without_gpu="stop",
    params:
        settings=lambda wildcards: RUN.regressors[wildcards.model].canonical(),
        seed=lambda wildcards: int(wildcards.seed),
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
    wildcard_constraints:
        model=one_of(TORCH_REGRESSORS),
    resources:
        **needs(1000, 15, minutes=60, minutes_per_mb=0.3),
        gpu=1,
        without_gpu="stop",
    params:
        settings=lambda wildcards: RUN.regressors[wildcards.model].canonical(),
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
        # outside the output, which Snakemake deletes if the job is killed
        checkpoints="results/{sample}/regress/{split}/{model}/checkpoints/{seed}",
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
    wildcard_constraints:
        model=one_of(PDF_REGRESSORS),
    resources:
        **needs(1000, 8, minutes=30, minutes_per_mb=0.3),
    params:
        settings=as_text(RUN.redshift_pdfs.calibration().canonical()),
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
    message:
        "Calibrating p(z) of {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/calibrate_pdfs.py"
