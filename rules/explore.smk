# explore: look at your data, then ask what groups there are


rule plot_catalogue:
    input:
        catalogue="results/{sample}/clean/catalogue.parquet",
    output:
        # a job that is submitted is found again by its first output, so that is one of all samples
        record="results/provenance/plot_catalogue/{sample}.json",
        figures=drawn(CATALOGUE),
        also=further(drawn(CATALOGUE)),
    wildcard_constraints:
        sample=one_of(name for name in SAMPLES if SAMPLES[name].explore.figures),
    resources:
        mem_mb=growing(600, 6),
        runtime=by_attempt(10),
    params:
        sample="{sample}",
        features=section("features"),
        settings=FIGURES,
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
    resources:
        mem_mb=growing(800, 6),
        runtime=by_attempt(20),
    params:
        explore=clustering,
        seed=RUN.seeds[0],
    message:
        "Looking for groups in {wildcards.sample}"
    script:
        "../scripts/find_clusters.py"


rule embed_features:
    input:
        features="results/{sample}/features/features.parquet",
    output:
        embedding="results/{sample}/explore/embedding.parquet",
    resources:
        mem_mb=growing(1000, 8),
        runtime=by_attempt(20),
    params:
        explore=clustering,
        seed=RUN.seeds[0],
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
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        settings=FIGURES,
        sample="{sample}",
    message:
        "Drawing the groups of {wildcards.sample}"
    script:
        "../scripts/plot_clusters.py"


rule plot_filters:
    output:
        figure=reported(f"results/concepts/redshifted_spectrum.{FIGURE}"),
        also=also("results/concepts/redshifted_spectrum"),
        table="results/concepts/redshifted_colors.csv",
    resources:
        mem_mb=by_attempt(800),
        runtime=by_attempt(10),
    params:
        settings=FIGURES,
    message:
        "Sliding a spectrum through the SDSS filters"
    script:
        "../scripts/plot_filters.py"
