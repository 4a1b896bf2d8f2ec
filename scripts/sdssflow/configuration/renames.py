"""Read keys of the configuration by the names that they had before.

What a key was called stands at the key itself, as `Renamed` in its type. Of a file that has the old
name the user is told once, in a line; results are those of the present name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import BaseModel

from sdssflow.configuration.reading import ConfigurationError, Document
from sdssflow.configuration.section import Renamed

# silenced by the Snakefile in jobs, which read the configuration again
logger = logging.getLogger(__name__)
TAGS = ("kind", "cut")  # keys by which the members of a union differ


def use_present_names(model: type[BaseModel], document: Document) -> None:
    """Give the keys of a document of a model their present names, in place.

    ConfigurationError if a key stands there by its old name and by its present one.
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
    """Return the sections that a type mentions, containers and unions taken apart."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in section_types(inner)]


def _renamed(annotation: Any, value: Any, place: tuple[str | int, ...], document: Document) -> Any:
    """Return what stands at a place, with present names."""
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
            f"{where}: the old name of {name}, which is there too; take it out"
        )
    logger.warning(
        "%s is called %s now; write that, version %s will not read the old name",
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
    """Say whether a section is the member of a union that a mapping names."""
    fields = section.model_fields
    return all(value.get(t) in get_args(fields[t].annotation) for t in TAGS if t in fields)
