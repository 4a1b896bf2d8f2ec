# acquire: rows from wherever they are, in the one catalogue schema


rule simulate_sky:
    input:
        templates=sky_templates(),
    output:
        spectra="results/{sample}/sky/specobj.parquet",
        photometry="results/{sample}/sky/photoobj.parquet",
    log:
        "logs/simulate_sky/{sample}.log",
    benchmark:
        "benchmarks/runs/simulate_sky/{sample}.jsonl"
    wildcard_constraints:
        sample=one_of(SIMULATED),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(60),
    params:
        objects=lambda wildcards: SAMPLES[wildcards.sample].source.simulated.objects,
        seed=lambda wildcards: SAMPLES[wildcards.sample].source.simulated.seed,
        code=code_digest("simulate_sky.py"),
    message:
        "Simulating the sky of {wildcards.sample}"
    script:
        "../scripts/simulate_sky.py"


rule estimate_download:
    output:
        estimate="results/download_estimate.csv",
    log:
        "logs/estimate_download/estimate_download.log",
    benchmark:
        "benchmarks/runs/estimate_download/estimate_download.jsonl"
    localrule: True
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(500),
        runtime=by_attempt(10),
    params:
        sources=as_text(
            json.dumps(
                {
                    name: json.loads(SAMPLES[name].source.canonical())
                    for name in sorted(DOWNLOADED)
                },
                sort_keys=True,
            )
        ),
        network=as_text(RUN.downloads.canonical()),
        code=code_digest("estimate_download.py"),
    message:
        "Estimating what the downloads will take"
    script:
        "../scripts/estimate_download.py"


# on the submit host: compute nodes often have no internet
rule plan_chunks:
    input:
        sky=sky_tables,
    output:
        plan="results/{sample}/download/plan.json",
    log:
        "logs/plan_chunks/{sample}.log",
    benchmark:
        "benchmarks/runs/plan_chunks/{sample}.jsonl"
    wildcard_constraints:
        sample=one_of(DOWNLOADED),
    localrule: True
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(120),
        downloads=1,
        network=as_text(RUN.downloads.canonical()),
    params:
        source=lambda wildcards: SAMPLES[wildcards.sample].source.question(),
        code=code_digest("plan_chunks.py"),
        standin=standin_digest,
    message:
        "Asking what there is for {wildcards.sample}"
    script:
        "../scripts/plan_chunks.py"


rule download_chunk:
    input:
        plan="results/{sample}/download/plan.json",
        sky=sky_tables,
    output:
        chunk="results/{sample}/download/chunks/{chunk}.parquet",
    log:
        "logs/download_chunk/{sample}/{chunk}.log",
    benchmark:
        "benchmarks/runs/download_chunk/{sample}/{chunk}.jsonl"
    wildcard_constraints:
        sample=one_of(DOWNLOADED),
    localrule: True
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(300),
        downloads=1,
        network=as_text(RUN.downloads.canonical()),
    params:
        source=lambda wildcards: SAMPLES[wildcards.sample].source.question(),
        chunk=lambda wildcards: int(wildcards.chunk),
        code=code_digest("download_chunk.py"),
        standin=standin_digest,
    message:
        "Downloading chunk {wildcards.chunk} of {wildcards.sample}"
    script:
        "../scripts/download_chunk.py"


rule assemble_catalogue:
    input:
        plan="results/{sample}/download/plan.json",
        chunks=chunk_paths,
    output:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
        defects=reported("results/{sample}/catalogue/defects.csv"),
        completeness=reported("results/{sample}/catalogue/completeness.csv"),
    log:
        "logs/assemble_catalogue/{sample}.log",
    benchmark:
        "benchmarks/runs/assemble_catalogue/{sample}.jsonl"
    wildcard_constraints:
        sample=one_of(DOWNLOADED),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(60),
    params:
        sample="{sample}",
        simulated=lambda wildcards: wildcards.sample in SIMULATED,
        code=code_digest("assemble_catalogue.py"),
    message:
        "Putting the chunks of {wildcards.sample} together"
    script:
        "../scripts/assemble_catalogue.py"


rule import_bulk:
    output:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
        defects=reported("results/{sample}/catalogue/defects.csv"),
        completeness=reported("results/{sample}/catalogue/completeness.csv"),
    log:
        "logs/import_bulk/{sample}.log",
    benchmark:
        "benchmarks/runs/import_bulk/{sample}.jsonl"
    wildcard_constraints:
        sample=one_of(BULK),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(120),
    params:
        source=lambda wildcards: SAMPLES[wildcards.sample].source.question(),
        sample="{sample}",
        source_files=source_files,
        source_digests=source_digests,
        code=code_digest("import_bulk.py"),
    message:
        "Reading the bulk files of {wildcards.sample}"
    script:
        "../scripts/import_bulk.py"


rule import_catalogue:
    output:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
        defects=reported("results/{sample}/catalogue/defects.csv"),
    log:
        "logs/import_catalogue/{sample}.log",
    benchmark:
        "benchmarks/runs/import_catalogue/{sample}.jsonl"
    wildcard_constraints:
        sample=one_of(set(SAMPLES) - DOWNLOADED - BULK),
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        source=section("source"),
        sample="{sample}",
        source_files=source_files,
        source_digests=source_digests,
        code=code_digest("import_catalogue.py"),
    message:
        "Reading and checking the catalogue of {wildcards.sample}"
    script:
        "../scripts/import_catalogue.py"
