"""Read configuration keys by their former names.

The former name of a key is part of its type, as `Renamed`. A file that uses it gives one line of
warning; results are those of the present name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import BaseModel

from sdssflow.configuration.reading import ConfigurationError, Document
from sdssflow.configuration.section import Renamed

# silenced in jobs, which read the configuration again
logger = logging.getLogger(__name__)
TAGS = ("kind", "cut")  # keys by which the members of a union differ


def use_present_names(model: type[BaseModel], document: Document) -> None:
    """Rename the keys of a document of a model to their present names, in place.

    ConfigurationError if a key is given by both its old and its present name.
    """
    content = _renamed(model, document.content, (), document)
    document.content.clear()
    document.content.update(content)


def old_names(model: type[BaseModel]) -> dict[str, tuple[str, Renamed]]:
    """Return, by old name, the present name of each renamed key of a section."""
    return {
        renamed.old: (name, renamed)
        for name, field in model.model_fields.items()
        for renamed in field.metadata
        if isinstance(renamed, Renamed)
    }


def section_types(annotation: Any) -> list[type[BaseModel]]:
    """Return the sections in a type, including those inside containers and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in section_types(inner)]


def _renamed(annotation: Any, value: Any, place: tuple[str | int, ...], document: Document) -> Any:
    """Return a value with present names for all keys inside it."""
    if get_origin(annotation) is Annotated:
        return _renamed(get_args(annotation)[0], value, place, document)
    if isinstance(value, list):
        items = enumerate(value)
        return [_renamed(annotation, item, (*place, number), document) for number, item in items]
    if not isinstance(value, Mapping):
        return value
    types: dict[str, Any] = {}
    old: dict[str, tuple[str, Renamed]] = {}
    if get_origin(annotation) is dict:  # names of the user's choice
        types = dict.fromkeys(value, get_args(annotation)[1])
    for section in section_types(annotation) if not types else ():
        if _fits(section, value):
            types |= {key: field.annotation for key, field in section.model_fields.items()}
            old |= old_names(section)
    result = {}
    for key, item in value.items():
        name = _warned(key, *old[key], value, place, document) if key in old else key
        result[name] = _renamed(types.get(name), item, (*place, name), document)
    return result


def _warned(
    key: str,
    name: str,
    renamed: Renamed,
    value: Mapping[str, Any],
    place: tuple[str | int, ...],
    document: Document,
) -> str:
    """Return the present name of a key, after a warning."""
    where = f"{document.where((*place, key))}: {'.'.join(map(str, (*place, key)))}"
    if name in value:
        raise ConfigurationError(
            f"{where}: the old name of {name}, which is given too; remove the old one"
        )
    logger.warning(
        "%s is now called %s; use that name, version %s will no longer read the old one",
        where,
        name,
        renamed.until,
    )
    node = document.node(place)
    for written, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if written.value == key:
            written.value = name
    return name


def _fits(section: type[BaseModel], value: Mapping[str, Any]) -> bool:
    """Return whether a section is the member of a union that a mapping selects."""
    fields = section.model_fields
    return all(value.get(t) in get_args(fields[t].annotation) for t in TAGS if t in fields)
