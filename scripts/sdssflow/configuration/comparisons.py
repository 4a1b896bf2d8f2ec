"""Which published numbers a run is compared with, and why it is not compared with the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdssflow.configuration.loading import (
    DEFAULT,
    ConfigurationError,
    load_layers,
    load_sample,
    load_section,
    read_layers,
)
from sdssflow.configuration.published import PublishedNumber
from sdssflow.configuration.reading import read_document
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.project import PROJECT, shipped

FOLDER = "config/published"
SAMPLES = "config/samples"
DEFINITIONS = "config/locked/definitions.yaml"
DEFINING = {"source", "cuts", "features", "splits"}
PLACES = {"path", "url", "mirrors", "largest_mb"}
MODELS = {"classify": "classifiers", "regress": "regressors"}
REASONS = {
    "skyserver": "needs a download from SDSS",
    "url": "needs a download of a public file",
    "file": "its rows do not come with the project",
}
CONFIGURATIONS = (
    "config/published_public.yaml",
    "config/published.yaml",
    "config/published_development.yaml",
)


def load_published(folder: str | Path = FOLDER) -> dict[str, PublishedNumber]:
    """Read all published numbers of a folder, by file name without extension.

    Files in the working directory override those of the project.
    ConfigurationError if there is none or a file is invalid.
    """
    places = (PROJECT / folder, Path(folder))
    files = {path.name: path for place in places for path in place.glob("*.[yY]*")}
    if not files:
        raise ConfigurationError(f"{folder}: no published number, that is, no file NAME.yaml")
    for path in files.values():
        if path.suffix != ".yaml":
            raise ConfigurationError(f"{path} has to end in .yaml: rename it to {path.stem}.yaml")
    return {path.stem: load_section(PublishedNumber, path) for _, path in sorted(files.items())}


def score_tables(
    numbers: Mapping[str, PublishedNumber], samples: Mapping[str, Sample]
) -> list[tuple[str, str, str]]:
    """List sample, task and split of the run's score tables that are compared with numbers."""
    wanted = {
        (each.sample, number.task, each.split)
        for number in numbers.values()
        for each in number.comparisons
    }
    return sorted(
        (name, task, split)
        for name, task, split in wanted
        if name in samples and task in samples[name].tasks and split in samples[name].splits
    )


def predicting_models(
    numbers: Mapping[str, PublishedNumber], models: Mapping[tuple[str, str], Sequence[str]]
) -> list[tuple[str, str, str]]:
    """List sample, split and model of the predictions that curves and selections need.

    `models` has the regressors that the run trains, by sample and split.
    """
    wanted = {
        each.place
        for number in numbers.values()
        for each in number.comparisons
        if number.curve or each.selection
    }
    return sorted(place for place in wanted if place[2] in models.get(place[:2], ()))


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sample_digest(path: Path) -> str:
    """Return a digest of what defines rows, features and splits of a sample."""
    content = load_sample(path).model_dump(mode="json", include=DEFINING)
    if content["source"].get("sha256"):  # identifies the file, wherever it is
        content["source"] = {k: v for k, v in content["source"].items() if k not in PLACES}
    return _digest(content)


def definitions() -> dict[str, Any]:
    """Return digests of the samples and models that the project's entries are compared with.

    `samples` has one digest per name; `models` has, per ``TASK/NAME``, one digest for each set of
    parameters that a configuration of the project gives the model.
    """
    layers = [[], *([PROJECT / path] for path in CONFIGURATIONS)]
    runs = [load_layers(read_layers([PROJECT / DEFAULT, *paths])) for paths in layers]
    compared = {
        (number.task, each.sample, each.model)
        for number in load_published(PROJECT / FOLDER).values()
        for each in number.comparisons
    }
    samples = {name: PROJECT / SAMPLES / f"{name}.yaml" for _, name, _ in compared}
    models: dict[str, set[str]] = {}
    for task, _, name in compared:
        found = [getattr(run, MODELS[task]).get(name) for run in runs]
        models[f"{task}/{name}"] = {_digest(each.model_dump(mode="json")) for each in found if each}
    return {
        "samples": {name: _sample_digest(path) for name, path in samples.items()},
        "models": {name: sorted(digests) for name, digests in models.items()},
    }


def reasons_not_run(
    numbers: Mapping[str, PublishedNumber],
    run: RunConfiguration,
    configurations: Sequence[str | Path] = CONFIGURATIONS,
) -> dict[str, str]:
    """Return why a sample that entries name is not compared in this run, and what to do.

    A sample of the run whose rows, features or splits differ from the project's definition of the
    same name is not compared either, because entries state what they compare with. A model with
    other parameters than the project's is compared; the difference is noted under its task and
    name, ``regress/forest``. `configurations` are the project's files that run such samples.

    ConfigurationError if an entry names a sample that is not defined.
    """
    elsewhere = {
        name: file
        for file in reversed(configurations)
        for name in read_document(shipped(file)).content["samples"]
    }
    wanted = {each.sample: name for name, number in numbers.items() for each in number.comparisons}
    reasons, known = {}, read_document(PROJECT / DEFINITIONS).content
    for sample in sorted(wanted.keys() & set(run.samples)):
        own = shipped(Path(run.sample_folder) / f"{sample}.yaml")
        ours = known["samples"].get(sample)
        if ours and own.is_file() and _sample_digest(own) != ours:
            reasons[sample] = (
                f"{own} defines other rows, features or splits than the project does; "
                "give your sample another name"
            )
    for place, digests in known["models"].items():
        task, _, name = place.partition("/")
        settings = getattr(run, MODELS[task]).get(name)
        if settings and _digest(settings.model_dump(mode="json")) not in digests:
            reasons[place] = f"this run sets other parameters of {name!r} than the project"
    for sample in sorted(wanted.keys() - set(run.samples)):
        paths = [shipped(Path(it) / f"{sample}.yaml") for it in (run.sample_folder, SAMPLES)]
        try:
            path = next((path for path in paths if path.is_file()), paths[-1])
            kind = load_sample(path).source.kind
        except ConfigurationError as error:
            raise ConfigurationError(f"{FOLDER}/{wanted[sample]}.yaml: {error}") from None
        reasons[sample] = REASONS.get(kind, "not in this configuration")
        if sample in elsewhere:
            reasons[sample] += f": snakemake published --configfile {elsewhere[sample]}"
    return reasons
