# estimate: trained models applied to objects without spectra


rule refit_model:
    input:
        model=lambda its: f"{task_folder(BUNDLES[its.bundle])}/{BUNDLES[its.bundle].seed}",
        features=lambda its: f"results/{BUNDLES[its.bundle].sample}/features/features.parquet",
    output:
        folder=directory("results/refits/{bundle}"),
    wildcard_constraints:
        bundle=one_of(those(BUNDLES, lambda its: its.refit)),
    resources:
        **needs(1000, 15, minutes=60, minutes_per_mb=0.3),
        gpu=1,
        without_gpu="stop",
    params:
        settings=lambda wildcards: settings_of(BUNDLES[wildcards.bundle]).canonical(),
        split=whole_sample,
        calibration=as_text(RUN.redshift_pdfs.calibration().canonical()),
    message:
        "Training the model of {wildcards.bundle} on all objects"
    script:
        "../scripts/refit_model.py"


rule build_bundle:
    input:
        unpack(bundled),
    output:
        folder=directory("results/bundles/{bundle}"),
        archive="results/bundles/{bundle}.zip",
    resources:
        **needs(1000, 8, minutes=20),
    params:
        name="{bundle}",
        bundle=lambda wildcards: BUNDLES[wildcards.bundle].canonical(),
        recipe=lambda wildcards: SAMPLES[
            BUNDLES[wildcards.bundle].sample
        ].features.canonical(),
        tomographic_bins=RUN.redshift_pdfs.tomographic_bins,
    message:
        "Bundling {wildcards.bundle}"
    script:
        "../scripts/build_bundle.py"


rule estimate_partition:
    input:
        bundles=lambda wildcards: bundle_paths(wildcards.target),
        catalogue=partition_catalogue,
    output:
        estimates="results/{target}/estimates/{partition}.parquet",
        summary="results/{target}/partitions/{partition}.json",
        drawn="results/{target}/partitions/{partition}_drawn.parquet",
        sky="results/{target}/partitions/{partition}_sky.parquet",
    wildcard_constraints:
        target=one_of(set(TARGETS) - WITH_PDF_FILES),
    resources:
        **needs(1700, minutes=240),
    params:
        target=lambda wildcards: TARGETS[wildcards.target].question(),
        name="{target}",
        part=lambda wildcards: partition_of(wildcards)[1:],
        drawn=drawn_of_each,
        source_files=partition_files,
        source_digests=lambda wildcards: [
            digest_of(path) for path in partition_files(wildcards)
        ],
    message:
        "Estimating partition {wildcards.partition} of {wildcards.target}"
    script:
        "../scripts/estimate_partition.py"


# the same, with a qp file
use rule estimate_partition as estimate_pdfs with:
    output:
        estimates="results/{target}/estimates/{partition}.parquet",
        summary="results/{target}/partitions/{partition}.json",
        drawn="results/{target}/partitions/{partition}_drawn.parquet",
        sky="results/{target}/partitions/{partition}_sky.parquet",
        pdfs="results/{target}/estimates/{partition}.hdf5",
    wildcard_constraints:
        target=one_of(WITH_PDF_FILES),


rule gather_estimates:
    input:
        estimates=of_partitions("estimates/{partition}.parquet"),
        summaries=of_partitions("partitions/{partition}.json"),
        skies=of_partitions("partitions/{partition}_sky.parquet"),
        pdfs=pdf_files,
    output:
        partitions=reported("results/{target}/partitions.csv"),
        flow=reported("results/{target}/flow.csv"),
        sky="results/{target}/sky.parquet",
    resources:
        **needs(2000, minutes=60, minutes_per_mb=0.001),
    params:
        partitions=lambda wildcards: list(PARTITIONS[wildcards.target]),
        paths=lambda wildcards: [
            part.path for part in PARTITIONS[wildcards.target].values()
        ],
    message:
        "Gathering the partitions of {wildcards.target}"
    script:
        "../scripts/gather_estimates.py"


rule check_estimates:
    input:
        partitions="results/{target}/partitions.csv",
    output:
        complete="results/{target}/complete.txt",
    priority: -1
    localrule: True
    resources:
        **needs(500, minutes=10),
    message:
        "Checking that all partitions of {wildcards.target} are estimated"
    script:
        "../scripts/check_estimates.py"


rule plot_estimates:
    input:
        sky="results/{target}/sky.parquet",
        summaries=of_partitions("partitions/{partition}.json"),
        drawn=of_partitions("partitions/{partition}_drawn.parquet"),
    output:
        figures=drawn(figures.ESTIMATES, "target", ESTIMATED),
    resources:
        **needs(1000, 10, minutes=20),
    params:
        tasks=lambda wildcards: ESTIMATED[wildcards.target].tasks,
        most=lambda wildcards: TARGETS[wildcards.target].figure_rows,
        stack_bins=RUN.redshift_pdfs.stack_bins,
        bootstrap=as_text(RUN.bootstrap.canonical()),
        settings=FIGURES,
    message:
        "Drawing the estimates of {wildcards.target}"
    script:
        "../scripts/plot_estimates.py"


rule compare_target:
    input:
        bundles=lambda wildcards: bundle_paths(wildcards.target),
        summaries=of_partitions("partitions/{partition}.json"),
        drawn=of_partitions("partitions/{partition}_drawn.parquet"),
    output:
        shift=reported("results/{target}/shift.csv"),
    wildcard_constraints:
        target=asking(estimate_record("shift"), ESTIMATED),
    resources:
        **needs(1500, 10, minutes=30),
    params:
        most=lambda wildcards: TARGETS[wildcards.target].figure_rows,
        neighbours=RUN.redshift_pdfs.weight_neighbours,
    message:
        "Comparing {wildcards.target} with the training data of its models"
    script:
        "../scripts/compare_target.py"


rule estimate_priors:
    input:
        bundles=lambda wildcards: bundle_paths(wildcards.target),
        summaries=of_partitions("partitions/{partition}.json"),
        drawn=of_partitions("partitions/{partition}_drawn.parquet"),
    output:
        priors=reported("results/{target}/class_priors.csv"),
    wildcard_constraints:
        target=asking(estimate_record("class_priors"), ESTIMATED),
    resources:
        **needs(1000, 10, minutes=20),
    params:
        target=lambda wildcards: TARGETS[wildcards.target].question(),
        most=lambda wildcards: TARGETS[wildcards.target].figure_rows,
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Estimating the class fractions of {wildcards.target}"
    script:
        "../scripts/estimate_priors.py"


rule score_estimates:
    input:
        partitions="results/{target}/partitions.csv",
        priors=class_priors,
        estimates=of_partitions("estimates/{partition}.parquet"),
        truth="results/{target}/sky/truth.parquet",
    output:
        scores=reported("results/{target}/truth_scores.csv"),
    wildcard_constraints:
        target=asking(estimate_record("truth_scores"), ESTIMATED),
    resources:
        **needs(2500, minutes=60),
    params:
        classes=as_text(RUN.class_scores.canonical()),
        bootstrap=as_text(RUN.bootstrap.canonical()),
    message:
        "Scoring the estimates of {wildcards.target} against the truth of the simulation"
    script:
        "../scripts/score_estimates.py"


rule write_hats:
    input:
        estimates=of_partitions("estimates/{partition}.parquet"),
        complete="results/{target}/complete.txt",
    output:
        folder=directory("results/{target}/hats"),
    wildcard_constraints:
        target=one_of(those(TARGETS, lambda its: its.hats)),
    resources:
        **needs(3000, minutes=30, minutes_per_mb=0.005),
    params:
        title=lambda wildcards: TARGETS[wildcards.target].shown_title,
    message:
        "Writing the estimates of {wildcards.target} as a HATS catalogue"
    script:
        "../scripts/write_hats.py"
