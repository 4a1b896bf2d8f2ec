# acquire: rows from wherever they are, in the one catalogue schema


rule simulate_sky:
    input:
        templates=sky_templates(),
    output:
        spectra="results/{sample}/sky/specobj.parquet",
        photometry="results/{sample}/sky/photoobj.parquet",
    wildcard_constraints:
        sample=one_of(SIMULATED),
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(60),
    params:
        objects=lambda wildcards: SAMPLES[wildcards.sample].source.simulated.objects,
        seed=lambda wildcards: SAMPLES[wildcards.sample].source.simulated.seed,
    message:
        "Simulating the sky of {wildcards.sample}"
    script:
        "../scripts/simulate_sky.py"


rule estimate_download:
    output:
        estimate="results/download_estimate.csv",
    localrule: True
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
    wildcard_constraints:
        sample=one_of(DOWNLOADED),
    localrule: True
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(120),
        downloads=1,
        network=as_text(RUN.downloads.canonical()),
    params:
        source=lambda wildcards: SAMPLES[wildcards.sample].source.question(),
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
    wildcard_constraints:
        sample=one_of(DOWNLOADED),
    localrule: True
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(300),
        downloads=1,
        network=as_text(RUN.downloads.canonical()),
    params:
        source=lambda wildcards: SAMPLES[wildcards.sample].source.question(),
        chunk=lambda wildcards: int(wildcards.chunk),
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
    wildcard_constraints:
        sample=one_of(DOWNLOADED),
    resources:
        mem_mb=growing(600, 6),
        runtime=by_attempt(60),
    params:
        sample="{sample}",
        simulated=lambda wildcards: wildcards.sample in SIMULATED,
    message:
        "Putting the chunks of {wildcards.sample} together"
    script:
        "../scripts/assemble_catalogue.py"


rule import_bulk:
    output:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
        defects=reported("results/{sample}/catalogue/defects.csv"),
        completeness=reported("results/{sample}/catalogue/completeness.csv"),
    wildcard_constraints:
        sample=one_of(BULK),
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(120),
    params:
        source=lambda wildcards: SAMPLES[wildcards.sample].source.question(),
        sample="{sample}",
        source_files=source_files,
        source_digests=source_digests,
    message:
        "Reading the bulk files of {wildcards.sample}"
    script:
        "../scripts/import_bulk.py"


rule import_catalogue:
    output:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
        defects=reported("results/{sample}/catalogue/defects.csv"),
    wildcard_constraints:
        sample=one_of(set(SAMPLES) - DOWNLOADED - BULK),
    resources:
        mem_mb=growing(600, 6, source_paths),
        runtime=by_attempt(20),
    params:
        source=section("source"),
        sample="{sample}",
        source_files=source_files,
        source_digests=source_digests,
    message:
        "Reading and checking the catalogue of {wildcards.sample}"
    script:
        "../scripts/import_catalogue.py"
