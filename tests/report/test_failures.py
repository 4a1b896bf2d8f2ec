import pandas as pd
import pyarrow as pa
import pytest

from sdssflow.report import failures
from sdssflow.report.failures import read_objids, worst_classes, worst_redshifts
from sdssflow.tables import with_metadata, write_parquet


def scores(**columns):
    frame = pd.DataFrame(columns)
    defaults = {"seed": "all", "subset": "all", "convention": "standard", "n": 200}
    for name, value in defaults.items():
        if name not in frame:
            frame[name] = value
    if "lower" not in frame:
        frame = frame.assign(lower=frame["value"] - 0.1, upper=frame["value"] + 0.1)
    return frame


WHOLE = scores(model=["good", "guess"], metric="sigma_nmad", value=[0.2, 0.9])


def test_the_gain_is_told_over_the_guess_and_not_by_the_guess_itself():
    assert failures.gain(WHOLE, "good", "guess", "sigma_nmad") == (
        "With good, σ_NMAD is 0.20 [0.10, 0.30]; with guess, which uses no features, "
        "0.90 [0.80, 1.00]."
    )
    assert failures.gain(WHOLE, "guess", "guess", "sigma_nmad") == ""
    assert failures.gain(WHOLE, "good", "absent", "sigma_nmad") == ""


@pytest.mark.parametrize(("metric", "worst"), [("sigma_nmad", "17 to 18"), ("r2", "16 to 17")])
def test_the_worst_bin_is_the_highest_or_lowest_as_the_metric_wants(metric, worst):
    whole = scores(model=["good"], metric=metric, value=[0.2])
    bins = scores(
        model=["good", "good", "other"], metric=metric, value=[0.1, 0.3, 9.0],
        variable="reference_mag", bin_low=[16, 17, 18], bin_high=[17, 18, 19],
    )  # fmt: skip
    (sentence,) = failures.worst_bins(whole, bins, "good", metric)
    assert f"Among magnitudes, good is worst from {worst}" in sentence
    assert failures.worst_bins(whole, bins.assign(variable="zspec"), "good", metric) == []
    assert failures.worst_bins(whole, bins.assign(value=0.2), "good", metric) == []


def test_outliers_are_counted():
    frame = scores(model=["good"], metric="outlier_0.05", value=[0.015])
    assert failures.outliers(frame, "good") == [
        "3 of 200 test objects have a normalised residual beyond 0.05 (1.5 %)."
    ]


def test_nearly_all_outliers_are_not_rounded_to_all():
    frame = scores(model=["good", "bad"], metric="outlier_0.05", value=[0.995, 1.0])
    assert failures.outliers(frame, "good")[0].endswith("(99.5 %).")
    assert failures.outliers(frame, "bad")[0].endswith("(100 %).")


def test_few_test_objects_are_told(tmp_path):
    assert failures.few_objects(30) == []
    assert failures.few_objects(1)[0].startswith("With 1 test object, bootstrap intervals are too")
    path = str(tmp_path / "predictions.parquet")
    for groups in (5, 30):
        group = [f"cell:{row % groups}" for row in range(2000)]
        write_parquet(pa.table({"seed": [1] * 2000, "group": group}), path)
        told = "".join(failures.few_objects(2000, path))
        assert told.startswith("With 2,000 test objects in 5 groups, ") == (groups == 5)
        assert bool(told) == (groups == 5)


def test_the_weakest_class_and_the_commonest_mistake_are_named():
    recall = scores(
        model="good", metric="recall", subset=["STAR", "QSO", "GALAXY"], value=[0.9, 0.5, 0.99]
    )
    (sentence,) = failures.weakest_class(recall, "good")
    assert "for class QSO" in sentence
    assert failures.weakest_class(recall.assign(value=1.0), "good") == []
    confusion = pd.DataFrame(
        [("good", "QSO", "STAR", 7), ("good", "QSO", "QSO", 30), ("good", "STAR", "STAR", 99),
         ("good", "STAR", "QSO", 2), ("other", "STAR", "QSO", 50)],
        columns=["model", "truth", "predicted", "count"],
    )  # fmt: skip
    every = [confusion.assign(seed=seed) for seed in ("1", "2", "all")]
    (sentence,) = failures.commonest_mistake(pd.concat(every), "good")
    assert sentence.endswith("QSO as STAR: 7 of 37, 2 seeds together.")
    confusion = pd.concat(every[1:])
    (sentence,) = failures.commonest_mistake(confusion, "good")
    assert sentence == "Its most frequent mistake is to classify QSO as STAR: 7 of 37."
    faultless = confusion[confusion["truth"] == confusion["predicted"]]
    assert failures.commonest_mistake(faultless, "good") == []


def test_the_largest_residuals_come_first_by_size_not_by_sign():
    frame = pd.DataFrame(
        {"row_id": range(20), "seed": 1, "reference_mag": 17.0, "zspec": 0.1, "zphot": 0.1}
    )
    frame.loc[4, "zphot"], frame.loc[9, "zphot"] = 0.05, 0.12
    table = worst_redshifts(frame, "good", {4: "12345"})
    assert [row[0].text for row in table.rows[:2]] == ["objid 12345", "row 9"]
    assert table.rows[0][-1].text == "−0.0455"
    assert len(table.rows) == 10


def test_objids_are_found_by_row_whatever_their_order(tmp_path):
    path = tmp_path / "catalogue.parquet"
    table = {"row_id": [7, 2, 5], "objid": [1237648702966432123, None, 3]}
    write_parquet(with_metadata(pa.table(table), data_digest="d"), path)
    objids = read_objids(path)
    assert dict(objids) == {7: 1237648702966432123, 5: 3}
    assert objids.get(2) is objids.get(99) is None


def test_only_wrong_classes_are_among_the_mistakes_the_surest_first():
    frame = pd.DataFrame(
        {"row_id": [5, 6, 7], "reference_mag": 17.0, "spec_class": ["STAR", "QSO", "QSO"],
         "probability_STAR": [0.99, 0.6, 0.8], "probability_QSO": [0.01, 0.4, 0.2]}
    )  # fmt: skip
    table = worst_classes(frame, "good", {})
    assert [row[0].text for row in table.rows] == ["row 7", "row 6"]
    assert "2 of 3 are misclassified" in table.text
