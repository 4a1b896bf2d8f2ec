# What the rules of all stages need: the validated configuration, helpers, wildcards.
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

# what is imported stays and the graph of jobs only grows: looking through both for garbage takes an
# eighth of a dry run
gc.freeze()
gc.set_threshold(100_000, 50, 50)

# the folder of our Snakefile, of a module too
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
    """What Snakemake lays over each other, read before it does: of a key that stands twice it keeps
    the last. To a module it is given."""
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
    """What Snakemake puts before the paths of results and logs of a module; '' without a prefix."""
    moves = outermost = workflow.modifier.path_modifier
    while moves:
        if moves._prefix_replacements:
            raise loading.ConfigurationError(
                "module: sdssflow takes no replace_prefix, as its jobs, records and report find results "
                "by their paths; give the module a prefix in its place"
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
    """Path of a file that is no result: Snakemake puts the prefix of a module before all that is
    relative, and jobs run below it."""
    return os.path.abspath(path) if PREFIX and path is not None else path


def as_text(value):
    """Parameter or resource that is taken as it stands: in a plain text or list of texts Snakemake
    takes {word} for a wildcard."""
    return lambda wildcards: value


def definitions(things):
    """Canonical JSON of configuration models by their names."""
    read = {name: json.loads(thing.canonical()) for name, thing in things.items()}
    return json.dumps(read, sort_keys=True)


def those(things, condition):
    """Names of those that meet a condition."""
    return {name for name, thing in things.items() if condition(thing)}


# what has rows: they are acquired alike
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
# how archives are asked, with folders as the jobs find them
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
MODELS = {"classify": RUN.classifiers, "regress": RUN.regressors}
PDF_SAMPLES = those(SAMPLES, lambda sample: model_figures.pdf_models(RUN, sample))
LEARNING_SAMPLES = those(SAMPLES, lambda sample: model_figures.learning(RUN, sample))
STANDIN = code_digests.program_digest("skyserver_standin.server", SCRIPTS, CODE)


def section(name):
    """Parameter function: a section of the sample's definition as canonical JSON."""
    return lambda wildcards: getattr(SAMPLES[wildcards.sample], name).canonical()


def clustering(wildcards):
    """Parameter function: what finds and projects groups; the sample's figures don't matter to it."""
    return SAMPLES[wildcards.sample].explore.clustering().canonical()


def needs(mb, per_mb=0, minutes=10, minutes_per_mb=0, paths=None):
    """Resources: memory and run time, both by MB of input, and more with each retry.

    `benchmarks/measure_demands.py` has what jobs took. `paths` gives what a sample is read from
    where that is no input.
    """

    def growing(base, per_mb):
        def demand(wildcards, input, attempt):
            others = map(os.path.getsize, paths(wildcards.sample) if paths else ())
            return attempt * round(base + per_mb * (input.size_mb + sum(others) / 1e6))

        return demand if per_mb else lambda wildcards, attempt: attempt * base

    runtime = growing(minutes, minutes_per_mb)
    return {"mem_mb": growing(mb, per_mb), "runtime": runtime}


def one_of(names):
    """Wildcard constraint that matches these names and no others."""
    return "|".join(sorted(names)) or "(?!)"


def models_of(sample, task="regress", among=None):
    """Names of the models that a sample trains for a task, of all or among these."""
    names = model_figures.models(RUN, SAMPLES[sample], task)
    return [name for name in names if among is None or name in among]


def learning_models(wildcards):
    """Parameter function: settings of the models with learning curves, as JSON by task and name."""
    asked = model_figures.learning(RUN, SAMPLES[wildcards.sample])
    found = {
        task: json.loads(definitions({name: MODELS[task][name] for name in names}))
        for task, names in asked.items()
    }
    return json.dumps(found)


def source_paths(sample):
    """Paths of the files that hold the rows of a sample; none for one that is downloaded."""
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
    """Parameter function: these files. Not an input, of which the time stamp would count: it may be
    older than the results, or lie in the future."""
    return source_paths(wildcards.sample)


@functools.cache
def digest_of(path):
    return lineage.content_of(path).sha256


def source_digests(wildcards):
    """Parameter function: what they hold, as SHA-256; a file is read again once it has changed."""
    return [digest_of(path) for path in source_paths(wildcards.sample)]


def sky_tables(wildcards):
    """Input function: the simulated sky that a stand-in serves; nothing for a real archive."""
    name = wildcards.sample
    spectra = ["specobj"] if name not in PHOTOMETRIC else []
    tables = [*spectra, "photoobj", "wise"] if name in SIMULATED else []
    return [f"results/{name}/sky/{table}.parquet" for table in tables]


def files_in(folder, pattern="*"):
    """Paths of files that are data to Python, so no code digest sees them."""
    found = sorted(map(os.path.relpath, Path(PROJECT, folder).glob(pattern)))
    return [unmoved(path) for path in found]


def configuration_files():
    """Paths of the files that configure this run."""
    samples = {f"{RUN.sample_folder}/{name}.yaml" for name in SAMPLES}
    targets = {f"{RUN.target_folder}/{name}.yaml" for name in TARGETS}
    paths = {*map(shipped, samples | targets), *workflow.configfiles}
    return sorted(map(os.path.relpath, paths))


def standin_digest(wildcards):
    """Digest of the stand-in, which runs as a process of its own; '' for a real archive."""
    return STANDIN if wildcards.sample in SIMULATED else ""


def chunk_paths(wildcards):
    """Input function: the chunks of a download, in order."""
    return [
        f"results/{wildcards.sample}/download/chunks/{chunk:04d}.parquet"
        for chunk in range(SOURCES[wildcards.sample].source.chunks)
    ]


def voters(wildcards):
    """Input function: folders of the classifiers that a vote averages; nothing for the others."""
    folder = f"results/{wildcards.sample}/classify/{wildcards.split}"
    names = RUN.classifiers[wildcards.model].voters
    return [f"{folder}/{name}/{wildcards.seed}" for name in names]


def model_paths(path, sample, task, split, among=None):
    """A file of each of these models, and of each seed if `path` names it; seeds run fastest."""
    return expand(
        f"results/{sample}/{task}/{split}/{{model}}/{path}",
        model=models_of(sample, task, among),
        seed=RUN.seeds,
    )


def of_models(path, task="regress", among=None):
    """Input function: the same, of the sample and split of the wildcards."""
    return lambda its: model_paths(path, its.sample, task, its.split, among)


def explained_samples(task):
    """Names of the samples with a model whose use of features is measured."""
    return those(SAMPLES, lambda sample: model_figures.explained(RUN, sample, task))


def explanation(name, task):
    """Input function: a table of what models use; nothing where no model of a sample is explained."""
    asked = explained_samples(task)
    path = f"results/{{}}/{task}/{{}}/{name}.csv"
    return lambda its: path.format(its.sample, its.split) if its.sample in asked else []


def of_splits(path, sample, tasks=None):
    """Paths of a file of each task and split of a sample, and of each model if `path` names it;
    models run fastest. Splits come in the order of their names."""
    return [
        f"results/{sample}/{task}/{split}/{file}"
        for task in (SAMPLES[sample].tasks if tasks is None else tasks)
        for split in sorted(SAMPLES[sample].splits)
        for file in dict.fromkeys(expand(path, model=models_of(sample, task)))
    ]


def each_seed(path):
    """Inputs: this file of every seed; the other wildcards stay."""
    return expand(path, seed=RUN.seeds, allow_missing=True)


def chosen_settings(wildcards):
    """Input function: the settings that a search has found; nothing for a model without one."""
    folder = f"results/{wildcards.sample}/regress/{wildcards.split}/{wildcards.model}"
    searches = wildcards.model in SEARCHING_REGRESSORS
    return [f"{folder}/search/{wildcards.seed}.json"] if searches else []


def reported(path):
    """Output that Snakemake's report shows too, with the title and caption that ours has."""
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
    """Path of a caption, written again if it changed: Snakemake takes captions from files alone."""
    path = Path(
        ".snakemake/sdssflow_captions", re.sub(r"\W+", "_", shown.path)
    ).absolute()
    text = f"{shown.caption}\n\n{shown.columns}\n"
    known = path.exists() and path.read_text() == text
    # where nothing has run there is nothing to report, and asking alone leaves nothing behind
    if workflow.is_main_process and os.path.isdir(".snakemake") and not known:
        write_text(path, text)
    return str(path)


def asking(shown, things):
    """Wildcard constraint: those of these samples or targets that ask for a figure or table."""
    return one_of(those(things, lambda its: shown.asked(RUN, its)))


def drawn(records, of="sample", things=SAMPLES):
    """Outputs: the figures among these records, each of the samples or targets that ask for it."""
    return [
        reported(f"results/{{{of},{asking(shown, things)}}}/{shown.path}.{FIGURE}")
        for shown in figures.figures(records)
    ]


def further(paths):
    """Outputs: the figures among these in the further formats."""
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
