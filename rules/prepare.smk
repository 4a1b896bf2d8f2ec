# prepare: cuts -> features -> leak-free parts


rule clean_catalogue:
    input:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
    output:
        catalogue="results/{sample}/clean/catalogue.parquet",
        flow=reported("results/{sample}/clean/flow.csv"),
    resources:
        **needs(600, 6, minutes=20),
    params:
        cuts=lambda wildcards: Cuts(cuts=SAMPLES[wildcards.sample].cuts).canonical(),
    message:
        "Applying the quality cuts of {wildcards.sample}"
    script:
        "../scripts/clean_catalogue.py"


rule plot_flow:
    input:
        flow="results/{sample}/clean/flow.csv",
        leaks="results/{sample}/features/leaks.csv",
    output:
        flow=reported(f"results/{{sample}}/clean/flow.{FIGURE}"),
        leaks=reported(f"results/{{sample}}/features/leaks.{FIGURE}"),
    resources:
        **needs(800, minutes=10),
    params:
        settings=FIGURES,
        sample="{sample}",
    message:
        "Drawing the cuts and leaks of {wildcards.sample}"
    script:
        "../scripts/plot_flow.py"


rule build_features:
    input:
        catalogue="results/{sample}/clean/catalogue.parquet",
    output:
        features="results/{sample}/features/features.parquet",
        alone=reported("results/{sample}/features/single_features.csv"),
        leaks=reported("results/{sample}/features/leaks.csv"),
    resources:
        **needs(600, 10, minutes=20),
    params:
        features=section("features"),
    message:
        "Building the features of {wildcards.sample}"
    script:
        "../scripts/build_features.py"


rule split_sample:
    input:
        features="results/{sample}/features/features.parquet",
    output:
        development="results/{sample}/split/{split}/{seed}/development.parquet",
        test="results/{sample}/split/{split}/{seed}/test.parquet",
        parts="results/{sample}/split/{split}/{seed}/parts.csv",
    resources:
        **needs(600, 12, minutes=20),
    params:
        settings=lambda wildcards: SAMPLES[wildcards.sample]
        .splits[wildcards.split]
        .canonical(),
        split="{split}",
        seed=lambda wildcards: int(wildcards.seed),
    message:
        "Splitting {wildcards.sample} by {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/split_sample.py"
