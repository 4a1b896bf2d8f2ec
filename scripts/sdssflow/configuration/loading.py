"""Read YAML into the models, with errors that say what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample

# each job on a cluster reads all samples; the parser in C takes a tenth of the time
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# folders of results/ that are no sample's
RESERVED = {"concepts", "provenance", "workflow"}


class ConfigurationError(ValueError):
    """The configuration can't be used as it is; the message says where and what to change."""


def load_run(config: Mapping[str, Any], origin: str = "config/config.yaml") -> RunConfiguration:
    """Validate the merged configuration of a run.

    Parameters
    ----------
    config : mapping
        What Snakemake read from all its configuration files.
    origin : str
        Name for messages.

    Raises
    ------
    ConfigurationError
        With one line per mistake: the key, what is wrong, and the nearest known key.
    """
    return _validate(RunConfiguration, dict(config), origin)


def load_samples(run: RunConfiguration) -> dict[str, Sample]:
    """Read the definition of each sample that the run asks for.

    Raises
    ------
    ConfigurationError
        If a file is missing or not valid, or a sample names a model that the run does not define.
    """
    samples = {}
    for name in run.samples:
        if name in RESERVED:
            raise ConfigurationError(
                f"samples: {name} can't be the name of a sample, results/{name} holds something "
                "else; give its file another name"
            )
        path = Path(run.sample_folder) / f"{name}.yaml"
        samples[name] = load_sample(path)
        for key, known in (("classifiers", run.classifiers), ("regressors", run.regressors)):
            for model in getattr(samples[name], key) or []:
                if model not in known:
                    raise ConfigurationError(
                        f"{path}: {key}: there is no {model!r}{_nearest(model, known)}; "
                        f"defined in config.yaml: {', '.join(known)}"
                    )
    return samples


def load_sample(path: str | Path) -> Sample:
    """Read one sample definition; errors as `load_samples`."""
    path = Path(path)
    if not path.is_file():
        names = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigurationError(
            f"samples: there is no file {path}{_nearest(path.stem, names)}; "
            f"defined in {path.parent}: {', '.join(names) or 'none'}"
        )
    return load_section(Sample, path)


def load_section(model: type[BaseModel], path: Path) -> Any:
    """Read one YAML file as a configuration model; errors as `load_samples`."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), YAML_LOADER)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{path}: expected a mapping of keys, found {type(content).__name__}"
        )
    return _validate(model, content, str(path))


def _validate(model: type[BaseModel], content: dict[str, Any], origin: str) -> Any:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [f"  {_explain(model, item)}" for item in error.errors()]
        raise ConfigurationError(
            f"{origin} can't be used:\n" + "\n".join(lines) + "\nEvery key is described in "
            "docs/configuration.md."
        ) from None


def _explain(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(model, error["loc"])
            return f"{place}: unknown key{_nearest(str(error['loc'][-1]), known)}"
        case "missing":
            return f"{place}: this key is required"
        case "union_tag_invalid":
            context = error["ctx"]
            return _not_one_of(
                f"{place}.{_words(context['discriminator'])[0]}",
                context["tag"],
                _words(context["expected_tags"]),
            )
        case "literal_error":
            return _not_one_of(place, str(error["input"]), _words(error["ctx"]["expected"]))
        case _:
            message = error["msg"].removeprefix("Value error, ")
            found = re.sub(
                "//.*@", "//...@", repr(error["input"])
            )  # a password stays with its user
            shown = f" (found {found})" if len(found) < 60 else ""
            return f"{place}: {message}{shown}" if place else message


def _words(quoted: str) -> list[str]:
    """Return the words of pydantic's "'a', 'b' or 'c'"."""
    return [word.strip(" '") for word in quoted.replace(" or ", ",").split(",")]


def _not_one_of(place: str, word: str, known: list[str]) -> str:
    return f"{place}: {word!r} is not known{_nearest(word, known)}; one of {', '.join(known)}"


def _known_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Return the keys that are allowed where the last part of `location` stands."""
    here = [model]
    for part in location[:-1]:
        fields = [branch.model_fields[part] for branch in here if part in branch.model_fields]
        if fields:
            here = [found for field in fields for found in _flatten(field.annotation)]
        else:
            # the tag of a discriminated union narrows the choice; a name or an index does not
            here = [branch for branch in here if part in _tags(branch)] or here
    return sorted({key for branch in here for key in branch.model_fields})


def _tags(model: type[BaseModel]) -> set[str]:
    """Return the words by which a model is told from the others of its union."""
    fields = (model.model_fields.get(name) for name in ("kind", "cut"))
    return {word for field in fields if field for word in get_args(field.annotation)}


def _flatten(annotation: Any) -> list[Any]:
    """Return the model types that an annotation mentions, containers and unions taken apart."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _flatten(inner)]


def _nearest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""
