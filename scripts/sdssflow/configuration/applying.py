"""Which trained models a run bundles, and which targets they are applied to.

Snakemake imports this module each time it parses the workflow: it needs pydantic and nothing
heavier.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from sdssflow.configuration.loading import configured, defined_in, load_section, nearest, origin
from sdssflow.configuration.reading import ConfigurationError, Document
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.sources import check_needed
from sdssflow.configuration.targets import AppliedModel, BundledModel, Target, read_manifest

BUNDLES = "results/bundles"
SAMPLES = Path(RunConfiguration.model_fields["sample_folder"].default)


class Applications(NamedTuple):
    """Bundles (with task and seed) and targets of a run by name.

    `models` has the folders of the bundles applied to each target; `left_out` has one line for each
    bundle or target that is left out, with the reason.
    """

    bundles: dict[str, BundledModel]
    targets: dict[str, Target]
    models: dict[str, list[str]]
    left_out: list[str]


class Estimated(NamedTuple):
    """A target, the folders of the bundles applied to it, and their tasks."""

    target: Target
    models: list[str]
    tasks: list[str]


def load_applications(
    run: RunConfiguration, samples: Mapping[str, Sample], documents: Sequence[Document] = ()
) -> Applications:
    """Read the targets of a run and decide which models it bundles.

    Bundles and targets are left out if they need a sample that is defined, in the run's folder or
    the project's, but not part of this run: users who run other samples need not delete them.

    ConfigurationError if a definition is missing or invalid, or names what the run does not have.
    """
    found = Applications({}, {}, {}, [])

    def left_out(what: str, names: set[str | None]) -> bool:
        """Return whether `what` is left out because of its samples, and note it."""
        missing = sorted(name for name in names if name is not None and name not in run.samples)
        if not {*missing} <= {*defined_in(Path(run.sample_folder)), *defined_in(SAMPLES)}:
            return False
        if missing:
            found.left_out.append(f"{what} is left out: {missing[0]} is not among samples")
        return bool(missing)

    for name, bundle in run.bundles.items():
        if not left_out(f"bundle {name}", {bundle.sample}):
            where = f"{origin(('bundles', name, 'sample'), documents)}: bundles.{name}"
            found.bundles[name] = _resolved(bundle, run, samples, where)
    for number, name in enumerate(run.targets):
        path = configured(Path(run.target_folder) / f"{name}.yaml")
        where = origin(("targets", number), documents)
        if name in run.samples:
            raise ConfigurationError(f"{where}: targets: {name} is also a sample; rename one")
        if not path.is_file():
            known = defined_in(path.parent)
            raise ConfigurationError(
                f"{where}: targets: there is no file {path}{nearest(name, known)}; defined in "
                f"{path.parent}: {', '.join(known) or 'none'}"
            )
        target = load_section(Target, path)
        if not left_out(f"target {name}", {applied.sample for applied in target.models}):
            _check_columns(target, samples, path)
            found.targets[name] = target
            found.models[name] = [
                _folder(applied, found, run, samples, path) for applied in target.models
            ]
    return found


def estimated(found: Applications) -> dict[str, Estimated]:
    """Return each target with its bundles and their tasks.

    A missing bundle on disk has no task here; the main process refuses it before the first job.

    ConfigurationError if a file is not a bundle, or a target has two models of one task, or class
    priors and no classifier.
    """
    tasks: dict[str, Any] = {
        f"{BUNDLES}/{name}": bundle.task for name, bundle in found.bundles.items()
    }
    on_disk = {path for paths in found.models.values() for path in paths} - {*tasks}
    tasks |= {path: read_manifest(path)["task"] for path in on_disk if Path(path).exists()}
    result = {}
    for name, target in found.targets.items():
        known = [tasks[path] for path in found.models[name] if path in tasks]
        if len(known) > len(set(known)):
            raise ConfigurationError(
                f"target {name}: models: two models to {known[0]}; give a classifier, a regressor, "
                "or one of each"
            )
        if target.class_priors and known and "classify" not in known:
            raise ConfigurationError(
                f"target {name}: class_priors: none of its models gives class probabilities; add a "
                "classifier to models, or remove class_priors"
            )
        result[name] = Estimated(target, found.models[name], known)
    return result


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
    """Return the folder of a model's bundle; a bundle that the run doesn't name is added.

    Of two bundles of one model, the evaluated one is used, not the one trained on all objects.
    """
    if applied.bundle is not None:
        inside = os.path.relpath(*map(os.path.realpath, (applied.bundle, BUNDLES)))
        # one of this run's, however its path is written, depends on the jobs that make it
        return os.path.normpath(
            applied.bundle if inside.startswith(os.pardir) else f"{BUNDLES}/{inside}"
        )
    wanted = BundledModel(**applied.model_dump(exclude={"bundle"}))
    wanted = _resolved(wanted, run, samples, f"{path}: models")
    identity = {"sample", "split", "model", "task", "seed"}
    for name, bundle in sorted(found.bundles.items(), key=lambda item: item[1].refit):
        if bundle.model_dump(include=identity) == wanted.model_dump(include=identity):
            return f"{BUNDLES}/{name}"
    name = f"{wanted.sample}_{wanted.split}_{wanted.model}_{wanted.seed}"
    if name in found.bundles:
        raise ConfigurationError(
            f"{path}: models: another bundle is called {name}; name both in `bundles`"
        )
    found.bundles[name] = wanted
    return f"{BUNDLES}/{name}"


def _resolved(
    bundle: BundledModel, run: RunConfiguration, samples: Mapping[str, Sample], where: str
) -> BundledModel:
    """Return the bundle with task and seed; refuse a model that the run does not train."""
    _known("sample", bundle.sample, samples, where)
    sample = samples[bundle.sample]
    _known("split", bundle.split, sample.splits, where)
    trained = {
        "classify": run.classifiers if sample.classifiers is None else sample.classifiers,
        "regress": run.regressors if sample.regressors is None else sample.regressors,
    }
    tasks = [task for task in sample.tasks if bundle.task in (None, task)]
    _known("model", bundle.model, [name for task in tasks for name in trained[task]], where)
    task, *others = [task for task in tasks if bundle.model in trained[task]]
    if others:
        raise ConfigurationError(
            f"{where}: {bundle.sample} has a classifier and a regressor {bundle.model!r}; add "
            "task: classify or task: regress"
        )
    if task == "regress" and not run.regressors[bundle.model].gives_pdf:
        giving = [name for name in trained[task] if run.regressors[name].gives_pdf]
        raise ConfigurationError(
            f"{where}: {bundle.model} gives no p(z), which estimates need; choose "
            f"{', '.join(giving) or 'another kind'}"
        )
    if bundle.refit and task == "classify" and run.classifiers[bundle.model].voters:
        raise ConfigurationError(
            f"{where}: refit: a vote is not trained itself; bundle one of "
            f"{', '.join(run.classifiers[bundle.model].voters)}, or leave refit out"
        )
    seed = run.seeds[0] if bundle.seed is None else bundle.seed
    _known("seed", seed, run.seeds, where)
    return bundle.model_copy(update={"task": task, "seed": seed})


def _known(key: str, value: object, known: Collection[object], where: str) -> None:
    if value not in known:
        raise ConfigurationError(
            f"{where}: {key}: there is no {value!r}{nearest(str(value), known)}; the run has "
            f"{', '.join(map(str, known)) or 'none'}"
        )
