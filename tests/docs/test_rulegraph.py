"""The picture of the rules shows those that there are."""

import importlib.util

import pytest

from tests.docs.markdown import ROOT
from tests.workflow.conftest import remember_modules
from tests.workflow.snakemakes import server

spec = importlib.util.spec_from_file_location("rulegraph", ROOT / "docs/rulegraph.py")
rulegraph = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rulegraph)


@pytest.fixture(scope="module")
def dot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    remember_modules(folder)
    answer = server().run(folder, rulegraph.COMMAND[1:])
    assert answer["status"] == 0, answer["stderr"]
    return answer["stdout"]


@pytest.mark.workflow
def test_the_picture_is_up_to_date(dot, tmp_path, monkeypatch):
    assert rulegraph.is_current(dot), "images/rulegraph.svg is out of date: make rulegraph"
    assert ("clean_catalogue", "build_features") in rulegraph.edges(dot)
    number = {name: i for i, name in rulegraph.NODE.findall(dot)}
    changed = dot.replace("}", f"{number['plot_flow']} -> {number['split_sample']}\n}}")
    assert not rulegraph.is_current(changed)
    monkeypatch.setattr(rulegraph, "PICTURE", tmp_path / "none.svg")
    assert not rulegraph.is_current(dot)


@pytest.mark.workflow
def test_the_same_rules_give_the_same_bytes_in_whatever_order_snakemake_names_them(dot):
    head, *lines = dot.splitlines()
    others = "\n".join([head, *lines[:3], *reversed(lines[3:])])
    assert rulegraph.draw(dot) == rulegraph.draw(others)
