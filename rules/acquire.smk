# acquire: rows from any source, in a common catalogue schema


rule simulate_sky:
    input:
        templates=files_in("data/embedded", "sky_*.parquet"),
    output:
        spectra="results/{sample}/sky/specobj.parquet",
        photometry="results/{sample}/sky/photoobj.parquet",
        wise="results/{sample}/sky/wise.parquet",
    wildcard_constraints:
        sample=one_of(SIMULATED - PHOTOMETRIC - ODD),
    resources:
        **needs(1000, minutes=60),
    params:
        objects=lambda wildcards: SOURCES[wildcards.sample].source.simulated.objects,
        seed=lambda wildcards: SOURCES[wildcards.sample].source.simulated.seed,
    message:
        "Simulating the sky of {wildcards.sample}"
    script:
        "../scripts/simulate_sky.py"


rule simulate_oddities:
    input:
        templates=files_in("data/embedded", "sky_*.parquet"),
    output:
        spectra="results/{sample}/sky/specobj.parquet",
        photometry="results/{sample}/sky/photoobj.parquet",
        wise="results/{sample}/sky/wise.parquet",
        oddities="results/{sample}/sky/oddities.parquet",
    wildcard_constraints:
        sample=one_of(ODD),
    resources:
        **needs(1000, minutes=60),
    params:
        objects=lambda wildcards: SOURCES[wildcards.sample].source.simulated.objects,
        oddities=lambda wildcards: SOURCES[wildcards.sample].source.simulated.oddities,
        seed=lambda wildcards: SOURCES[wildcards.sample].source.simulated.seed,
    message:
        "Simulating the sky of {wildcards.sample}, with odd objects in it"
    script:
        "../scripts/simulate_oddities.py"


rule simulate_photometry:
    input:
        templates=files_in("data/embedded", "sky_*.parquet"),
    output:
        photometry="results/{sample}/sky/photoobj.parquet",
        wise="results/{sample}/sky/wise.parquet",
        truth="results/{sample}/sky/truth.parquet",
    wildcard_constraints:
        sample=one_of(SIMULATED & PHOTOMETRIC),
    resources:
        **needs(1000, minutes=60),
    params:
        objects=lambda wildcards: SOURCES[wildcards.sample].source.simulated.objects,
        seed=lambda wildcards: SOURCES[wildcards.sample].source.simulated.seed,
    message:
        "Simulating the objects without spectra of {wildcards.sample}"
    script:
        "../scripts/simulate_photometry.py"


rule estimate_download:
    output:
        estimate="results/download_estimate.csv",
    localrule: True
    resources:
        **needs(500, minutes=10),
    params:
        sources=as_text(
            definitions({name: SOURCES[name].source for name in DOWNLOADED})
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
        **needs(1000, minutes=120),
        downloads=1,
        network=as_text(NETWORK.canonical()),
    params:
        source=lambda wildcards: SOURCES[wildcards.sample].source.question(),
        standin=standin_digest,
    message:
        "Planning the download of {wildcards.sample}"
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
        **needs(1000, minutes=300),
        downloads=1,
        network=as_text(NETWORK.canonical()),
    params:
        source=lambda wildcards: SOURCES[wildcards.sample].source.question(),
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
        **needs(600, 6, minutes=60),
    params:
        sample="{sample}",
        simulated=lambda wildcards: wildcards.sample in SIMULATED,
    message:
        "Joining the chunks of {wildcards.sample}"
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
        **needs(1500, minutes=120),
    params:
        source=lambda wildcards: SOURCES[wildcards.sample].source.question(),
        sample="{sample}",
        source_files=source_files,
        source_digests=source_digests,
    message:
        "Reading the bulk files of {wildcards.sample}"
    script:
        "../scripts/import_bulk.py"


# on the submit host, like all downloads
rule fetch_file:
    output:
        file="results/{sample}/download/{file}",
    wildcard_constraints:
        sample=one_of(FETCHED),
        file=one_of({re.escape(SOURCES[name].source.file_name) for name in FETCHED}),
    localrule: True
    resources:
        **needs(500, minutes=300),
        downloads=1,
        network=as_text(NETWORK.canonical()),
        addresses=lambda wildcards: SOURCES[wildcards.sample].source.ways(),
    params:
        sha256=lambda wildcards: SOURCES[wildcards.sample].source.sha256,
    message:
        "Fetching {wildcards.file} of {wildcards.sample}"
    script:
        "../scripts/fetch_file.py"


rule import_catalogue:
    input:
        fetched=lambda its: (
            f"results/{its.sample}/download/{SAMPLES[its.sample].source.file_name}"
            if its.sample in FETCHED
            else []
        ),
    output:
        catalogue="results/{sample}/catalogue/catalogue.parquet",
        defects=reported("results/{sample}/catalogue/defects.csv"),
    wildcard_constraints:
        sample=one_of(set(SAMPLES) - DOWNLOADED - BULK),
    resources:
        **needs(600, 6, minutes=20, paths=source_paths),
    params:
        source=lambda wildcards: SOURCES[wildcards.sample].source.question(),
        sample="{sample}",
        source_files=source_files,
        source_digests=source_digests,
    message:
        "Reading and checking the catalogue of {wildcards.sample}"
    script:
        "../scripts/import_catalogue.py"
