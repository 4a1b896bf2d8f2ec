# explore: look at your data, then ask what groups there are


rule plot_catalogue:
    input:
        catalogue="results/{sample}/clean/catalogue.parquet",
    output:
        figures=drawn(CATALOGUE),
        also=further(drawn(CATALOGUE)),
    log:
        "logs/plot_catalogue/{sample}.log",
    benchmark:
        "benchmarks/runs/plot_catalogue/{sample}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        sample="{sample}",
        features=section("features"),
        settings=FIGURES,
        code=code_digest("plot_catalogue.py"),
    message:
        "Drawing the catalogue of {wildcards.sample}"
    script:
        "../scripts/plot_catalogue.py"


rule find_clusters:
    input:
        features="results/{sample}/features/features.parquet",
    output:
        table=reported("results/{sample}/explore/clusters.csv"),
        labels="results/{sample}/explore/clusters.parquet",
    log:
        "logs/find_clusters/{sample}.log",
    benchmark:
        "benchmarks/runs/find_clusters/{sample}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        explore=lambda wildcards: SAMPLES[wildcards.sample]
        .explore.clustering()
        .canonical(),
        seed=RUN.seeds[0],
        code=code_digest("find_clusters.py"),
    message:
        "Looking for groups in {wildcards.sample}"
    script:
        "../scripts/find_clusters.py"


rule embed_features:
    input:
        features="results/{sample}/features/features.parquet",
    output:
        embedding="results/{sample}/explore/embedding.parquet",
    log:
        "logs/embed_features/{sample}.log",
    benchmark:
        "benchmarks/runs/embed_features/{sample}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1800),
        runtime=by_attempt(20),
    params:
        explore=lambda wildcards: SAMPLES[wildcards.sample]
        .explore.clustering()
        .canonical(),
        seed=RUN.seeds[0],
        code=code_digest("embed_features.py"),
    message:
        "Projecting the features of {wildcards.sample} on two dimensions"
    script:
        "../scripts/embed_features.py"


rule plot_clusters:
    input:
        table="results/{sample}/explore/clusters.csv",
        labels="results/{sample}/explore/clusters.parquet",
        embedding="results/{sample}/explore/embedding.parquet",
    output:
        scatter=reported(f"results/{{sample}}/explore/clusters.{FIGURE}"),
        selection=reported(f"results/{{sample}}/explore/cluster_selection.{FIGURE}"),
        also=also("results/{sample}/explore/clusters")
        + also("results/{sample}/explore/cluster_selection"),
    log:
        "logs/plot_clusters/{sample}.log",
    benchmark:
        "benchmarks/runs/plot_clusters/{sample}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        settings=FIGURES,
        sample="{sample}",
        code=code_digest("plot_clusters.py"),
    message:
        "Drawing the groups of {wildcards.sample}"
    script:
        "../scripts/plot_clusters.py"


rule plot_filters:
    output:
        figure=reported(f"results/concepts/redshifted_spectrum.{FIGURE}"),
        also=also("results/concepts/redshifted_spectrum"),
        table="results/concepts/redshifted_colors.csv",
    log:
        "logs/plot_filters/plot_filters.log",
    benchmark:
        "benchmarks/runs/plot_filters/plot_filters.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(800),
        runtime=by_attempt(10),
    params:
        settings=FIGURES,
        code=code_digest("plot_filters.py"),
    message:
        "Sliding a spectrum through the SDSS filters"
    script:
        "../scripts/plot_filters.py"
