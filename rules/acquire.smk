# acquire: rows from wherever they are, in the one catalogue schema


rule import_catalogue:
    input:
        table=source_table,
    output:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
        defects=report(
            "results/{sample}/catalogue/defects.csv",
            category="{sample}",
            subcategory="1 data",
            caption="../report/defects.rst",
            labels={"what": "defects found on entry"},
        ),
    log:
        "logs/import_catalogue/{sample}.log",
    benchmark:
        "benchmarks/runs/import_catalogue/{sample}.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        source=section("source"),
        sample="{sample}",
        code=code_digest("import_catalogue.py"),
    message:
        "Reading and checking the catalogue of {wildcards.sample}"
    script:
        "../scripts/import_catalogue.py"
