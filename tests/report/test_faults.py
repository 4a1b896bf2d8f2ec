from pathlib import Path

import pyarrow as pa
import pytest

from sdssflow.report.sections import ReportError
from sdssflow.tables import (
    metadata,
    read_csv,
    read_parquet,
    read_schema,
    write_csv,
    write_parquet,
)  # fmt: skip

CASES = [
    ("defects", b"", "not a table"),
    ("flow_table", None, "no such file"),
    ("flow", b"", "neither PNG nor SVG"),
    ("flow", b"GIF89a", "neither PNG nor SVG"),
    ("comparison", None, "no such file"),
    ("catalogue", b"not parquet", "not Parquet"),
    ("catalogue", None, "no such file"),
    ("scores", b"model\n", "no column"),
    ("scores_by_bin", b"", "not a table"),
    ("parts", b"fold,part,rows\n", "no rows"),
]


@pytest.mark.parametrize(("name", "content", "message"), CASES)
def test_a_broken_file_is_named_and_no_page_is_written(results, name, content, message):
    path = Path(results.item(name, sample="mixed").path)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReportError, match=message) as raised:
        results.build()
    assert str(path) in str(raised.value)
    assert not Path(results.output.report).exists()


def test_a_catalogue_of_another_program_is_refused(results):
    path = results.item("catalogue", sample="mixed").path
    write_parquet(pa.table({"row_id": [1]}), path)
    with pytest.raises(ReportError, match="no provenance"):
        results.build()


def test_scores_of_another_test_part_than_the_predictions_are_refused(results):
    path = next(path for path in results.predictions if "mixed/classify/folds/vote" in path)
    results.write_predictions(path, test_digests={"1": "other", "7": "other"})
    with pytest.raises(ReportError, match="mixed/classify/folds: scores of seed 1.*vote"):
        results.build()


def test_predictions_of_a_seed_that_was_not_scored_are_refused(results):
    path = next(path for path in results.predictions if "mixed/classify/folds/vote" in path)
    known = metadata(read_schema(path))["test_digests"]
    results.write_predictions(path, test_digests=known | {"8": "other"})
    with pytest.raises(ReportError, match="scores of seed 8 are of test part none, but vote"):
        results.build()


def test_predictions_without_cards_are_refused(results):
    write_parquet(pa.table({"zphot": [0.1]}), results.predictions[0])
    with pytest.raises(ReportError) as raised:
        results.build()
    assert results.predictions[0] in str(raised.value)


def test_scores_without_any_value_to_rank_by_are_named(results):
    path = results.item("scores", sample="mixed", stage="classify").path
    frame = read_csv(path)
    write_csv(frame[frame["metric"] != "macro_f1"], path)
    with pytest.raises(ReportError, match="macro_f1") as raised:
        results.build()
    assert path in str(raised.value)


def test_one_model_alone_needs_no_differences(results):
    item = results.item("differences", sample="mixed", stage="classify", split="folds")
    write_csv(read_csv(item.path).head(0), item.path)
    assert "Classification, split folds" in results.build()["mixed"]


def test_scores_of_densities_of_another_test_part_are_refused(results):
    item = results.item("pdf_scores", sample="mixed", split="folds")
    frame = read_csv(item.path)
    write_csv(frame.assign(data_digest="other"), item.path)
    with pytest.raises(ReportError, match="mixed/regress/folds: scores of seed 1"):
        results.build()


def test_no_foretold_scores_are_no_fault(results):
    item = results.item("covariate_shift", sample="mixed", split="folds")
    assert results.build()["mixed"].count(item.title) > 1
    for other in results.items:
        if other.name == "covariate_shift":
            write_csv(read_csv(other.path).head(0), other.path)
    assert item.title not in results.build()["mixed"]


def test_a_model_without_card_is_named(results):
    path = Path(results.models[0]) / "card.json"
    path.unlink()
    with pytest.raises(ReportError, match="no such file") as raised:
        results.build()
    assert str(path) in str(raised.value)
    path.write_text("{}")
    with pytest.raises(ReportError, match="no 'sample'"):
        results.build()


def test_predictions_of_other_objects_are_refused(results):
    path = next(path for path in results.predictions if "mixed/regress/folds/linear" in path)
    table = read_parquet(path)
    write_parquet(table.slice(1), path)
    with pytest.raises(ReportError, match="linear and mean predicted different objects"):
        results.build()
