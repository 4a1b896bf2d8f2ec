"""SDSS's own redshifts on the page of a sample."""

import pandas as pd
import pytest

from sdssflow.configuration.run import RunConfiguration
from sdssflow.configuration.sample import Sample
from sdssflow.evaluate.sdss_photoz import NAME
from sdssflow.report.figures import contents
from sdssflow.report.provenance import Provenance
from sdssflow.report.summary import summarise
from sdssflow.tables import write_csv
from tests.report.small_run import png
from tests.report.small_tables import table

MODELS = ["mean", "linear"]
RUN = RunConfiguration.model_validate(
    {
        "samples": ["own"],
        "seeds": [1],
        "classifiers": {"dummy": {"kind": "dummy"}},
        "regressors": {name: {"kind": name} for name in MODELS},
    }
)


def sample(**source):
    return Sample.model_validate(
        {
            "title": "Galaxies",
            "source": {"kind": "skyserver", **source},
            "tasks": ["regress"],
            "splits": {"random": {"kind": "holdout"}},
        }
    )


def summary(folder, photoz):
    """Summarise the redshifts of a sample whose tables are below a folder."""
    its = sample(photoz=True)
    items = [item for item in contents(RUN, {"own": its}, str(folder)) if item.stage == "regress"]
    for item in items:
        if item.kind == "figure":
            path = folder / item.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png())
        else:
            known = item.name.startswith("photoz")
            write_csv(photoz[item.name] if known else table(item, RUN, {"own": its}), item.path)
    found = summarise(items, its, RUN, Provenance([], []))
    blocks = [block for section in found.sections for block in section.blocks]
    return [block for block in blocks if "SDSS's own" in block.title]


def tables():
    """Scores and differences of two choices of objects, Photoz the best on one of them."""
    scores, differences = [], []
    for objects, n, theirs in (("with an entry", 900, 0.02), ("photoErrorClass 1", 400, 0.01)):
        about = {"objects": objects, "tested": 1000}
        for model, value in {"mean": 0.05, "linear": 0.015, NAME: theirs}.items():
            row = about | {"model": model, "metric": "sigma_nmad", "convention": "-", "n": n}
            row |= {"subset": "all", "value": value, "lower": value - 0.001, "upper": value + 0.001}
            scores += [row | {"seed": seed, "data_digest": "0123"} for seed in ("1", "all")]
            if model != NAME:
                row = about | {"model": model, "other": NAME, "metric": "sigma_nmad"}
                ends = {"lower": value - theirs - 0.001, "upper": value - theirs + 0.001}
                differences.append(row | {"value": value - theirs} | ends)
    frames = pd.DataFrame(scores), pd.DataFrame(differences)
    return dict(zip(("photoz_scores", "photoz_differences"), frames, strict=True))


def test_the_page_shows_them_beside_the_models_with_their_numbers(tmp_path):
    first, best, *others = summary(tmp_path, tables())
    assert first.title.endswith("with an entry") and best.title.endswith("photoErrorClass 1")
    assert "may have learnt from the redshifts" in first.text
    assert [row[0].text for row in first.rows] == ["linear", NAME, "mean"]
    assert [row[0].text for row in best.rows] == [NAME, "linear", "mean"]
    assert first.notes[0].startswith("N = 900 of the 1,000 test objects; test digest of seed 1")
    lines = [[cell.text for cell in row] for row in others[1].rows]
    assert lines == [[f"mean − {NAME}", "0.0400"], [f"linear − {NAME}", "0.0050"]]


def test_a_test_part_without_entries_says_so(tmp_path):
    empty = {name: frame.iloc[:0] for name, frame in tables().items()}
    assert [block.text for block in summary(tmp_path, empty)] == [
        "No test object has an entry in Photoz."
    ] * 2


@pytest.mark.parametrize(("photoz", "there"), [(True, True), (False, False)])
def test_a_sample_that_did_not_ask_has_no_such_tables(photoz, there):
    its = sample(photoz=photoz)
    names = [item.name for item in contents(RUN, {"own": its})]
    assert ("photoz_scores" in names) is ("photoz_differences" in names) is there
