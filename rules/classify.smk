# classify: star, galaxy or quasar


rule train_classifier:
    input:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
    output:
        folder=directory("results/{sample}/classify/{split}/{model}/{seed}"),
    log:
        "logs/train_classifier/{sample}/{split}/{model}/{seed}.log",
    benchmark:
        "benchmarks/runs/train_classifier/{sample}/{split}/{model}/{seed}.jsonl"
    wildcard_constraints:
        model=one_of(RUN.classifiers),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(60),
    params:
        settings=lambda wildcards: RUN.classifiers[wildcards.model].canonical(),
        members=voters,
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
        code=code_digest("train_classifier.py"),
    message:
        "Training classifier {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/train_classifier.py"
