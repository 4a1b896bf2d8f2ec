# report: pages, model cards and LaTeX tables, and a crate that describes the run


rule build_report:
    input:
        contents=[item.path for item in contents(RUN, SAMPLES, targets=ESTIMATED)],
        predictions=[
            path for its in PARTS for path in model_paths("predictions.parquet", *its)
        ],
        pdfs=[
            path
            for its in PARTS
            if its[1] == "regress"
            for path in model_paths("pdfs.hdf5", *its, among=PDF_REGRESSORS)
        ],
        models=[path for its in PARTS for path in model_paths("{seed}", *its)],
        published=["results/published.csv", f"results/published_curves.{FIGURE}"],
        bundles=list(
            {path: None for target in TARGETS for path in bundle_paths(target)}
        ),
        templates=files_in(
            code_digests.library_of(SCRIPTS) / "sdssflow/report/templates"
        ),
    output:
        report="results/report.html",
        pages=expand("results/report/{sample}.html", sample=[*RUN.samples, *TARGETS]),
        cards=directory(expand("results/{sample}/cards", sample=RUN.samples)),
        tables=directory(expand("results/{sample}/tables", sample=RUN.samples)),
    resources:
        **needs(1500, minutes=20),
    params:
        run=as_text(RUN.canonical()),
        samples=as_text(definitions(SAMPLES)),
        targets=as_text(
            json.dumps(
                [
                    (name, json.loads(its.target.canonical()), its.models, its.tasks)
                    for name, its in ESTIMATED.items()
                ]
            )
        ),
    message:
        "Writing the report"
    script:
        "../scripts/build_report.py"


rule write_crate:
    input:
        report="results/report.html",
        estimates=[
            *expand("results/{target}/complete.txt", target=TARGETS),
            *expand(
                "results/{target}/hats",
                target=sorted(those(TARGETS, lambda its: its.hats)),
            ),
        ],
    output:
        crate="results/ro-crate-metadata.json",
        workflow=directory("results/workflow"),
    localrule: True
    resources:
        **needs(1000, minutes=20),
    params:
        run=as_text(RUN.canonical()),
        samples=as_text(definitions(SAMPLES)),
        targets=as_text(definitions(TARGETS)),
        configuration=as_text(configuration_files()),
    message:
        "Describing the run"
    script:
        "../scripts/write_crate.py"
