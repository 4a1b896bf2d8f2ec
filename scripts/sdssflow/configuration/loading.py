"""Read YAML into the models, with errors that say what to write instead."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sdssflow.configuration.explaining import LETTERS, explain, name_like, nearest, origin
from sdssflow.configuration.reading import (
    ConfigurationError,
    Document,
    overlaid,
    parse,
    read_document,
)
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample

DEFAULT = "config/config.yaml"


def read_layers(
    files: Iterable[str | Path], arguments: Sequence[str] | None = None
) -> list[Document]:
    """Read what the configuration of a run is made of; later ones are laid over earlier ones.

    Parameters
    ----------
    files : iterable of path-like
        YAML files.
    arguments : sequence of str, optional
        What follows ``--config``, each ``KEY=YAML``.

    Raises
    ------
    ConfigurationError
        As `read_document`, or if ``--config`` gives a key twice.
    """
    documents = [read_document(_shown(path)) for path in files]
    taken: set[str] = set()
    for argument in arguments or []:
        key, _, value = argument.partition("=")
        if key in taken:
            raise ConfigurationError(f"--config: {key} stands twice; keep one of them")
        taken.add(key)
        documents.append(parse(f"{key}: {value}", f"--config {key}")._replace(root=None))
    return documents


def load_layers(documents: Sequence[Document]) -> RunConfiguration:
    """Validate the configuration of a run, given by `read_layers`.

    Raises
    ------
    ConfigurationError
        With one line per mistake: file and line, the key, what is wrong, what to write instead.
    """
    return _validate(RunConfiguration, documents)


def load_run(config: Mapping[str, Any], origin: str = DEFAULT) -> RunConfiguration:
    """Validate the merged configuration of a run; errors as `load_layers`.

    Parameters
    ----------
    config : mapping
        What all configuration files say together.
    origin : str
        Name for messages.
    """
    return _validate(RunConfiguration, [Document(origin, dict(config))])


def load_samples(run: RunConfiguration, documents: Sequence[Document] = ()) -> dict[str, Sample]:
    """Read the definition of each sample that the run asks for.

    Parameters
    ----------
    run : RunConfiguration
        The run.
    documents : sequence of Document, optional
        What it was read from, for messages.

    Raises
    ------
    ConfigurationError
        If a file is missing or not valid, or a sample names a model that the run does not define,
        or has none to train, or two of its results would have one name.
    """
    samples = {}
    for number, name in enumerate(run.samples):
        path = Path(run.sample_folder) / f"{name}.yaml"
        if reason := _no_sample(path):
            key = ("samples", number) if path.parent.is_dir() else ("sample_folder",)
            raise ConfigurationError(": ".join(filter(None, [origin(key, documents), reason])))
        document = read_document(path)
        samples[name] = _validate(Sample, [document])
        _check_models(run, samples[name], document)
    return samples


def load_sample(path: str | Path) -> Sample:
    """Read one sample definition; errors as `load_samples`."""
    path = Path(path)
    if reason := _no_sample(path):
        raise ConfigurationError(reason)
    return load_section(Sample, path)


def load_section(model: type[BaseModel], path: Path) -> Any:
    """Read one YAML file as a configuration model; errors as `load_samples`."""
    return _validate(model, [read_document(path)])


def _shown(path: str | Path) -> str:
    """Return a path as a user would write it: the shorter of absolute and relative."""
    return min(str(path), os.path.relpath(path), key=len)


def _no_sample(path: Path) -> str:
    """Say why there is no definition of a sample, and what to do; '' if there is one."""
    if path.exists() or path.is_symlink():
        return ""
    if not path.parent.is_dir():
        return f"sample_folder: there is no folder {path.parent}"
    for other in sorted(path.parent.iterdir()):
        if other.stem == path.stem and other.suffix.lower() in (".yml", ".yaml"):
            return f"samples: {other} has to end in .yaml: rename it to {path.name}"
        if other.suffix == ".yaml" and name_like(other.stem) == path.stem:
            return f"samples: rename {other} to {path.name}: {LETTERS}"
    names = sorted(p.stem for p in path.parent.glob("*.yaml"))
    return (
        f"samples: there is no file {path}{nearest(path.stem, names)}; "
        f"defined in {path.parent}: {', '.join(names) or 'none'}"
    )


def _check_models(run: RunConfiguration, sample: Sample, document: Document) -> None:
    for task, key, known in (
        ("classify", "classifiers", run.classifiers),
        ("regress", "regressors", run.regressors),
    ):
        models, place = getattr(sample, key), document.where((key,))
        for model in models or []:
            if model not in known:
                raise ConfigurationError(
                    f"{place}: {key}: there is no {model!r}{nearest(model, known)}; "
                    f"the run defines: {', '.join(known)}"
                )
        models = list(known) if models is None else models
        if task in sample.tasks and not models:
            raise ConfigurationError(
                f"{place}: {key}: tasks has {task!r}, and there is no model for it; name one here "
                "(without the key all that the run defines are trained)"
            )
        files: dict[str, str] = {}
        for split, model in ((split, model) for split in sample.splits for model in models):
            named = f"split {split!r} with {model!r}"
            other = files.setdefault(f"{split}_{model}", named)
            if other != named:
                raise ConfigurationError(
                    f"{document.where(('splits',))}: {other} and {named} would share the file "
                    f"{task}_{split}_{model}.md; rename one split"
                )


def _validate(model: type[BaseModel], documents: Sequence[Document]) -> Any:
    content = overlaid(documents)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [explain(model, item, content, documents) for item in error.errors()]
        raise ConfigurationError(
            "\n".join(lines) + "\nEvery key is described in docs/configuration.md."
        ) from None
