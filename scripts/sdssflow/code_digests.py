"""Digests of the modules that a script imports, which Snakemake does not track.

Snakemake reruns a rule when its script changes, but not when an imported module does. Rules have
this digest as a parameter, so that they rerun then too, unless only comments, docstrings or layout
changed.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sdssflow.files import write_text
from sdssflow.project import LIBRARY, PACKAGES, PROJECT

DIGEST_LENGTH = 12
MOST_REMEMBERED = 5000  # modules; a larger memory is cleared


class Module(NamedTuple):
    """Hash of a module's syntax tree, and its imports."""

    meaning: str
    imports: list[str]


class Memory:
    """Cache of parsed modules by the hash of their text, kept in a file between runs.

    Parsing all modules takes longer than the rest of the Snakefile. If the file can't be read or
    written, the modules are parsed. With `once`, each module is read only once, and later edits are
    not noticed; used while Snakemake parses the workflow.
    """

    def __init__(self, path: str | Path | None = None, once: bool = False):
        self.path = Path(path) if path else None
        self.once = once
        self.grown = False
        self.seen: dict[Path, Module] = {}
        self.grammar = f"{sys.version_info.major}.{sys.version_info.minor}"  # of the syntax trees
        self.modules: dict[str, Module] = {}
        try:
            found = json.loads(self.path.read_text(encoding="utf-8")) if self.path else {}
            self.modules = {key: Module(*value) for key, value in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self.modules = {}

    def module(self, path: Path) -> Module:
        """Return the parsed module at `path`."""
        if self.once and path in self.seen:
            return self.seen[path]
        text = path.read_bytes()
        key = f"{self.grammar}:{hashlib.sha256(text).hexdigest()}"
        if key not in self.modules:
            self.modules[key] = _parse(text, path)
            self.grown = True
        self.seen[path] = self.modules[key]
        return self.seen[path]

    def save(self) -> None:
        """Write the file if the cache changed."""
        if self.path is None or not self.grown:
            return
        self.grown = False
        if len(self.modules) > MOST_REMEMBERED:
            self.modules = {}
        try:
            write_text(self.path, json.dumps(self.modules))
        except OSError:
            self.path = None


def code_digest(
    script: str | Path, memory: Memory | None = None, programs: Iterable[str] = ()
) -> str:
    """Return the digest, 12 hex digits, of local modules imported directly or indirectly.

    The script itself, which Snakemake tracks, is not included. Modules are searched in `library_of`
    the script; `programs` names modules imported at run time, such as those of a kind of model.

    SyntaxError if the script or a module can't be parsed, or has a relative import.
    """
    script = Path(script).resolve()
    memory = memory or Memory()
    return _digest(modules_behind(script, memory, programs), library_of(script.parent), memory)


def library_of(scripts: str | Path) -> Path:
    """Return the folder of the modules that scripts import: next to them, or installed."""
    folder = Path(scripts).resolve()
    return LIBRARY if folder == PROJECT / "scripts" else folder


def modules_behind(script: Path, memory: Memory, programs: Iterable[str] = ()) -> set[Path]:
    """Return the local modules of a script and of the named programs."""
    root = library_of(script.parent)
    found = local_modules(script, root, memory)
    for name in programs:
        path = _module_path(name, root)
        found |= local_modules(path, root, memory) | {path}
    return found


def program_digest(module: str, scripts: str | Path, memory: Memory | None = None) -> str:
    """Return the digest of a module that runs as a separate process, including the module."""
    root = library_of(scripts)
    memory = memory or Memory()
    path = _module_path(module, root)
    return _digest(local_modules(path, root, memory) | {path}, root, memory)


def _module_path(name: str, root: Path) -> Path:
    return root.joinpath(*name.split(".")).with_suffix(".py")


def _digest(paths: set[Path], root: Path, memory: Memory) -> str:
    text = "\n".join(
        f"{path.relative_to(root)}:{memory.module(path).meaning}" for path in sorted(paths)
    )
    memory.save()
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def local_modules(path: Path, root: Path, memory: Memory) -> set[Path]:
    """Return the modules below `root` that the module at `path` can import, without itself."""
    todo = [path]
    seen: set[Path] = set()
    while todo:
        for name in memory.module(todo.pop()).imports:
            found = set(_files_of(name, root)) - seen
            seen |= found
            todo.extend(found)
    return seen - {path}


def _parse(text: bytes, path: Path) -> Module:
    """Return the hash of a module's syntax tree without its docstrings, and its imports."""
    tree = ast.parse(text, filename=str(path))
    imports = list(dict.fromkeys(_imported_names(tree, path)))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [line for line in body if not _is_text(line)] or [ast.Pass()]
    return Module(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports)


def _is_text(line: ast.stmt) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )


def _imported_names(tree: ast.Module, path: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SyntaxError(
                    f"{path}:{node.lineno}: write absolute imports; this one is not tracked"
                )
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _files_of(name: str, root: Path) -> tuple[Path, ...]:
    """Return the files that importing `name` runs: the module and its parent packages."""
    here, found = _children(root), []
    if root == LIBRARY:  # an installed package is in a folder with all others
        here = {name: path for name, path in here.items() if name in PACKAGES}
    for part in name.split("."):
        if f"{part}.py" in here:
            found.append(here[f"{part}.py"])
        if part not in here:
            break
        here = _children(here[part])
        if "__init__.py" in here:
            found.append(here["__init__.py"])
    return tuple(found)


@cache
def _children(folder: Path) -> dict[str, Path]:
    """Return the paths in a folder by name; empty if it is not a folder."""
    try:
        return {path.name: path for path in folder.iterdir()}
    except OSError:
        return {}
