# classify: star, galaxy or quasar


rule train_classifier:
    input:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
        voters=voters,
    output:
        folder=directory("results/{sample}/classify/{split}/{model}/{seed}"),
    wildcard_constraints:
        model=one_of(RUN.classifiers),
    resources:
        **needs(800, 12, minutes=60, minutes_per_mb=0.3),
    params:
        settings=lambda wildcards: RUN.classifiers[wildcards.model].canonical(),
        model="{model}",
        seed=lambda wildcards: int(wildcards.seed),
    message:
        "Training classifier {wildcards.model} on {wildcards.sample}, split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/train_classifier.py"
