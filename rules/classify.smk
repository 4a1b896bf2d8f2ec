# classify: star, galaxy or quasar


rule train_classifier:
    input:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
        voters=voters,
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
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
        code=model_code("train_classifier.py", RUN.classifiers),
    message:
        "Training classifier {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/train_classifier.py"
