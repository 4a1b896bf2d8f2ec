# explore: figures of the catalogue, groups, outliers and embeddings


rule plot_catalogue:
    input:
        catalogue="results/{sample}/clean/catalogue.parquet",
    output:
        # a submitted job is identified by its first output, which all samples must have
        record="results/provenance/plot_catalogue/{sample}.json",
        figures=drawn(figures.CATALOGUE),
    wildcard_constraints:
        sample=one_of(those(SAMPLES, lambda its: its.explore.figures)),
    resources:
        **needs(600, 6, minutes=10),
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
        agreement=reported("results/{sample}/explore/agreement.csv"),
        contingency=reported("results/{sample}/explore/contingency.csv"),
    resources:
        **needs(800, 6, minutes=20),
    params:
        explore=clustering,
        seed=RUN.seeds[0],
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Searching for groups in {wildcards.sample}"
    script:
        "../scripts/find_clusters.py"


rule find_outliers:
    input:
        features="results/{sample}/features/features.parquet",
    output:
        gallery=reported("results/{sample}/explore/outliers.csv"),
        outliers="results/{sample}/explore/outliers.parquet",
    resources:
        **needs(800, 10, minutes=20),
    params:
        explore=lambda its: SAMPLES[its.sample].explore.outliers.canonical(),
        seed=RUN.seeds[0],
    message:
        "Searching for outliers in {wildcards.sample}"
    script:
        "../scripts/find_outliers.py"


rule embed_features:
    input:
        features="results/{sample}/features/features.parquet",
    output:
        embedding="results/{sample}/explore/embedding.parquet",
    resources:
        **needs(1000, 8, minutes=20),
    params:
        explore=clustering,
        seed=RUN.seeds[0],
    message:
        "Projecting the features of {wildcards.sample} onto two dimensions"
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
    resources:
        **needs(1000, minutes=10),
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
        table="results/concepts/redshifted_colors.csv",
    resources:
        **needs(800, minutes=10),
    params:
        settings=FIGURES,
    message:
        "Redshifting a spectrum through the SDSS filters"
    script:
        "../scripts/plot_filters.py"
