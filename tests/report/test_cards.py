"""Data sheets and model cards: read back by a machine, and equal to what they were made from."""

from pathlib import Path

import pytest
import yaml

from sdssflow.configuration.loading import load_sample
from sdssflow.report.cards import facts_of, markdown
from sdssflow.report.provenance import Facts
from sdssflow.report.sections import Cell, Section, Table, word_columns
from sdssflow.tables import read_csv

ROOT = Path(__file__).parents[2]


def head(path):
    text = Path(path).read_text(encoding="utf-8")
    _, record, body = text.split("---\n", 2)
    return yaml.safe_load(record), body


@pytest.fixture
def cards(built):
    return dict(zip(built.run.samples, map(Path, built.output.cards), strict=True))


def test_a_data_sheet_holds_the_counts_of_the_cuts_and_the_digests(cards, built):
    record, body = head(cards["mixed"] / "data_sheet.md")
    flow = read_csv(built.item("flow_table", sample="mixed").path)
    assert [cut["removed"] for cut in record["cuts"]] == list(flow["removed"])
    assert record["rows"] == 5000
    assert record["data_digest"] != record["data_digest_after_cuts"]
    assert record["defects"][0]["example_row"] == 1234
    assert record["source"]["path"] == "data/mixed.csv"
    assert "Unknown to this program" in record["licence"]
    assert "| 1 | nonzero\\_redshift | 5,000 | 3 | 4,997 |" in body


def test_a_data_sheet_names_the_reference_magnitude(cards):
    _, body = head(cards["mixed"] / "data_sheet.md")
    assert "**Reference magnitude**: model r" in body


def test_what_a_catalogue_measures_of_extinction_is_said_to_be_subtracted():
    sample = load_sample(ROOT / "config/samples/mclass.yaml")
    source = Facts("", 2, ["psf_mag_r", "extinction_r"], {"extinction_applied": False})
    assert dict(facts_of("mine", sample, source, source))["Galactic extinction"] == (
        "not subtracted in the source; subtracted in the features"
    )


def test_the_licence_of_embedded_rows_is_that_of_the_file_beside_them(cards):
    record, _ = head(cards["galaxies"] / "data_sheet.md")
    named = record["licence"].split("(")[1].rstrip(")")
    assert (Path(__file__).parents[2] / named).is_file()


def test_there_is_a_card_for_each_best_model(cards):
    names = {path.name for path in cards["mixed"].iterdir()}
    assert names == {
        "data_sheet.md",
        *(f"classify_{split}_vote.md" for split in ("folds", "random")),
        *(f"regress_{split}_{model}.md" for split in ("folds", "random")
          for model in ("mean", "trees")),
    }  # fmt: skip


def test_a_card_names_what_was_learnt_from_what_and_how_good_it_is(cards, built):
    record, body = head(cards["galaxies"] / "regress_drawn_mean.md")
    assert (record["model"], record["kind"], record["task"]) == ("mean", "mean", "regress")
    assert [part["seed"] for part in record["learnt_from"]] == [1, 7]
    assert {part["objects"] for part in record["learnt_from"]} == {3997}
    scores = read_csv(built.item("scores", sample="galaxies", split="drawn").path)
    (row,) = (
        scores[(scores["model"] == "mean") & (scores["seed"] == "all") & (scores["metric"] == "r2")]
        .to_dict(orient="records")
    )  # fmt: skip
    (found,) = (one for one in record["metrics"] if one["metric"] == "r2")
    assert found["value"] == pytest.approx(row["value"], rel=1e-5)
    assert found["lower"] < found["value"] < found["upper"]
    assert {one["variable"] for one in record["metrics_by_bin"]} == {"reference_mag"}
    assert "not significantly better than linear" in body
    assert "Where it fails" in body


def test_words_of_tables_can_not_break_a_markdown_table():
    table = Table(
        "T", "", word_columns("a", "b"), [[Cell("x|y"), Cell("two\nlines")], [Cell("*"), Cell("")]]
    )
    lines = markdown(Section("s", "S", blocks=[table])).splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert rows[2:] == ["| x\\|y | two lines |", "| \\* |  |"]
