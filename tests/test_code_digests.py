import ast
import sys
from pathlib import Path
from typing import get_args

import pytest

from sdssflow import code_digests
from sdssflow.code_digests import Memory, code_digest, local_modules, modules_behind
from sdssflow.configuration import classifiers, regressors

ROOT = Path(__file__).parents[1]
MEMORY = Memory()


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


def digest(project, memory=None):
    code_digests._files_of.cache_clear()
    return code_digest(project / "script.py", memory)


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
    memory = Memory(project / "memory.json")
    before = digest(project, memory)
    assert before == digest(project)
    (project / file).write_text(text)
    after = digest(project)
    assert (after != before) is changes
    assert digest(project, memory) == after
    assert digest(project, Memory(project / "memory.json")) == after


def test_a_workflow_that_is_parsed_reads_each_module_once(project):
    memory = Memory(project / "memory.json", once=True)
    before = digest(project, memory)
    (project / "a/c.py").write_text("K = 3\n")
    assert digest(project, memory) == before
    assert digest(project, Memory(project / "memory.json", once=True)) != before


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


def test_remembered_modules_are_not_parsed_again(project, monkeypatch):
    expected = digest(project, Memory(project / "memory.json"))
    monkeypatch.setattr(code_digests, "_parse", None)
    assert digest(project, Memory(project / "memory.json")) == expected


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"key": 3}', "{"])
def test_a_broken_memory_is_no_error(project, text):
    (project / "memory.json").write_text(text)
    assert digest(project, Memory(project / "memory.json")) == digest(project)


def test_a_memory_that_can_not_be_written_is_no_error(project):
    (project / "file").write_text("")
    memory = Memory(project / "file" / "memory.json")
    assert digest(project, memory) == digest(project)


HEAVY = {"torch", "astropy", "pandas", "sklearn", "matplotlib", "numpy", "pyarrow", "scipy"}


def imported_packages(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def test_what_the_snakefile_imports_is_light():
    entries = ["running/runs", "code_digests", "configuration/loading",
               "configuration/regressors", "configuration/applying", "outputs",
               "estimate/partitions", "report/figures"]  # fmt: skip
    for entry in entries:
        path = ROOT / f"scripts/sdssflow/{entry}.py"
        for module in {path, *local_modules(path, ROOT / "scripts", MEMORY)}:
            assert not set(imported_packages(module)) & HEAVY, module


STAGES = [
    "acquire",
    "prepare",
    "ensembles",
    "explore",
    "classify",
    "regress",
    "evaluate",
    "estimate",
    "report",
    "doctor",
]


def test_provenance_stands_under_the_logs_and_knows_of_no_stage():
    package = ROOT / "scripts/sdssflow/provenance"
    below = {ROOT / f"scripts/sdssflow/{name}.py" for name in ("files", "project", "__init__")}
    for path in package.rglob("*.py"):
        found = local_modules(path, ROOT / "scripts", MEMORY)
        assert {x for x in found if package not in x.parents} <= below, path
        at_the_top = (
            name for name in ast.parse(path.read_text()).body
            if isinstance(name, ast.Import | ast.ImportFrom)
        )  # fmt: skip
        packages = {ast.unparse(node).split()[1].split(".")[0] for node in at_the_top}
        assert packages <= {"sdssflow", *sys.stdlib_module_names}, path


@pytest.mark.parametrize("stage", STAGES)
def test_stages_import_from_earlier_ones_only(stage):
    later = STAGES[STAGES.index(stage) + 1 :]
    beside = {"explore": ["classify", "regress"], "classify": ["explore", "regress"],
              "regress": ["explore", "classify"], "ensembles": ["explore"],
              "doctor": [name for name in STAGES if name != "doctor"]}  # fmt: skip
    forbidden = {*later, *beside.get(stage, [])} - {stage}
    for path in (ROOT / "scripts/sdssflow" / stage).rglob("*.py"):
        for found in local_modules(path, ROOT / "scripts", MEMORY):
            assert not forbidden & set(found.relative_to(ROOT / "scripts").parts[1:]), path


def test_the_stand_in_and_the_simulated_sky_import_nothing_of_the_stages():
    package = ROOT / "scripts/skyserver_standin"
    shared = {"__init__.py", "bands.py", "files.py", "photometry.py", "project.py"}
    for path in package.rglob("*.py"):
        others = {x for x in local_modules(path, ROOT / "scripts", MEMORY)
                  if package not in x.parents}  # fmt: skip
        assert others <= {ROOT / "scripts/sdssflow" / name for name in shared}, path
    for path in (ROOT / "scripts/sdssflow").rglob("*.py"):
        assert "skyserver_standin" not in imported_packages(path), path


def test_how_jobs_run_knows_of_no_stage():
    for module in (ROOT / "scripts/sdssflow/running").rglob("*.py"):
        for found in local_modules(module, ROOT / "scripts", MEMORY):
            assert not set(STAGES) & set(found.relative_to(ROOT / "scripts/sdssflow").parts), module


def test_scripts_take_parameters_and_never_the_configuration():
    for path in (ROOT / "scripts").rglob("*.py"):
        assert "snakemake.config" not in path.read_text(), path


TORCH = {"train_network", "search_settings"}
TRAININGS = {"train_classifier", "train_regressor", *TORCH}


def kinds():
    """Yield the settings' class of each kind of model."""
    for union in (classifiers.ClassifierSettings, regressors.RegressorSettings):
        yield from get_args(get_args(union)[0])


def trained_by(kind):
    """Return the scripts that import the program of a kind of model."""
    if kind.task == "classify":
        return ["train_classifier"]
    searches = ["search_settings"] if "search" in kind.model_fields else []
    return ["train_network" if kind.needs_torch else "train_regressor", *searches]


def reruns(modules):
    """Return the pairs of script and kind, '' where it has none, behind which one of these is."""
    changed = {ROOT / "scripts/sdssflow" / module for module in modules}
    pairs = {(path.stem, "", ()) for path in (ROOT / "scripts").glob("*.py")}
    pairs |= {
        (name, kind.__name__, kind.programs()) for kind in kinds() for name in trained_by(kind)
    }
    return {
        (script, kind)
        for script, kind, programs in pairs
        if changed & modules_behind(ROOT / f"scripts/{script}.py", MEMORY, programs)
    }


@pytest.mark.parametrize(
    ("modules", "most", "trained"),
    [
        # refit_model and measure_learning among them, which run where they are asked for
        (["configuration/classifiers.py", "classify/classifiers.py"], 5, {"train_classifier"}),
        (["configuration/regressors.py", "regress/regressors.py"], 10, {"train_regressor"}),
        (
            ["configuration/networks.py", "regress/networks.py"],
            10,
            TRAININGS - {"train_classifier"},
        ),
        (["configuration/features.py", "prepare/features.py"], 11, set()),
        # find_clusters and score_outliers among them, which bootstrap and know of no metric
        (["configuration/scores.py", "evaluate/redshift_metrics.py"], 18, set()),
        (["evaluate/pdf_metrics.py"], 7, set()),
        (["evaluate/class_metrics.py"], 6, set()),
        (["evaluate/paper_metrics.py"], 6, set()),  # score_photoz among them
        (["report/figures.py", "evaluate/redshift_figures.py"], 3, set()),
        (["report/figures.py", "evaluate/class_figures.py"], 2, set()),
        (["configuration/sample.py", "explore/catalogue_figures.py"], 3, set()),
    ],
    ids=[
        "classifier",
        "regressor",
        "network",
        "feature group",
        "metric",
        "p(z) metric",
        "class metric",
        "metric of a paper",
        "redshift figure",
        "class figure",
        "sky figure",
    ],
)
def test_what_is_added_reruns_only_what_can_use_it(modules, most, trained):
    """A kind of model trains none of the other task; a metric or a figure trains none at all."""
    rerun = {script for script, _ in reruns(modules)}
    assert len(rerun) <= most, sorted(rerun)
    assert rerun & TRAININGS == trained


def test_a_change_of_one_kind_trains_no_other_again():
    trained = {kind for script, kind in reruns(["regress/committees.py"]) if script in TRAININGS}
    assert trained == {"Committee"}
    trained = {kind for script, kind in reruns(["regress/neighbours.py"]) if script in TRAININGS}
    assert trained == {"NeighbourMean", "LocalLinear", "RandomForestRegressor"}
