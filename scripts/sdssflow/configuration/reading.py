"""Read YAML files without losing or converting anything silently.

A key that is given twice is refused, at any depth; YAML would keep the last. Plain words are text:
`yes`, `on`, `1:30`, `010` and `2026-11-23` (YAML 1.1 makes them true, true, 90, 8 and a date).
`1e-3` is a number, and keys are always text. The line of each value is known.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

# each cluster job reads all samples; the parser in C takes a tenth of the time
YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LARGEST_FILE = 10_000_000  # bytes
STACK = 500  # shorter files can't be nested too deeply for the parser in C
DEEPEST = 50  # levels of nesting
LARGEST_NUMBER = 2**64  # ids of SDSS
KNOWN_TAGS = {"bool", "float", "int", "map", "merge", "null", "seq", "str"}
TAG = "tag:yaml.org,2002:"


class ConfigurationError(ValueError):
    """The configuration can't be used as it is; the message says where and what to change."""


class _Refused(yaml.YAMLError):
    """A line that is valid YAML, but not a valid configuration."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line, self.problem = line, problem


class _Loader(YAML_LOADER):
    """Values of the YAML 1.2 core schema, without octal and hexadecimal numbers."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    def construct_yaml_map(self, node: yaml.MappingNode) -> dict[str, Any]:
        return self.construct_mapping(node)

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > 21 or abs(int(node.value)) > LARGEST_NUMBER:
            raise _Refused(_line(node), f"the number {_short(node.value)} is too large")
        return int(node.value)


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    (
        "float",
        r"^(?:[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+.0123456789",
    ),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(TAG + _tag, re.compile(_pattern), list(_first))
_Loader.add_constructor(TAG + "map", _Loader.construct_yaml_map)
_Loader.add_constructor(TAG + "int", _Loader.construct_whole_number)


class Document(NamedTuple):
    """One file of the configuration, or one argument of ``--config``, with its YAML nodes."""

    name: str
    content: dict[str, Any]
    root: yaml.MappingNode | None = None

    def has(self, location: Iterable[str | int]) -> bool:
        """Return whether this file has a key of the merged configuration."""
        here: Any = self.content
        for part in location:
            if not holds(here, part):
                return False
            here = here[part]
        return True

    def where(self, location: Iterable[str | int]) -> str:
        """Return the name of the file, with the line of a key if known."""
        lines = [line for _, line in self._path(location)]
        return f"{self.name}, line {lines[-1]}" if lines else self.name

    def node(self, location: Sequence[str | int]) -> yaml.Node | None:
        """Return the YAML node of a key; None if not known."""
        nodes = [self.root, *(node for node, _ in self._path(location))]
        return nodes[-1] if len(nodes) == len(location) + 1 else None

    def _path(self, location: Iterable[str | int]) -> Iterator[tuple[yaml.Node, int]]:
        """Yield the nodes on the path to a key, with their lines, as far as known."""
        node = self.root
        for part in location:
            if isinstance(node, yaml.MappingNode):
                pairs = [pair for pair in node.value if pair[0].value == part]
                if not pairs:
                    return
                key, node = pairs[-1]
                yield node, _line(key)
            elif isinstance(node, yaml.SequenceNode) and part in range(len(node.value)):
                node = node.value[part]
                yield node, _line(node)
            else:
                return


def read_document(path: str | Path) -> Document:
    """Read one YAML file whose top level is a mapping.

    ConfigurationError, with file, line and what to do, if it can't be read, is not valid YAML, or
    has content that would be lost.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigurationError(f"{path}: too large for a configuration file")
        data = path.read_bytes()
    except OSError as error:
        broken = path.is_symlink() and not path.exists()
        reason = f"a link to {path.readlink()}, which is missing" if broken else error.strerror
        raise ConfigurationError(f"{path}: can't be read: {reason}") from None
    return parse(_decoded(data, str(path)), str(path))


def parse(text: str, name: str) -> Document:
    """Read YAML text whose top level is a mapping; errors as `read_document`."""
    loader = None
    try:
        _refuse_depth(text)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise ConfigurationError(f"{name}: expected a mapping of keys, the file is empty")
        if not isinstance(root, yaml.MappingNode):
            raise ConfigurationError(f"{name}: expected a mapping of keys, found a {root.id}")
        for _ in _checked(root, (), (), set()):
            pass
        return Document(name, loader.construct_document(root), root)
    except yaml.YAMLError as error:
        raise ConfigurationError(_problem(error, name, text)) from None
    except (ValueError, KeyError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{name}: a tag (!!) does not match its value") from None
    finally:
        if loader is not None:
            loader.dispose()


def overlaid(documents: Iterable[Document]) -> dict[str, Any]:
    """Merge documents as Snakemake does: sections are merged, everything else is replaced."""
    return functools.reduce(_merged, (document.content for document in documents), {})


def holds(value: Any, part: str | int) -> bool:
    """Return whether a mapping has a key, or a list an element of that number."""
    if isinstance(value, list):
        return part in range(len(value))
    return isinstance(value, Mapping) and part in value


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        inner = result.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping):
            value = _merged(inner, value)
        result[key] = value
    return result


def _decoded(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigurationError(f"{name}: this is UTF-16; save the file as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise ConfigurationError(
            f"{name}, line {line}: byte {error.start + 1} of the file, 0x{byte:02x}, is not UTF-8 "
            f"(in Latin-1 it is {chr(byte)!r}); save the file as UTF-8"
        ) from None


def _refuse_depth(text: str) -> None:
    """Refuse text that is nested so deeply that the parser in C would overrun its stack."""
    if text.count("[") + text.count("{") + max(map(len, text.splitlines()), default=0) < STACK:
        return
    depth = 0
    for event in yaml.parse(text, YAML_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _Refused(event.start_mark.line + 1, "nested too deeply")


def _checked(
    node: yaml.Node, place: tuple[str, ...], above: tuple[int, ...], seen: set[int]
) -> Iterator[None]:
    """Refuse repeated keys, keys that are not words, and anchors that contain themselves."""
    if not node.tag.startswith(TAG) or node.tag.removeprefix(TAG) not in KNOWN_TAGS:
        raise _Refused(_line(node), f"the tag {node.tag!r} has no meaning here")
    if id(node) in above:
        raise _Refused(_line(node), "an anchor contains itself")
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    above = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            yield from _checked(child, (*place, str(number)), above, seen)
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Refused(_line(key), f"a key has to be a word, found a {key.id}")
        if not key.value:
            raise _Refused(_line(key), "the key before the colon is missing")
        here = ".".join((*place, key.value))
        if key.value in lines:
            first, second = lines[key.value], _line(key)
            at = f"in lines {first} and {second}" if first != second else f"in line {first}"
            raise _Refused(second, f"{here} is given twice, {at}; keep one of them")
        lines[key.value] = _line(key)
        yield from _checked(value, (*place, key.value), above, seen)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _short(text: str) -> str:
    return text if len(text) < 60 else f"{text[:57]}..."


def _problem(error: yaml.YAMLError, name: str, text: str) -> str:
    """Return an error of the parser as one line."""
    if isinstance(error, _Refused):
        return f"{name}, line {error.line}: {error.problem}"
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        reason = " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
        return f"{name}: not valid YAML: {reason}"
    found = (text.splitlines()[mark.line : mark.line + 1] or [""])[0][mark.column : mark.column + 1]
    words = " ".join(filter(None, [error.context, error.problem]))
    if found == "\t":
        words = "a tab; indent with spaces"
    elif "another document" in words:
        words = "a second document begins ('---'); a file holds one"
    elif "cannot start any token" in words:
        words = f"text that begins with {found!r} has to be in quotes"
    elif "mapping values are not allowed" in words:
        words += "; put text with a colon in quotes"
    return f"{name}, line {mark.line + 1}: not valid YAML: {words}"
