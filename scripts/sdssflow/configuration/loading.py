"""Read YAML into the configuration models, with errors that say what to write instead."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sdssflow.configuration.reading import (
    ConfigurationError,
    Document,
    holds,
    overlaid,
    parse,
    read_document,
)
from sdssflow.configuration.renames import section_types, use_present_names
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.section import NAME, NO_NAMES
from sdssflow.project import PROJECT, shipped

DEFAULT = "config/config.yaml"
LETTERS = (
    "a name has small letters, digits and underscores, at most 60 of them, and begins with a letter"
)
SIMPLER = {
    "list_type": "a list is needed",
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type"), "a section of keys is needed"
    ),
}


def read_layers(
    files: Iterable[str | Path], arguments: Sequence[str] | None = None
) -> list[Document]:
    """Read the files and arguments of a configuration; later ones override earlier ones.

    `arguments` are those of ``--config``, each ``KEY=YAML``. Raises ConfigurationError as
    `read_document`, and if ``--config`` gives a key twice or no value.
    """
    documents = [read_document(min(str(path), os.path.relpath(path), key=len)) for path in files]
    taken: set[str] = set()
    for argument in arguments or []:
        key, given, value = argument.partition("=")
        if not given:
            raise ConfigurationError(f"--config: {argument}: write KEY=VALUE, as in seeds=[1]")
        section, point, rest = key.partition(".")
        if point:
            raise ConfigurationError(
                f"--config: {key}: Snakemake takes no point in a key; write "
                f"'{section}={{{rest.replace('.', ': {')}: {value}{'}' * key.count('.')}'"
            )
        if key in taken:
            raise ConfigurationError(f"--config: {key} is given twice; keep one of them")
        taken.add(key)
        documents.append(parse(f"{key}: {value}", f"--config {key}")._replace(root=None))
    return documents


def check_options(arguments: Iterable[str]) -> None:
    """Refuse a command line that gives an option twice: Snakemake would use only the last."""
    names = [argument.partition("=")[0] for argument in arguments]
    for option, short in (("--configfile", "--configfiles"), ("--config", "-C")):
        if names.count(option) + names.count(short) > 1:
            raise ConfigurationError(
                f"{option} is given twice, and Snakemake would use only the last; write it once, "
                "with all its values, the most important last"
            )


def load_layers(documents: Sequence[Document]) -> RunConfiguration:
    """Validate the configuration of a run, as read by `read_layers`.

    Raises
    ------
    ConfigurationError
        With one line per mistake: file and line, the key, what is wrong, what to write instead.
    """
    return _validate(RunConfiguration, documents)


def load_run(config: Mapping[str, Any], origin: str = DEFAULT) -> RunConfiguration:
    """Validate the merged configuration of a run as `load_layers`; `origin` names it in errors."""
    return _validate(RunConfiguration, [Document(origin, dict(config))])


def load_samples(run: RunConfiguration, documents: Sequence[Document] = ()) -> dict[str, Sample]:
    """Read the definitions of the run's samples; `documents` are those of the run.

    ConfigurationError if a file is missing or invalid, a sample names a model that the run does not
    define or has no model to train, or two of its results would share a name.
    """
    samples = {}
    for number, name in enumerate(run.samples):
        path = configured(Path(run.sample_folder) / f"{name}.yaml")
        if reason := _no_sample(path):
            key = ("samples", number) if shipped(path.parent).is_dir() else ("sample_folder",)
            raise ConfigurationError(": ".join(filter(None, [origin(key, documents), reason])))
        document = read_document(path)
        samples[name] = _validate(Sample, [document])
        _check_models(run, samples[name], document)
    return samples


def configured(path: str | Path) -> Path:
    """Return where a file of the configuration is: in the folder of the run, else in the project.

    ConfigurationError if the run has a file of almost this name, which would be ignored silently.
    """
    path = Path(path)
    found = [] if path.exists() or path.is_symlink() else sorted(path.parent.glob("*"))
    for other in found:
        if other.stem == path.stem and other.suffix.lower() in (".yml", ".yaml"):
            raise ConfigurationError(f"{other} has to end in .yaml: rename it to {path.name}")
        if other.suffix == ".yaml" and name_like(other.stem) == path.stem:
            raise ConfigurationError(f"rename {other} to {path.name}: {LETTERS}")
    return shipped(path)


def load_sample(path: str | Path) -> Sample:
    """Read one sample definition; errors as `load_samples`."""
    path = Path(path)
    if reason := _no_sample(path):
        raise ConfigurationError(reason)
    return load_section(Sample, path)


def defined_in(folder: Path) -> list[str]:
    """Return the names of the definitions in a folder and in that of the project."""
    places = (folder, PROJECT / folder)
    return sorted({path.stem for place in places for path in place.glob("*.yaml")})


def load_section(model: type[BaseModel], path: Path) -> Any:
    """Read one YAML file as a configuration model; errors as `load_samples`."""
    return _validate(model, [read_document(path)])


def _no_sample(path: Path) -> str:
    """Return why there is no definition of a sample, and what to do; '' if there is one."""
    if path.exists() or path.is_symlink():
        return ""
    if not shipped(path.parent).is_dir():
        return f"sample_folder: there is no folder {path.parent}"
    names = defined_in(path.parent)
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
                f"{place}: {key}: tasks has {task!r}, but there is no model for it; name one here "
                "(without this key, all models that the run defines are trained)"
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
    for document in documents:
        use_present_names(model, document)
    content = overlaid(documents)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        lines = [explain(model, item, content, documents) for item in error.errors()]
        raise ConfigurationError(
            "\n".join(lines) + "\nEvery key is described in docs/configuration.md."
        ) from None


def explain(
    model: type[BaseModel],
    error: Mapping[str, Any],
    content: Mapping[str, Any],
    documents: Sequence[Document],
) -> str:
    """Return one line: file and line, key, what is wrong, what to write."""
    location = _location(error, content)
    message = _message(model, error)
    place = ".".join(map(str, location))
    if not location and (named := re.match(r"[a-z0-9_]+(\.[a-z0-9_]+)+(?=: )", message)):
        location = tuple(named[0].split("."))
    return f"{origin(location, documents)}: {place}{': ' if place else ''}{message}"


def _location(error: Mapping[str, Any], content: Any) -> tuple[str | int, ...]:
    """Return where an error is in the files, without the type names that pydantic inserts."""
    found: list[str | int] = []
    *above, last = error["loc"] or [None]
    here: Any = content
    for part in above:
        if holds(here, part):
            here = here[part]
            found.append(part)
    if last is None or last == "[key]":
        return tuple(found)
    if error["type"] == "missing" or isinstance(last, int):
        return (*found, last)
    known = isinstance(here, Mapping) and last in here
    return (*found, last) if known else tuple(found)


def origin(location: tuple[str | int, ...], documents: Sequence[Document]) -> str:
    """Return the last file, and line, that has a key or the nearest section above it."""
    for length in range(len(location), 0, -1):
        for document in reversed(documents):
            if document.has(location[:length]):
                return document.where(location[:length])
    return documents[-1].name if documents else ""


def _message(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    """Return what is wrong and what to write instead."""
    found, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(model, error["loc"])
            return f"unknown key{nearest(str(error['loc'][-1]), known)}"
        case "missing":
            return "this key is required"
        case "union_tag_invalid":
            key, known = _words(context["discriminator"])[0], _words(context["expected_tags"])
            return f"{key}: {_not_one_of(context['tag'], known)}"
        case "union_tag_not_found":
            return f"{_words(context['discriminator'])[0]}: this key is required"
        case "literal_error":
            return _not_one_of(str(found), _words(context["expected"]))
        case "string_pattern_mismatch" if context["pattern"] == NAME:
            return _no_name(found)
        case "string_type" if error["loc"][0] == "samples":
            return _no_name(found)
        case "value_error" | "not_installed":
            return error["msg"].removeprefix("Value error, ")
        case _:
            words = SIMPLER.get(error["type"], error["msg"])
            text = re.sub("//.*@", "//...@", repr(found))  # hide a password
            shown = f" (found {text})" if len(text) < 60 else ""
            return f"{words}{shown}{_hint(error['type'], found)}"


def name_like(text: str) -> str:
    """Return a valid name similar to a text."""
    like = re.sub(r"[^a-z0-9_]", "_", text.lower())[:50]
    return like if like[:1].isalpha() else f"s_{like.lstrip('_')}"


def _no_name(found: Any) -> str:
    like = name_like(str(found).removesuffix(".yaml"))
    shown = repr(found) if len(str(found)) < 80 else f"{str(found)[:60]}..."
    example = f", such as {like!r}" if re.fullmatch(NAME, like) and like not in NO_NAMES else ""
    return f"{shown} can't be a name: {LETTERS}{example}"


def _hint(kind: str, found: Any) -> str:
    """Return what to write instead of a value of the wrong type."""
    match kind, found:
        case _, None:
            return "; write a value, or leave the key out"
        case "list_type", str() | int() | float():
            return f"; write [{found}]"
        case "bool_type", _:
            return "; write true or false"
        case "string_type", dict() | list():
            return "; put text with braces or brackets in quotes"
        case "string_type", _:
            return "; put it in quotes"
        case "int_type" | "float_type", str() | float():
            try:
                number = float(found)
            except ValueError:
                return ""
            whole = number.is_integer()
            if whole or kind == "float_type":
                return f"; write {int(number) if whole else number}"
    return ""


def _words(quoted: str) -> list[str]:
    """Return the words of pydantic's "'a', 'b' or 'c'"."""
    return [word.strip(" '") for word in quoted.replace(" or ", ",").split(",")]


def _not_one_of(word: str, known: list[str]) -> str:
    return f"{word!r} is not known{nearest(word, known)}; one of {', '.join(known)}"


def _known_keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Return the keys that are allowed in the section of the last part of `location`."""
    here = [model]
    for part in location[:-1]:
        fields = [branch.model_fields[part] for branch in here if part in branch.model_fields]
        if fields:
            here = [found for field in fields for found in section_types(field.annotation)]
        else:
            # the tag of a discriminated union narrows the choice; a name or an index does not
            tagged = [
                branch
                for branch in here
                for tag in ("kind", "cut")
                if tag in branch.model_fields
                and part in get_args(branch.model_fields[tag].annotation)
            ]
            here = tagged or here
    return sorted({key for branch in here for key in branch.model_fields})


def nearest(word: str, known: Any) -> str:
    """Return a question about the most similar known word, '' without one."""
    near = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""
