# report: pages that show everything the configuration asks for, and a crate that says how it was
# made


rule build_report:
    input:
        contents=[item.path for item in contents(RUN, SAMPLES)],
        predictions=[
            path
            for sample in SAMPLES
            for task in SAMPLES[sample].tasks
            for split in SAMPLES[sample].splits
            for path in prediction_paths(sample, task, split)
        ],
        models=[
            path
            for sample in SAMPLES
            for task in SAMPLES[sample].tasks
            for split in SAMPLES[sample].splits
            for path in model_folders(sample, task, split)
        ],
        published=["results/published.csv"],
        templates=report_templates(),
    output:
        report="results/report.html",
        pages=expand("results/report/{sample}.html", sample=RUN.samples),
        cards=directory(expand("results/{sample}/cards", sample=RUN.samples)),
        tables=directory(expand("results/{sample}/tables", sample=RUN.samples)),
    log:
        "logs/build_report/build_report.log",
    benchmark:
        "benchmarks/runs/build_report/build_report.jsonl"
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        run=as_text(RUN.canonical()),
        samples=as_text(DEFINITIONS),
        code=code_digest("build_report.py"),
    message:
        "Writing the report"
    script:
        "../scripts/build_report.py"


rule write_crate:
    input:
        report="results/report.html",
    output:
        crate="results/ro-crate-metadata.json",
        workflow=directory("results/workflow"),
    log:
        "logs/write_crate/write_crate.log",
    benchmark:
        "benchmarks/runs/write_crate/write_crate.jsonl"
    localrule: True
    conda:
        "../environment.yml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(20),
    params:
        run=as_text(RUN.canonical()),
        samples=as_text(DEFINITIONS),
        configuration=as_text(
            sorted(
                {
                    *map(os.path.relpath, workflow.configfiles),
                    *(
                        os.path.join(RUN.sample_folder, f"{name}.yaml")
                        for name in SAMPLES
                    ),
                }
            )
        ),
        code=code_digest("write_crate.py"),
    message:
        "Describing the run"
    script:
        "../scripts/write_crate.py"
