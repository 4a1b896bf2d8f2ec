"""Say of a value that a model refuses where it stands, what is wrong, and what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from sdssflow.configuration.reading import Document, holds
from sdssflow.configuration.values import NAME, NO_NAMES

LETTERS = (
    "a name has small letters, digits and underscores, begins with a letter and has at most 60 of "
    "them"
)
SIMPLER = {
    "list_type": "a list is needed",
    "dict_type": "a section of keys is needed",
    "model_type": "a section of keys is needed",
    "model_attributes_type": "a section of keys is needed",
}


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
    """Return where the error is in the files: without the words by which pydantic tells types."""
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
    """Return the file, and line, that says what stands at a place; the last one that does."""
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
        case "value_error":
            return error["msg"].removeprefix("Value error, ")
        case _:
            words = SIMPLER.get(error["type"], error["msg"])
            text = re.sub("//.*@", "//...@", repr(found))  # a password stays with its user
            shown = f" (found {text})" if len(text) < 60 else ""
            return f"{words}{shown}{_hint(error['type'], found)}"


def name_like(text: str) -> str:
    """Return a text with the letters that a name may have."""
    like = re.sub(r"[^a-z0-9_]", "_", text.lower())[:50]
    return like if like[:1].isalpha() else f"s_{like.lstrip('_')}"


def _no_name(found: Any) -> str:
    like = name_like(str(found).removesuffix(".yaml"))
    shown = repr(found) if len(str(found)) < 80 else f"{str(found)[:60]}..."
    example = f", such as {like!r}" if re.fullmatch(NAME, like) and like not in NO_NAMES else ""
    return f"{shown} can't be a name: {LETTERS}{example}"


def _hint(kind: str, found: Any) -> str:
    """Return what to write where a value of another type stands."""
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


def nearest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""
