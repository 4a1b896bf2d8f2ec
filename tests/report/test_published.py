import pandas as pd
import pytest

from sdssflow.evaluate.published import COLUMNS
from sdssflow.report.published_numbers import published_tables
from sdssflow.report.tables import ReportError
from sdssflow.tables import write_csv

ROW = {
    "citation": "Beck 2016", "metric": "sigma_nmad", "convention": "median subtracted",
    "subset": "all", "theirs": 0.02, "uncertainty": 0.001, "sample": "galaxies", "split": "drawn",
    "model": "linear", "ours": 0.0203, "ours_low": 0.0199, "ours_high": 0.0207,
    "difference": 0.0003, "tolerance": 0.001, "verdict": "reproduced", "because": "<b>why</b>",
}  # fmt: skip
UNLIKE = ROW | {"verdict": "not comparable", "because": "other galaxies"}
OTHER = ROW | {"verdict": "not run", "ours": None, "because": "no such sample"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "published.csv"
    write_csv(pd.DataFrame([ROW, OTHER, UNLIKE], columns=COLUMNS), path)
    return path


def test_what_was_compared_stands_apart_from_what_was_not(path):
    compared, others = published_tables(path)
    assert [cell.text for cell in compared.rows[0]][2:5] == [
        "0.02 ± 0.001", "0.02030", "galaxies / drawn / linear"
    ]  # fmt: skip
    assert compared.notes == ["1 reproduced"]
    assert others.folded
    assert [row[-1].text for row in others.rows] == ["other galaxies", "no such sample"]
    assert [row[3].text for row in others.rows] == ["0.02030", ""]


def test_a_curve_is_a_table_of_its_own_and_one_line_where_it_was_not_run(tmp_path):
    bins = [(0.0, 0.1, "reproduced"), (0.1, 0.2, "undecided"), (0.2, 0.3, "not run")]
    rows = [ROW | {"entry": "a", "zspec_low": low, "zspec_high": high, "verdict": verdict}
            for low, high, verdict in bins]  # fmt: skip
    rows[-1]["ours"] = None
    missing = [
        OTHER | {"entry": "b", "zspec_low": low, "zspec_high": high} for low, high, _ in bins
    ]
    path = tmp_path / "curves.csv"
    write_csv(pd.DataFrame([*rows, *missing], columns=COLUMNS), path)
    curve, others = published_tables(path)
    assert [row[0].text for row in curve.rows] == [
        "0.000 to 0.100", "0.100 to 0.200", "0.200 to 0.300"
    ]  # fmt: skip
    assert [row[-1].text for row in curve.rows] == [verdict for *_, verdict in bins]
    assert curve.notes[0] == "1 reproduced, 1 undecided"
    assert "Beck 2016" in curve.title
    assert "<b>why</b>" in curve.text
    assert len(others.rows) == 1


def test_the_index_shows_published_numbers_if_it_is_given_them(results, pages, path):
    assert 'id="published"' not in pages["index"]
    results.published = [path]
    pages = results.build()
    assert 'href="#published"' in pages["index"]
    assert "&lt;b&gt;why&lt;/b&gt;" in pages["index"]
    assert "Beck 2016" not in pages["mixed"]


def test_another_table_is_refused(path):
    path.write_text("entry,theirs\na,1\n")
    with pytest.raises(ReportError, match="no column 'citation'"):
        published_tables(path)
