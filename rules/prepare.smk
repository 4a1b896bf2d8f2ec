# prepare: cuts -> features -> leak-free parts


rule clean_catalogue:
    input:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
    output:
        catalogue="results/{sample}/clean/catalogue.parquet",
        flow=reported("results/{sample}/clean/flow.csv"),
    log:
        "logs/clean_catalogue/{sample}.log",
    benchmark:
        "benchmarks/runs/clean_catalogue/{sample}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        cuts=lambda wildcards: Cuts(cuts=SAMPLES[wildcards.sample].cuts).canonical(),
        code=code_digest("clean_catalogue.py"),
    message:
        "Applying the quality cuts of {wildcards.sample}"
    script:
        "../scripts/clean_catalogue.py"


rule plot_flow:
    input:
        flow="results/{sample}/clean/flow.csv",
    output:
        figure=reported(f"results/{{sample}}/clean/flow.{FIGURE}"),
        also=also("results/{sample}/clean/flow"),
    log:
        "logs/plot_flow/{sample}.log",
    benchmark:
        "benchmarks/runs/plot_flow/{sample}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(800),
        runtime=by_attempt(10),
    params:
        settings=FIGURES,
        sample="{sample}",
        code=code_digest("plot_flow.py"),
    message:
        "Drawing what the cuts of {wildcards.sample} leave"
    script:
        "../scripts/plot_flow.py"


rule build_features:
    input:
        catalogue="results/{sample}/clean/catalogue.parquet",
    output:
        features="results/{sample}/features/features.parquet",
    log:
        "logs/build_features/{sample}.log",
    benchmark:
        "benchmarks/runs/build_features/{sample}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        features=section("features"),
        code=code_digest("build_features.py"),
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
    log:
        "logs/split_sample/{sample}/{split}/{seed}.log",
    benchmark:
        "benchmarks/runs/split_sample/{sample}/{split}/{seed}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        settings=lambda wildcards: SAMPLES[wildcards.sample]
        .splits[wildcards.split]
        .canonical(),
        split="{split}",
        seed=lambda wildcards: int(wildcards.seed),
        code=code_digest("split_sample.py"),
    message:
        "Parting {wildcards.sample} by split {wildcards.split}, seed {wildcards.seed}"
    script:
        "../scripts/split_sample.py"
