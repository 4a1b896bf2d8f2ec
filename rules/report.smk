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
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(20),
    params:
        run=as_text(RUN.canonical()),
        samples=as_text(DEFINITIONS),
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
    localrule: True
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
    message:
        "Describing the run"
    script:
        "../scripts/write_crate.py"
