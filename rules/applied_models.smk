# What the rules of estimate need: which model is applied to which rows.


WITH_PDF_FILES = those(TARGETS, lambda its: its.pdf == "quantiles_99")


def task_folder(bundle):
    """Folder of the results of a bundle's task and split."""
    return f"results/{bundle.sample}/{bundle.task}/{bundle.split}/{bundle.model}"


def bundled(wildcards):
    """Input function: the trained model, what it was trained on, and the calibration of its p(z)."""
    its = BUNDLES[wildcards.bundle]
    rows = f"results/{its.sample}"
    origins = {
        "features": f"{rows}/features/features.parquet",
        "catalogue": f"{rows}/catalogue/catalogue.parquet",
    }
    if its.refit:
        return origins | {"refit": f"results/refits/{wildcards.bundle}"}
    folder = task_folder(its)
    origins["model"] = f"{folder}/{its.seed}"
    origins["development"] = f"{rows}/split/{its.split}/{its.seed}/development.parquet"
    if its.task == "regress":
        origins["calibration"] = f"{folder}/calibration/{its.seed}.json"
        origins["reference"] = f"{folder}/calibration/{its.seed}.parquet"
    return origins


def settings_of(bundle):
    """Settings of the model of a bundle."""
    known = RUN.classifiers if bundle.task == "classify" else RUN.regressors
    return known[bundle.model]


def whole_sample(wildcards):
    """Parameter function: what a model that is trained on all objects holds back."""
    its = BUNDLES[wildcards.bundle]
    return WholeSample.after(SAMPLES[its.sample].splits[its.split]).canonical()


def bundle_paths(target):
    """Folders of the bundles that are applied to a target, or ZIP files if they are the user's."""
    ours = {f"results/bundles/{name}" for name in BUNDLES}
    return [path if path in ours else unmoved(path) for path in APPLIED[target]]


def partition_of(wildcards):
    return PARTITIONS[wildcards.target][wildcards.partition]


def partition_catalogue(wildcards):
    """Input function: the downloaded catalogue, or file, of a target; nothing for files of the user."""
    kind = TARGETS[wildcards.target].source.kind
    return [] if kind == "file" else [partition_of(wildcards).path]


def partition_files(wildcards):
    """Parameter function: the file of the user that a partition is read from."""
    kind = TARGETS[wildcards.target].source.kind
    return [partition_of(wildcards).path] if kind == "file" else []


def drawn_of_each(wildcards):
    """Parameter function: how many objects of a partition are drawn for the figures.

    Not by the number of files in a folder: a further one shall not run the others again.
    """
    target = TARGETS[wildcards.target]
    rows = (
        1000
        if target.source.kind == "file" and os.path.isdir(target.source.path)
        else target.figure_rows
    )
    return -(-rows // target.partitions)


def of_partitions(path):
    """Input function: a file of each partition of a target, in their order."""
    return lambda wildcards: [
        f"results/{wildcards.target}/{path.format(partition=name)}"
        for name in PARTITIONS[wildcards.target]
    ]


def pdf_files(wildcards):
    """Input function: the files of qp of a target; nothing without them.

    Of a job with an output that it does not know Snakemake compares no parameter: who needs its
    other outputs asks for this one too.
    """
    asked = wildcards.target in WITH_PDF_FILES
    return of_partitions("estimates/{partition}.hdf5")(wildcards) if asked else []


def class_priors(wildcards):
    """Input function: the estimated mix of classes of a target; nothing without a classifier."""
    classifies = "classify" in ESTIMATED[wildcards.target].tasks
    return [f"results/{wildcards.target}/class_priors.csv"] if classifies else []


def estimate_record(name):
    """Record of what the report shows of targets."""
    return next(shown for shown in figures.ESTIMATES if shown.label == name)
