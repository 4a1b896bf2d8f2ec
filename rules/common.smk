# Shared by the rules of all stages: the validated configuration, helpers, wildcard constraints.
# Parsed again by each cluster job, so nothing heavy is imported here.
import functools
import gc
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# imported modules stay and the graph of jobs only grows: garbage collection of both takes an eighth
# of a dry run
gc.freeze()
gc.set_threshold(100_000, 50, 50)

# the folder of our Snakefile, also in a module
PROJECT = os.path.dirname(str(workflow.current_basedir))
SCRIPTS = os.path.join(PROJECT, "scripts")
if SCRIPTS not in sys.path:
    sys.path.insert(0, SCRIPTS)

from sdssflow import code_digests, failures, terminal
from sdssflow.running import runs
from sdssflow.configuration import loading, renames
from sdssflow.configuration.applying import estimated, load_applications
from sdssflow.configuration.cuts import Cuts
from sdssflow.configuration.reading import Document
from sdssflow.configuration.splits import WholeSample
from sdssflow.estimate.partitions import partitions
from sdssflow.files import write_text
from sdssflow.outputs import outputs
from sdssflow.project import shipped
from sdssflow.provenance import lineage, records
from sdssflow.provenance.lineage import LineageError
from sdssflow.report import figures, model_figures
from sdssflow.report.figures import contents


def configuration_layers():
    """The files and arguments that Snakemake merges, read here to refuse keys that are given twice.
    A module gets its configuration from outside."""
    if {"{", "}"} & {*PROJECT}:
        raise loading.ConfigurationError(
            f"{PROJECT}: Snakemake runs no script from a folder with a brace in its name; "
            "rename it"
        )
    if workflow.is_main_process:
        loading.check_options(sys.argv)
    if workflow.modifier.skip_configfile:
        return [Document("the module's config", dict(config))]
    given = workflow.config_settings
    default = (
        [] if given.replace_workflow_config else [loading.configured(loading.DEFAULT)]
    )
    paths = [*default, *given.configfiles]
    return loading.read_layers(paths, given.config_args)


def module_prefix():
    """The prefix of a module, which Snakemake puts before the paths of results and logs; or ''."""
    moves = outermost = workflow.modifier.path_modifier
    while moves:
        if moves._prefix_replacements:
            raise loading.ConfigurationError(
                "module: sdssflow takes no replace_prefix, because its jobs, records and report find "
                "results by their paths; give the module a prefix instead"
            )
        moves = moves.inner_modifier
    return outermost.replace_prefix("results").removesuffix("results")


renames.logger.disabled = not workflow.is_main_process
try:
    PREFIX = module_prefix()
    LAYERS = configuration_layers()
    RUN = loading.load_layers(LAYERS)
    SAMPLES = loading.load_samples(RUN, LAYERS)
    applications = load_applications(RUN, SAMPLES, LAYERS)
    BUNDLES, TARGETS, APPLIED, LEFT_OUT = applications
    ESTIMATED = estimated(applications)
except loading.ConfigurationError as error:
    failures.refuse(error, failures.MISTAKEN)


def unmoved(path):
    """Path of a file that is not a result: absolute if there is a prefix, which Snakemake puts
    before relative paths."""
    return os.path.abspath(path) if PREFIX and path is not None else path


def as_text(value):
    """Parameter or resource without wildcards: in plain texts Snakemake takes {word} for one."""
    return lambda wildcards: value


def definitions(things):
    """Canonical JSON of configuration models by their names."""
    read = {name: json.loads(thing.canonical()) for name, thing in things.items()}
    return json.dumps(read, sort_keys=True)


def those(things, condition):
    """Names of the items that meet a condition."""
    return {name for name, thing in things.items() if condition(thing)}


# everything with rows; samples and targets are acquired in the same way
SOURCES = {**SAMPLES, **TARGETS}
DOWNLOADED = those(SOURCES, lambda its: its.source.kind in ("skyserver", "tap"))
FETCHED = those(SOURCES, lambda its: its.source.kind == "url")
BULK = those(SOURCES, lambda its: its.source.kind == "bulk")
SIMULATED = {name for name in DOWNLOADED if SOURCES[name].source.simulated}
PHOTOMETRIC = those(
    SOURCES, lambda its: getattr(its.source, "rows", "") == "photometry"
)
ODD = {name for name in SIMULATED if SOURCES[name].source.simulated.oddities}
try:
    PARTITIONS = {name: partitions(name, its) for name, its in TARGETS.items()}
except OSError as error:
    failures.refuse(error)
# how archives are queried, with folders as seen by the jobs
NETWORK = RUN.downloads.model_copy(
    update={name: unmoved(getattr(RUN.downloads, name)) for name in ("store", "mirror")}
)
# each split of each sample and task
PARTS = [
    (name, task, split)
    for name, sample in SAMPLES.items()
    for task in sample.tasks
    for split in sample.splits
]
CODE = code_digests.Memory(".snakemake/sdssflow_modules.json", once=True)
FIGURE = RUN.figures.format
FIGURES = as_text(RUN.figures.canonical())
TORCH_REGRESSORS = those(RUN.regressors, lambda its: its.needs_torch)
PDF_REGRESSORS = those(RUN.regressors, lambda its: its.gives_pdf)
SEARCHING_REGRESSORS = those(RUN.regressors, lambda its: getattr(its, "search", None))
EXPLAINED = set(RUN.importance.models)
EXPLAINED_PDFS = EXPLAINED & PDF_REGRESSORS
MODELS = {"classify": RUN.classifiers, "regress": RUN.regressors}
PDF_SAMPLES = those(SAMPLES, lambda sample: model_figures.pdf_models(RUN, sample))
LEARNING_SAMPLES = those(SAMPLES, lambda sample: model_figures.learning(RUN, sample))
STANDIN = code_digests.program_digest("skyserver_standin.server", SCRIPTS, CODE)


def section(name):
    """Parameter function: a section of the sample's definition as canonical JSON."""
    return lambda wildcards: getattr(SAMPLES[wildcards.sample], name).canonical()


def clustering(wildcards):
    """Parameter function: settings of clustering and embeddings, without those of figures."""
    return SAMPLES[wildcards.sample].explore.clustering().canonical()


def needs(mb, per_mb=0, minutes=10, minutes_per_mb=0, paths=None):
    """Resources: memory and run time by MB of input, increased with each retry.

    The numbers were measured by `benchmarks/measure_demands.py`. `paths` gives the files of a
    sample that are not inputs of the rule.
    """

    def growing(base, per_mb):
        def demand(wildcards, input, attempt):
            files = paths(wildcards.sample) if paths else ()
            size_mb = input.size_mb + sum(map(lineage.bytes_of, files)) / 1e6
            return attempt * round(base + per_mb * size_mb)

        return demand if per_mb else lambda wildcards, attempt: attempt * base

    runtime = growing(minutes, minutes_per_mb)
    return {"mem_mb": growing(mb, per_mb), "runtime": runtime}


def one_of(names):
    """Wildcard constraint that matches only these names."""
    return "|".join(sorted(names)) or "(?!)"


def models_of(sample, task="regress", among=None):
    """Names of the models that a sample trains for a task, optionally only those in `among`."""
    names = model_figures.models(RUN, SAMPLES[sample], task)
    return [name for name in names if among is None or name in among]


def learning_models(wildcards):
    """Parameter function: settings of the models with learning curves, as JSON by task and name."""
    named = model_figures.learning(RUN, SAMPLES[wildcards.sample])
    found = {
        task: json.loads(definitions({name: MODELS[task][name] for name in names}))
        for task, names in named.items()
    }
    return json.dumps(found)


def source_paths(sample):
    """Paths of the files with the rows of a sample or target; none if it is downloaded."""
    source = SOURCES[sample].source
    if source.kind == "embedded":
        path = Path(PROJECT, f"data/embedded/{source.table}.parquet")
        return [os.path.relpath(path)]
    if source.kind == "bulk":
        return list(source.paths)
    if source.kind != "file":
        return []
    if sample in TARGETS and os.path.isdir(source.path):
        return list({part.path: None for part in PARTITIONS[sample].values()})
    return [source.path]


def source_files(wildcards):
    """Parameter function: these files. They are no inputs, because Snakemake would compare their
    time stamps, which may be older than the results or in the future."""
    return source_paths(wildcards.sample)


@functools.cache
def digest_of(path):
    return lineage.content_of(path).sha256


def source_digests(wildcards):
    """Parameter function: their SHA-256; a file is read again if it has changed."""
    return [digest_of(path) for path in source_paths(wildcards.sample)]


def sky_tables(wildcards):
    """Input function: the simulated sky that the stand-in serves; nothing for a real archive."""
    name = wildcards.sample
    spectra = ["specobj"] if name not in PHOTOMETRIC else []
    tables = [*spectra, "photoobj", "wise"] if name in SIMULATED else []
    return [f"results/{name}/sky/{table}.parquet" for table in tables]


def files_in(folder, pattern="*"):
    """Paths of data files of the project, which are not part of code digests."""
    found = sorted(map(os.path.relpath, Path(PROJECT, folder).glob(pattern)))
    return [unmoved(path) for path in found]


def configuration_files():
    """Paths of the files that configure this run."""
    samples = {f"{RUN.sample_folder}/{name}.yaml" for name in SAMPLES}
    targets = {f"{RUN.target_folder}/{name}.yaml" for name in TARGETS}
    paths = {*map(shipped, samples | targets), *workflow.configfiles}
    return sorted(map(os.path.relpath, paths))


def standin_digest(wildcards):
    """Parameter function: code digest of the stand-in; '' for a real archive."""
    return STANDIN if wildcards.sample in SIMULATED else ""


def chunk_paths(wildcards):
    """Input function: the chunks of a download, in order."""
    return [
        f"results/{wildcards.sample}/download/chunks/{chunk:04d}.parquet"
        for chunk in range(SOURCES[wildcards.sample].source.chunks)
    ]


def voters(wildcards):
    """Input function: folders of the classifiers that a vote averages; nothing for others."""
    folder = f"results/{wildcards.sample}/classify/{wildcards.split}"
    names = RUN.classifiers[wildcards.model].voters
    return [f"{folder}/{name}/{wildcards.seed}" for name in names]


def model_paths(path, sample, task, split, among=None):
    """A file of each of these models, and of each seed if `path` has {seed}; seeds vary fastest."""
    return expand(
        f"results/{sample}/{task}/{split}/{{model}}/{path}",
        model=models_of(sample, task, among),
        seed=RUN.seeds,
    )


def of_models(path, task="regress", among=None):
    """Input function: the same for the sample and split of the wildcards."""
    return lambda its: model_paths(path, its.sample, task, its.split, among)


def explained_samples(task):
    """Names of the samples with a model whose feature importance is measured."""
    return those(SAMPLES, lambda sample: model_figures.explained(RUN, sample, task))


def explanation(name, task):
    """Input function: a table of feature importance; nothing where it is not measured."""
    measured = explained_samples(task)
    path = f"results/{{}}/{task}/{{}}/{name}.csv"
    return lambda its: (
        path.format(its.sample, its.split) if its.sample in measured else []
    )


def of_splits(path, sample, tasks=None):
    """A file of each task and split of a sample, and of each model if `path` has {model}; models
    vary fastest. Splits are in the order of their names."""
    return [
        f"results/{sample}/{task}/{split}/{file}"
        for task in (SAMPLES[sample].tasks if tasks is None else tasks)
        for split in sorted(SAMPLES[sample].splits)
        for file in dict.fromkeys(expand(path, model=models_of(sample, task)))
    ]


def each_seed(path):
    """Inputs: this file of every seed; other wildcards are kept."""
    return expand(path, seed=RUN.seeds, allow_missing=True)


def chosen_settings(wildcards):
    """Input function: the settings found by a search; nothing for a model without one."""
    folder = f"results/{wildcards.sample}/regress/{wildcards.split}/{wildcards.model}"
    searches = wildcards.model in SEARCHING_REGRESSORS
    return [f"{folder}/search/{wildcards.seed}.json"] if searches else []


def reported(path):
    """Output that Snakemake's report shows too, with the title and caption of ours."""
    section, shown = figures.shown_at(path)
    of = next((name for name in ("sample", "target") if f"{{{name}" in path), "")
    return report(
        path,
        category=f"{{{of}}}" if of else section,
        subcategory=section if of else None,
        caption=caption_file(shown),
        labels={"what": shown.title}
        | ({"split": "{split}"} if "{split}" in path else {}),
    )


def caption_file(shown):
    """Path of a caption, which Snakemake reads from a file; written if it has changed."""
    path = Path(
        ".snakemake/sdssflow_captions", re.sub(r"\W+", "_", shown.path)
    ).absolute()
    text = f"{shown.caption}\n\n{shown.columns}\n"
    known = path.exists() and path.read_text() == text
    # not before the first run, so that a dry run or the doctor writes nothing
    if workflow.is_main_process and os.path.isdir(".snakemake") and not known:
        write_text(path, text)
    return str(path)


def asking(shown, things):
    """Wildcard constraint: the samples or targets that have a figure or table."""
    return one_of(those(things, lambda its: shown.asked(RUN, its)))


def drawn(records, of="sample", things=SAMPLES):
    """Outputs: the figures among these records, each of the samples or targets that have it."""
    return [
        reported(f"results/{{{of},{asking(shown, things)}}}/{shown.path}.{FIGURE}")
        for shown in figures.figures(records)
    ]


def further(paths):
    """Outputs: these figures in the further formats."""
    ending = f".{FIGURE}"
    return [
        path.removesuffix(ending) + f".{other}"
        for path in map(str, paths)
        if path.endswith(ending)
        for other in RUN.figures.also
    ]


wildcard_constraints:
    sample=one_of(SAMPLES),
    split=one_of({name for sample in SAMPLES.values() for name in sample.splits}),
    seed=one_of(map(str, RUN.seeds)),
    model=one_of({*RUN.classifiers, *RUN.regressors}),
    chunk="[0-9]{4}",
    bundle=one_of(BUNDLES),
    target=one_of(TARGETS),
    partition="[A-Za-z0-9_]+",
