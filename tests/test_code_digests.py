import ast
from pathlib import Path

import pytest

from sdssflow import code_digests
from sdssflow.code_digests import code_digest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    """A script that imports a.b, which imports a.c inside a function."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/__init__.py").write_text("")
    (tmp_path / "a/b.py").write_text("def f():\n    from a import c\n    return c.K\n")
    (tmp_path / "a/c.py").write_text("K = 2\n")
    (tmp_path / "a/unused.py").write_text("K = 2\n")
    (tmp_path / "script.py").write_text("import numpy\nfrom a.b import f\n")
    return tmp_path


def digest(project):
    for function in (code_digests._tree, code_digests._meaning, code_digests._imports):
        function.cache_clear()
    return code_digest(project / "script.py")


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("a/c.py", "K = 3\n", True),
        ("a/c.py", "# why\nK  =  2\n", False),
        ("a/c.py", '"""Doc."""\nK = 2\n', False),
        ("a/b.py", 'def f():\n    """Doc."""\n    from a import c\n\n    return c.K\n', False),
        ("a/b.py", "def f():\n    from a import c\n    return -c.K\n", True),
        ("a/__init__.py", "print('side effect')\n", True),
        ("a/unused.py", "K = 3\n", False),
        ("script.py", "import numpy\nfrom a.b import f\nf()\n", False),  # Snakemake's own task
    ],
)
def test_meaning_changes_the_digest_and_nothing_else_does(project, file, text, changes):
    before = digest(project)
    (project / file).write_text(text)
    assert (digest(project) != before) is changes


def test_relative_imports_are_refused(project):
    (project / "a/b.py").write_text("from . import c\n")
    with pytest.raises(SyntaxError, match="write absolute imports"):
        digest(project)


def test_a_cycle_of_imports_ends(project):
    (project / "a/c.py").write_text("from a import b\nK = 2\n")
    assert digest(project)


def test_digest_does_not_depend_on_where_the_checkout_is(project, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "deep"
    other.mkdir()
    for path in sorted(project.rglob("*.py")):
        target = other / path.relative_to(project)
        target.parent.mkdir(exist_ok=True)
        target.write_text(path.read_text())
    assert digest(project) == digest(other)


def local_modules(script):
    """Names of the sdssflow modules that a script can reach."""
    todo, seen = [script], set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(code_digests._imports(path, ROOT / "scripts"))
    return seen


HEAVY = {"torch", "astropy", "pandas", "sklearn", "matplotlib", "numpy", "pyarrow", "scipy"}


def test_what_the_snakefile_imports_is_light():
    entries = ["code_digests", "configuration/loading", "configuration/models", "report/contents"]
    for entry in entries:
        for path in local_modules(ROOT / f"scripts/sdssflow/{entry}.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) else []
                assert not {name.split(".")[0] for name in names} & HEAVY, path


ROOMS = ["acquire", "prepare", "explore", "classify", "regress", "evaluate", "report"]


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_walks_back(room):
    later = ROOMS[ROOMS.index(room) + 1 :]
    beside = {"explore": ["classify", "regress"], "classify": ["explore", "regress"],
              "regress": ["explore", "classify"]}  # fmt: skip
    forbidden = {*later, *beside.get(room, [])} - {room}
    for path in (ROOT / "scripts/sdssflow" / room).glob("*.py"):
        for found in code_digests._imports(path, ROOT / "scripts"):
            assert not forbidden & set(found.relative_to(ROOT / "scripts/sdssflow").parts), path


def test_scripts_take_parameters_and_never_the_configuration():
    for path in (ROOT / "scripts").rglob("*.py"):
        assert "snakemake.config" not in path.read_text(), path
