# Helpers of the rules of estimate: which model is applied to which rows.


OWN_BUNDLES = {f"results/bundles/{name}" for name in BUNDLES}
WITH_PDF_FILES = those(TARGETS, lambda its: its.pdf == "quantiles_99")


def task_folder(bundle):
    """Folder of the results of a bundle's model."""
    return f"results/{bundle.sample}/{bundle.task}/{bundle.split}/{bundle.model}"


def bundled(wildcards):
    """Input function: the trained model, its training data, and the calibration of its p(z)."""
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
    return MODELS[bundle.task][bundle.model]


def whole_sample(wildcards):
    """Parameter function: the split for training on all objects."""
    its = BUNDLES[wildcards.bundle]
    return WholeSample.after(SAMPLES[its.sample].splits[its.split]).canonical()


def bundle_paths(target):
    """Folders or ZIP files of the bundles that are applied to a target."""
    return [path if path in OWN_BUNDLES else unmoved(path) for path in APPLIED[target]]


def partition_of(wildcards):
    return PARTITIONS[wildcards.target][wildcards.partition]


def partition_catalogue(wildcards):
    """Input function: the downloaded catalogue or file of a target; nothing for the user's files."""
    kind = TARGETS[wildcards.target].source.kind
    return [] if kind == "file" else [partition_of(wildcards).path]


def partition_files(wildcards):
    """Parameter function: the user's file with the rows of a partition."""
    kind = TARGETS[wildcards.target].source.kind
    return [partition_of(wildcards).path] if kind == "file" else []


def drawn_of_each(wildcards):
    """Parameter function: how many objects of a partition are drawn for the figures.

    For a folder it does not depend on the number of files, so that a new one reruns no other.
    """
    target = TARGETS[wildcards.target]
    rows = (
        1000
        if target.source.kind == "file" and os.path.isdir(target.source.path)
        else target.figure_rows
    )
    return -(-rows // target.partitions)


def of_partitions(path):
    """Input function: a file of each partition of a target, in order."""
    return lambda wildcards: [
        f"results/{wildcards.target}/{path.format(partition=name)}"
        for name in PARTITIONS[wildcards.target]
    ]


def pdf_files(wildcards):
    """Input function: the qp files of a target; nothing without them.

    They are requested with the other outputs, because Snakemake compares no parameters of a job
    with an output that it has no metadata of.
    """
    exist = wildcards.target in WITH_PDF_FILES
    return of_partitions("estimates/{partition}.hdf5")(wildcards) if exist else []


def class_priors(wildcards):
    """Input function: the estimated class fractions of a target; nothing without a classifier."""
    classifies = "classify" in ESTIMATED[wildcards.target].tasks
    return [f"results/{wildcards.target}/class_priors.csv"] if classifies else []


def estimate_record(name):
    """Record of a figure or table of targets in the report, by its label."""
    return next(shown for shown in figures.ESTIMATES if shown.label == name)
