"""A digest of the code behind a script: what Snakemake does not see.

Snakemake reruns a rule when its script changes, but not when a module does that the script imports.
Rules pass this digest as a parameter, so they rerun then too: on a change of meaning, not of
comments, docstrings or layout.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

DIGEST_LENGTH = 12


def code_digest(script: str | Path) -> str:
    """Digest the local modules that a script imports, directly or through others.

    Parameters
    ----------
    script : path-like
        A script; modules are looked for in its folder.

    Returns
    -------
    str
        12 hexadecimal digits. The script itself is not part of it: Snakemake tracks that.

    Raises
    ------
    SyntaxError
        If the script or a module does not parse.
    """
    script = Path(script).resolve()
    root = script.parent
    todo = list(_imports(script, root))
    seen: dict[Path, str] = {}
    while todo:
        module = todo.pop()
        if module not in seen:
            seen[module] = _meaning(module)
            todo.extend(_imports(module, root))
    text = "\n".join(f"{path.relative_to(root)}:{seen[path]}" for path in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _meaning(path: Path) -> str:
    """Dump a module's syntax tree without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_text(line)] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_text(line: ast.stmt) -> bool:
    return (
        isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
        and isinstance(line.value.value, str)
    )


@cache
def _imports(path: Path, root: Path) -> tuple[Path, ...]:
    return tuple(
        found
        for node in ast.walk(_tree(path))
        for name in _imported_names(node, path)
        for found in _files_of(name, root)
    )


def _imported_names(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            raise SyntaxError(
                f"{path}:{node.lineno}: write absolute imports; this one is not tracked"
            )
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """Yield the files that importing `name` runs: the module and its parent packages."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        stem = root.joinpath(*parts[:length])
        for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
            if candidate.is_file():
                yield candidate
