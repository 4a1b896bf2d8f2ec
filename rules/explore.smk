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
    log:
        "logs/plot_catalogue/{sample}/{figure}.log",
    benchmark:
        "benchmarks/runs/plot_catalogue/{sample}/{figure}.jsonl"
    wildcard_constraints:
        figure="sky_map|magnitudes|redshifts|color_color|color_redshift",
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        figure="{figure}",
        sample="{sample}",
        features=section("features"),
        settings=FIGURES,
        code=code_digest("plot_catalogue.py"),
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
        explore=section("explore"),
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
        explore=section("explore"),
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
        figure=report(
            f"results/concepts/redshifted_spectrum.{FIGURE}",
            category="concepts",
            caption="../report/filters.rst",
            labels={"what": "why colours carry redshift"},
        ),
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
