"""Groups beside classes and the strangest objects, as the page shows them."""

import numpy as np
import pandas as pd
import pytest

from sdssflow.configuration.sample import Sample
from sdssflow.report.failures import agreement_table, explorer_link, strange_table
from sdssflow.report.figures import Item
from sdssflow.report.sections import ReportError

COLUMNS = {"spec_class": "class", "zspec": "z"} | {f"model_mag_{b}": b for b in "ugriz"}
FILE = {"kind": "file", "path": "a.csv", "columns": COLUMNS}


def sample(source=FILE):
    return Sample.model_validate(
        {"title": "t", "source": source, "tasks": ["classify"],
         "splits": {"random": {"kind": "holdout"}}}
    )  # fmt: skip


def gallery(folder, **changes):
    row = {"place": 1, "row_id": 7, "ra": 180.25, "dec": -0.5, "reference_mag": 19.123}
    row |= {"spec_class": "QSO", "zspec": 2.5, "isolation_rank": 1.0, "sparsity_rank": 3.0}
    row |= {"reconstruction_rank": 2.0, "combined": 1.8171, "feature": "g_r", "deviation": -7.25}
    path = folder / "outliers.csv"
    pd.DataFrame([row, row | {"row_id": 8, "ra": np.nan, "spec_class": ""}]).assign(
        **changes
    ).to_csv(path, index=False)
    return Item(str(path), "table", "s", "explore", "", "outliers", "Strange", "caption")


def test_an_observed_object_with_a_position_leads_to_its_page(tmp_path):
    table = strange_table(gallery(tmp_path), sample(), {7: 1237650000000000001}, ["N = 2"])
    first, second = table.rows
    assert first[0].text == "objid 1237650000000000001"
    assert first[0].link == explorer_link(180.25, -0.5, 17)
    assert "ra=180.25&dec=-0.5" in first[0].link
    assert (second[0].text, second[0].link) == ("row 8", "")
    assert [cell.text for cell in first[1:6]] == ["180.25000", "−0.50000", "19.12", "QSO", "2.5000"]
    assert first[-1].text == "g_r: −7.25"
    assert table.notes[-1].startswith("Each object links to the SDSS page")
    assert table.source.endswith("outliers.csv")


def test_the_release_is_that_of_the_source_and_no_simulated_object_leads_anywhere(tmp_path):
    item = gallery(tmp_path)
    released = sample({"kind": "skyserver", "release": 16})
    assert "/dr16/" in strange_table(item, released, {}, []).rows[0][0].link
    simulated = sample({"kind": "skyserver", "simulated": {"objects": 1000}})
    table = strange_table(item, simulated, {}, [])
    assert not any(row[0].link for row in table.rows) and table.notes == []


def test_a_sample_without_positions_has_no_columns_of_them(tmp_path):
    item = gallery(tmp_path)
    frame = pd.read_csv(item.path).drop(columns=["ra", "dec"])
    frame.to_csv(item.path, index=False)
    table = strange_table(item, sample(), {}, [])
    assert "RA" not in [column.label for column in table.columns]
    assert all(len(row) == len(table.columns) and not row[0].link for row in table.rows)
    frame.drop(columns=["combined"]).to_csv(item.path, index=False)
    with pytest.raises(ReportError, match="no column 'combined'"):
        strange_table(item, sample(), {}, [])


def test_agreement_has_intervals_or_says_that_there_is_no_truth():
    item = Item("a.csv", "table", "s", "explore", "", "clusters_agreement", "Agree", "caption")
    row = {"algorithm": "kmeans", "groups": 3, "truth": "spec_class", "n": 100}
    row |= {"ari": 0.5, "ari_lower": 0.4, "ari_upper": 0.6}
    row |= {"ami": 0.3, "ami_lower": 0.2, "ami_upper": 0.4}
    table = agreement_table(pd.DataFrame([row]), item, [])
    assert (table.rows[0][3].text, table.rows[0][3].interval) == ("0.50", "[0.40, 0.60]")
    empty = agreement_table(pd.DataFrame(columns=list(row)), item, [])
    assert empty.text == "No object has a class or a redshift to compare with."
