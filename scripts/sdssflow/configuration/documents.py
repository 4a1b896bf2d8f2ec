"""Write the JSON schemas, `docs/configuration.md` and `docs/metric_conventions.md`.

The Pydantic models are the one source of the schemas and the first page: their types, limits and
attribute docstrings become ``config/schemas/*.json`` (for editors and for `jsonschema`) and a page
to read. The second lists the records of the metrics. Run from the root of the repository::

    PYTHONPATH=scripts python -m sdssflow.configuration.documents            # write
    PYTHONPATH=scripts python -m sdssflow.configuration.documents --check    # 1 if they drifted
"""

from __future__ import annotations

import argparse
import ast
import inspect
import itertools
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sdssflow.configuration.published import PublishedNumber
from sdssflow.configuration.renames import old_names
from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.section import NAME, Section
from sdssflow.configuration.targets import Target
from sdssflow.files import write_text
from sdssflow.project import PROJECT
from sdssflow.report.glossary import conventions_page

DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMMAND = "PYTHONPATH=scripts python -m sdssflow.configuration.documents"
MODELS: dict[str, tuple[type[Section], str]] = {
    "run": (RunConfiguration, "`config/config.yaml`"),
    "sample": (Sample, "`config/samples/NAME.yaml`"),
    "target": (Target, "`config/targets/NAME.yaml`"),
    "published": (PublishedNumber, "`config/published/NAME.yaml`"),
}
INTRODUCTION = f"""\
# Configuration

<!-- Generated from scripts/sdssflow/configuration by
     `{COMMAND}`.
     Change the docstrings there, not this page. -->

A run is described by one file; each of its samples and targets, and each published number that it
is compared with, by another. Unknown keys are refused, and so are values out of range and
duplicates in a list of distinct entries: the error names the file, the line and the key. A key
given twice in a file is refused with both lines. Values are not converted: `"5"`, `5.0` and `true`
are not integers, and plain `yes`, `on`, `010`, `1:30` and `2026-11-23` are text (`true` and
`false` are booleans, `1e-3` is a number). Quote text with a colon, `#`, braces or brackets;
`{{word}}` in it has no special meaning.

In the tables below a key without a default is required, `NAME` stands for a name of your choice
(small letters, digits and underscores, a letter first, at most 60 of them), `[]` for each element
of a list. Editors that know JSON Schema check the files as you type, by `run.schema.json`,
`sample.schema.json`, `target.schema.json` and `published.schema.json` in `config/schemas`.
"""


def json_schema(model: type[Section]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a configuration model.

    Pydantic's schema, described by the attribute docstrings, with three repairs: a mapping whose
    names have a pattern refuses other names (Pydantic says only what matching names hold); a
    section that is described by its class alone is described at its key too; and the titles that
    merely repeat the key are left out.
    """
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    _describe(schema, model)
    for name, definition in definitions.items():
        _describe(definition, _models()[name])
    for node in _nodes(schema):
        node.pop("title", None)
        if "patternProperties" in node:
            node["additionalProperties"] = False
        for key in node.get("properties", {}).values():
            if "$ref" in key and "description" not in key:
                key["description"] = _resolve(key, definitions)["description"]
    return {"$schema": DIALECT, **schema}


def attribute_docstrings(model: type[Section]) -> dict[str, str]:
    """Return what stands below each attribute of a model, inherited ones included."""
    texts = {}
    for part in reversed(model.__mro__):
        if issubclass(part, Section):
            source = ast.parse(textwrap.dedent(inspect.getsource(part)))
            (body,) = (node.body for node in source.body if isinstance(node, ast.ClassDef))
            for line, following in itertools.pairwise(body):
                match line, following:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        texts[name] = inspect.cleandoc(text)
    return texts


def _describe(schema: dict[str, Any], model: type[Section]) -> None:
    keys = schema["properties"]
    for name, text in attribute_docstrings(model).items():
        keys[name].setdefault("description", text)
    for old, (name, renamed) in old_names(model).items():
        text = f"Former name of `{name}`; no longer accepted from version {renamed.until} on."
        keys[old] = {**keys[name], "description": text, "deprecated": True}
        keys[old].pop("default", None)
        schema.setdefault("allOf", []).append({"not": {"required": [old, name]}})


def _models(base: type[Section] = Section) -> dict[str, type[Section]]:
    """Return every configuration model by its name."""
    found = {model.__name__: model for model in base.__subclasses__()}
    return found | {k: v for model in found.values() for k, v in _models(model).items()}


def documents() -> dict[Path, str]:
    """Return the text of every generated file by its path relative to the repository."""
    schemas = {name: json_schema(model) for name, (model, _) in MODELS.items()}
    texts = {
        Path(f"config/schemas/{name}.schema.json"): json.dumps(schema, indent=2) + "\n"
        for name, schema in schemas.items()
    }
    parts = [INTRODUCTION]
    for name, schema in schemas.items():
        parts.append(f"## {MODELS[name][1]}\n")
        parts.extend(_section("", schema, schema.get("$defs", {}), level=3))
    texts[Path("docs/configuration.md")] = "\n".join(parts)
    texts[Path("docs/metric_conventions.md")] = conventions_page()
    return texts


def _nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every (sub)schema, the names of properties not among them."""
    yield schema
    for keyword in ("$defs", "properties", "patternProperties"):
        for child in schema.get(keyword, {}).values():
            yield from _nodes(child)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from _nodes(schema[keyword])
    for keyword in ("oneOf", "anyOf", "prefixItems"):
        for child in schema.get(keyword, []):
            yield from _nodes(child)


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to a definition, if `schema` is one."""
    return definitions[schema["$ref"].rsplit("/", 1)[-1]] if "$ref" in schema else schema


def _section(
    path: str, schema: dict[str, Any], definitions: dict[str, Any], level: int
) -> Iterator[str]:
    """Yield Markdown for the keys of a section and for the sections inside it.

    Of a union of sections, for each of them.
    """
    if tag := _tag(schema):
        members = [_resolve(member, definitions) for member in schema["oneOf"]]
        yield f"One of {len(members)}, distinguished by `{tag}`:\n"
        for member in members:
            yield f"{'#' * level} `{tag}: {member['properties'][tag]['const']}`\n"
            keys = {tag: member["properties"][tag], **member["properties"]}
            yield from _section(path, {**member, "properties": keys}, definitions, level + 1)
        return
    yield " ".join(schema["description"].split()) + "\n"
    rows, inner = [("key", "type", "default", "meaning"), ("---",) * 4], []
    for name, key in schema["properties"].items():
        key_path = f"{path}.{name}" if path else name
        default = f"`{json.dumps(key['default'])}`" if "default" in key else "required"
        default = "" if "deprecated" in key else default
        if child := _inner(key_path, key, definitions):
            inner.append(child)
            default = default if default in ("required", "`[]`", "`{}`", "`null`") else "see there"
        meaning = " ".join(key["description"].split())
        rows.append((f"`{key_path}`", _type(key, definitions), default, meaning))
    cells = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    yield "\n".join(f"| {' | '.join(row)} |" for row in cells) + "\n"
    for child_path, child_schema in inner:
        yield f"{'#' * level} `{child_path}`\n"
        yield from _section(child_path, child_schema, definitions, level + 1)


def _inner(
    path: str, key: dict[str, Any], definitions: dict[str, Any]
) -> tuple[str, dict[str, Any]] | None:
    """Return path and schema of the section(s) that a key holds; None if it holds plain values."""
    schema = _resolve(key, definitions)
    if "properties" in schema or _tag(schema):
        return path, schema
    inside = [(path, option) for option in schema.get("anyOf", [])]
    inside += [(f"{path}[]", schema["items"])] if isinstance(schema.get("items"), dict) else []
    inside += [(f"{path}.NAME", values) for values in _values(schema)]
    found = (_inner(*child, definitions) for child in inside)
    return next(filter(None, found), None)


def _values(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas of the values of a mapping of names."""
    others = [schema.get("additionalProperties")]
    values = [*schema.get("patternProperties", {}).values(), *others]
    return [value for value in values if isinstance(value, dict)]


def _tag(schema: dict[str, Any]) -> str:
    """Return the key that tells the members of a union apart; '' if it is no such union."""
    return schema.get("discriminator", {}).get("propertyName", "")


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return a type with its limits in words."""
    schema = _resolve(schema, definitions)
    if _tag(schema):
        return f"section with `{_tag(schema)}`"
    if "properties" in schema:
        return "section"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return _alternatives([f"`{value}`" for value in schema["enum"]])
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return _alternatives([_type(option, definitions) for option in options])
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}), definitions)}" + _limits(schema)
    if kind == "object":
        of = _alternatives([_type(value, definitions) for value in _values(schema)]) or "any value"
        return f"mapping of names to {of}" + _limits(schema)
    words = {"string": "text", "boolean": "`true` or `false`", "null": "nothing"}
    return words.get(kind, kind) + _limits(schema)


def _alternatives(texts: list[str]) -> str:
    return " or ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def _limits(schema: dict[str, Any]) -> str:
    """Return in words the limits of a number, the pattern of a text or the number of elements."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {schema[key]:.10g}" for key, sign in signs.items() if key in schema]
    if pattern := schema.get("pattern"):
        limits.append("(a name)" if pattern == NAME else f"like `{pattern}`")
    sizes = {f"{end}{unit}": word for unit in ("Items", "Properties")
             for end, word in (("min", "at least"), ("max", "at most"))}  # fmt: skip
    parts = [f", {word} {schema[key]}" for key, word in sizes.items() if key in schema]
    parts += [", each once"] if schema.get("uniqueItems") else []
    return (" " + ", ".join(limits) if limits else "") + "".join(parts)


def drifted(root: Path, texts: dict[Path, str]) -> list[Path]:
    """Return the files below `root` that are missing or differ from `texts`."""
    return [
        path
        for path, text in texts.items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str] | None = None, root: Path = PROJECT) -> int:
    """Write the files, or check them; return the exit status."""
    parser = argparse.ArgumentParser(prog="sdssflow.configuration.documents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if files drifted")
    checking = parser.parse_args(arguments).check
    texts = documents()
    stale = drifted(root, texts)
    if checking and stale:
        names = ", ".join(map(str, stale))
        print(f"out of date: {names}\nrun: {COMMAND}", file=sys.stderr)
        return 1
    for path in [] if checking else stale:
        write_text(root / path, texts[path])
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
