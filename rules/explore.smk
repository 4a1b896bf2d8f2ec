# explore: look at your data, then ask what groups there are


rule plot_catalogue:
    input:
        catalogue="results/{sample}/clean/catalogue.parquet",
    output:
        figure=report(
            f"results/{{sample}}/explore/{{figure}}.{FIGURE}",
            category="{sample}",
            subcategory="3 look at the data",
            caption="../report/catalogue_figure.rst",
            labels={"what": "{figure}"},
        ),
        also=also("results/{sample}/explore/{figure}"),
    wildcard_constraints:
        figure="sky_map|magnitudes|redshifts|color_color|color_redshift",
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        figure="{figure}",
        sample="{sample}",
        features=section("features"),
        settings=FIGURES,
    message:
        "Drawing {wildcards.figure} of {wildcards.sample}"
    script:
        "../scripts/plot_catalogue.py"


rule find_clusters:
    input:
        features="results/{sample}/features/features.parquet",
    output:
        table=report(
            "results/{sample}/explore/clusters.csv",
            category="{sample}",
            subcategory="4 groups",
            caption="../report/clusters.rst",
            labels={"what": "groups, table"},
        ),
        labels="results/{sample}/explore/clusters.parquet",
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        explore=section("explore"),
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
        mem_mb=by_attempt(1800),
        runtime=by_attempt(20),
    params:
        explore=section("explore"),
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
        scatter=report(
            f"results/{{sample}}/explore/clusters.{FIGURE}",
            category="{sample}",
            subcategory="4 groups",
            caption="../report/clusters.rst",
            labels={"what": "groups on the projections"},
        ),
        selection=report(
            f"results/{{sample}}/explore/cluster_selection.{FIGURE}",
            category="{sample}",
            subcategory="4 groups",
            caption="../report/clusters.rst",
            labels={"what": "how many groups"},
        ),
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
        figure=report(
            f"results/concepts/redshifted_spectrum.{FIGURE}",
            category="concepts",
            caption="../report/filters.rst",
            labels={"what": "why colours carry redshift"},
        ),
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
