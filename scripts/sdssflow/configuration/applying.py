"""Which trained models a run puts into bundles, and which targets they are applied to.

Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from sdssflow.configuration.loading import configured, defined_in, load_section, nearest, origin
from sdssflow.configuration.reading import ConfigurationError, Document
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.sources import check_needed
from sdssflow.configuration.targets import AppliedModel, BundledModel, Target, read_manifest

BUNDLES = "results/bundles"  # of the run
SAMPLES = Path(RunConfiguration.model_fields["sample_folder"].default)


class Applications(NamedTuple):
    """What a run applies.

    Bundles, with task and seed, and targets by name; by target the folders of the bundles that are
    applied to it; and a line each of what is left out, and why.
    """

    bundles: dict[str, BundledModel]
    targets: dict[str, Target]
    models: dict[str, list[str]]
    left_out: list[str]


class Estimated(NamedTuple):
    """A target, the folders of the bundles that are applied to it, and the task of each."""

    target: Target
    models: list[str]
    tasks: list[str]


def load_applications(
    run: RunConfiguration, samples: Mapping[str, Sample], documents: Sequence[Document] = ()
) -> Applications:
    """Read the targets of a run and settle which models it bundles.

    Bundles and targets whose models are of a sample that is defined, in the run's folder or the
    project's, but not among those of this run, are left out: whoever runs other samples need not
    take them out.

    ConfigurationError if a definition is missing or not valid, or names what the run does not have.
    """
    found = Applications({}, {}, {}, [])

    def elsewhere(what: str, names: set[str | None]) -> bool:
        """Say whether samples are not of this run, and note what is left out for that."""
        missing = sorted(name for name in names if name is not None and name not in run.samples)
        if not {*missing} <= {*defined_in(Path(run.sample_folder)), *defined_in(SAMPLES)}:
            return False
        if missing:
            found.left_out.append(f"{what} is left out: {missing[0]} is not among samples")
        return bool(missing)

    for name, bundle in run.bundles.items():
        if not elsewhere(f"bundle {name}", {bundle.sample}):
            where = f"{origin(('bundles', name, 'sample'), documents)}: bundles.{name}"
            found.bundles[name] = _settled(bundle, run, samples, where)
    for number, name in enumerate(run.targets):
        path = configured(Path(run.target_folder) / f"{name}.yaml")
        where = origin(("targets", number), documents)
        if name in run.samples:
            raise ConfigurationError(f"{where}: targets: a sample is called {name}; rename one")
        if not path.is_file():
            known = defined_in(path.parent)
            raise ConfigurationError(
                f"{where}: targets: there is no file {path}{nearest(name, known)}; defined in "
                f"{path.parent}: {', '.join(known) or 'none'}"
            )
        target = load_section(Target, path)
        if not elsewhere(f"target {name}", {applied.sample for applied in target.models}):
            _check_columns(target, samples, path)
            found.targets[name] = target
            found.models[name] = [
                _folder(applied, found, run, samples, path) for applied in target.models
            ]
    return found


def estimated(found: Applications) -> dict[str, Estimated]:
    """Return the targets with what is applied to them, by name.

    Of a bundle on disk that is missing no task is known: the run stops because of that elsewhere.

    ConfigurationError if a file is no bundle, or a target has class priors and no classifier.
    """
    of_run = {f"{BUNDLES}/{name}": bundle.task for name, bundle in found.bundles.items()}
    given = {path for paths in found.models.values() for path in paths} - {*of_run}
    tasks = of_run | {path: read_manifest(path)["task"] for path in given if Path(path).exists()}
    its = {
        name: Estimated(
            target, found.models[name], [tasks[m] for m in found.models[name] if m in tasks]
        )
        for name, target in found.targets.items()
    }
    for name, one in its.items():
        if one.target.class_priors and "classify" not in one.tasks and one.tasks:
            raise ConfigurationError(
                f"target {name}: class_priors: none of its models gives class probabilities; add a "
                "classifier to models, or take class_priors out"
            )
    return its


def _check_columns(target: Target, samples: Mapping[str, Sample], path: Path) -> None:
    """Refuse a target without a column that its models need: they would be trained in vain."""
    needed = {
        f"models: {name}": [*chain(*samples[name].features.needs.values())]
        for name in samples
        if name in {applied.sample for applied in target.models}
    }
    try:
        check_needed(target.source, [], needed)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _folder(
    applied: AppliedModel,
    found: Applications,
    run: RunConfiguration,
    samples: Mapping[str, Sample],
    path: Path,
) -> str:
    """Return the folder of the bundle of a model; one that the run doesn't name is added."""
    if applied.bundle is not None:
        return applied.bundle
    wanted = BundledModel(**applied.model_dump(exclude={"bundle"}))
    settled = _settled(wanted, run, samples, f"{path}: models")
    identity = {"sample", "split", "model", "task", "seed"}
    for name, bundle in found.bundles.items():
        if bundle.model_dump(include=identity) == settled.model_dump(include=identity):
            return f"{BUNDLES}/{name}"
    name = f"{settled.sample}_{settled.split}_{settled.model}_{settled.seed}"
    if name in found.bundles:
        raise ConfigurationError(f"{path}: models: name the bundle of {name} in `bundles`")
    found.bundles[name] = settled
    return f"{BUNDLES}/{name}"


def _settled(
    bundle: BundledModel, run: RunConfiguration, samples: Mapping[str, Sample], where: str
) -> BundledModel:
    """Return the model with task and seed; refuse one that the run does not train."""
    _known("sample", bundle.sample, samples, where)
    sample = samples[bundle.sample]
    _known("split", bundle.split, sample.splits, where)
    trained = {
        "classify": run.classifiers if sample.classifiers is None else sample.classifiers,
        "regress": run.regressors if sample.regressors is None else sample.regressors,
    }
    tasks = [task for task in sample.tasks if bundle.task in (None, task)]
    having = [task for task in tasks if bundle.model in trained[task]]
    if not having:
        _known("model", bundle.model, [name for task in tasks for name in trained[task]], where)
    if len(having) > 1:
        raise ConfigurationError(
            f"{where}: {bundle.sample} has a classifier and a regressor {bundle.model!r}; add "
            "task: classify or task: regress"
        )
    task = having[0]
    if task == "regress" and not run.regressors[bundle.model].gives_pdf:
        giving = [name for name in trained[task] if run.regressors[name].gives_pdf]
        raise ConfigurationError(
            f"{where}: {bundle.model} gives no p(z), which estimates need; take one of "
            f"{', '.join(giving) or 'another kind'}"
        )
    if bundle.refit and task == "classify" and run.classifiers[bundle.model].voters:
        raise ConfigurationError(
            f"{where}: refit: a vote averages models that are trained by themselves; bundle one of "
            f"{', '.join(run.classifiers[bundle.model].voters)}, or leave refit out"
        )
    seed = run.seeds[0] if bundle.seed is None else bundle.seed
    _known("seed", seed, run.seeds, where)
    return bundle.model_copy(update={"task": task, "seed": seed})


def _known(key: str, word: object, known: Collection[object], where: str) -> None:
    if word not in known:
        raise ConfigurationError(
            f"{where}: {key}: the run has no {word!r} there{nearest(str(word), known)}; it has "
            f"{', '.join(map(str, known)) or 'none'}"
        )
