import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdssflow.report import sections
from sdssflow.report.glossary import (
    BETTER,
    HEADLINES,
    METRICS,
    OF_PAPERS,
    RANKED_BY,
    REDSHIFTS,
    better,
    label,
    order,
)
from sdssflow.report.scores import (
    bin_tables,
    difference_table,
    importance_table,
    not_told_apart,
    paired,
    ranked,
    score_table,
    seed_digests,
)
from sdssflow.report.sections import ReportError, decimals, fixed, plain, with_interval
from sdssflow.report.summary import split_sentence, split_table


def scores(values, metric="sigma_nmad", convention="median subtracted"):
    rows = [
        {"model": model, "seed": seed, "value": value, "data_digest": f"digest{seed}"}
        for model, value in values.items()
        for seed in ("1", "2", "all")
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(
        metric=metric,
        convention=convention,
        subset="all",
        lower=frame["value"] - 0.001,
        upper=frame["value"] + 0.001,
        n=500,
    )


def test_best_first_by_the_direction_of_the_metric():
    values = {"a": 0.3, "b": 0.1, "c": 0.2}
    assert ranked(scores(values), "sigma_nmad") == ["b", "c", "a"]
    assert ranked(scores(values, "macro_f1"), "macro_f1") == ["a", "c", "b"]


def test_undefined_scores_rank_nowhere_but_are_shown():
    frame = scores({"a": np.nan, "b": 0.1})
    assert ranked(frame, "sigma_nmad") == ["b"]
    table = score_table(frame, "t", "", [], "sigma_nmad")
    assert [row[0].text for row in table.rows] == ["b", "a"]
    assert table.rows[1][1].text == "–"
    with pytest.raises(ReportError, match="sigma_nmad"):
        ranked(scores({"a": np.nan}), "sigma_nmad")


def test_one_column_per_metric_and_convention_in_the_glossarys_order():
    frame = pd.concat(
        [
            scores({"a": 0.9, "b": 0.8}, "r2", "standard"),
            scores({"a": 0.02, "b": 0.03}),
            scores({"a": 0.03, "b": 0.04}, convention="not subtracted"),
            scores({"a": 1.0, "b": 2.0}, "a_new_metric", "mine"),
        ]
    )
    table = score_table(frame, "t", "", [], "sigma_nmad")
    assert [(column.label, column.convention) for column in table.columns] == [
        ("model", ""),
        ("σ_NMAD", "median subtracted"),
        ("σ_NMAD", "not subtracted"),
        ("R²", "standard"),
        ("a new metric", "mine"),
    ]
    assert table.columns[1].better == "lower is better"
    assert [cell.strong for cell in table.rows[0]] == [False, True, True, True, False]
    assert table.rows[0][1].text == "0.0200"


def test_bias_is_best_nearest_zero():
    frame = pd.concat(
        [scores({"a": 0.1, "b": 0.2}), scores({"a": -0.5, "b": 0.01}, "bias", "mean")]
    )
    table = score_table(frame, "t", "", [], "sigma_nmad")
    assert [(row[0].text, row[2].strong) for row in table.rows] == [("a", False), ("b", True)]


def test_differences_are_turned_round_to_stand_against_the_best():
    frame = pd.DataFrame(
        {
            "model": ["a", "best"],
            "other": ["best", "b"],
            "metric": "sigma_nmad",
            "value": [0.02, -0.03],
            "lower": [-0.01, -0.05],
            "upper": [0.04, -0.01],
        }
    )
    rows = paired(frame, "best").set_index("model")
    assert rows.loc["b", ["value", "lower", "upper"]].tolist() == [0.03, 0.01, 0.05]
    assert rows.loc["a", ["value", "lower", "upper"]].tolist() == [0.02, -0.01, 0.04]
    assert not_told_apart(frame, "best", "sigma_nmad") == ["a"]
    table = difference_table(frame, "best", "t", "", [])
    assert [(row[0].text, row[1].strong) for row in table.rows] == [
        ("a − best", False),
        ("b − best", True),
    ]


def test_a_difference_without_interval_claims_nothing():
    frame = pd.DataFrame({"model": ["a"], "other": ["b"], "metric": ["r2"], "value": [0.5]}).assign(
        lower=np.nan, upper=np.nan
    )
    assert not_told_apart(frame, "b", "r2") == ["a"]


def test_importance_has_a_column_for_each_model_and_no_row_of_a_single_seed():
    frame = pd.DataFrame(
        [
            {"model": model, "seed": seed, "score": score, "kind": kind, "name": name,
             "unpermuted": 0.25, "value": value, "lower": value - 0.01, "upper": value + 0.01}
            for model, score in (("a", "crps"), ("b", "mae"))
            for kind, name, value in (
                ("feature", "u_g", 0.005), ("feature", "g_r", 0.2), ("group", "color", 0.3),
            )
            for seed in ("1", "all")
        ]
    )  # fmt: skip
    table = importance_table(frame, "title", "text", [])
    assert [column.label for column in table.columns] == ["permuted", "", "a", "b"]
    assert table.columns[2].convention == "CRPS 0.25 increases by"
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [
        ["u_g", "feature"], ["g_r", "feature"], ["color", "group"],
    ]  # fmt: skip
    assert [cell.text for cell in table.rows[1][2:]] == ["0.200", "0.200"]
    assert [row[2].strong for row in table.rows] == [False, True, True]


def test_bins_keep_their_order_and_numbers():
    low, high = scores({"a": 0.1}), scores({"a": 0.2})
    frame = pd.concat(
        [
            high.assign(variable="reference_mag", bin_low=17.5, bin_high=20.0),
            low.assign(variable="reference_mag", bin_low=9.5, bin_high=17.5, n=400),
            low.assign(variable="zspec", bin_low=0.01, bin_high=0.1),
        ]
    )
    first, second = bin_tables(frame, "t", "", [])
    assert [row[0].text for row in first.rows] == ["9.5 to 17.5", "17.5 to 20"]
    assert [row[-1].text for row in first.rows] == ["400", "500"]
    assert first.folded
    assert second.title == "t: zspec"


def test_scores_of_one_seed_must_quote_one_test_part():
    frame = scores({"a": 0.1, "b": 0.2})
    assert seed_digests(frame) == {"1": "digest1", "2": "digest2"}
    mixed = frame.assign(data_digest=[f"d{place}" for place in range(len(frame))])
    with pytest.raises(ReportError, match="seed 1.*different test parts"):
        seed_digests(mixed)


def test_plain_tables_leave_out_blank_columns_and_format_by_name():
    frame = pd.DataFrame(
        {"step": [10000], "rows": [10000], "nothing": [np.nan], "words": [""], "chosen": [True]}
    )
    table = sections.plain_table(frame, "t", "", [])
    assert [column.label for column in table.columns] == ["step", "rows", "chosen"]
    assert [cell.text for cell in table.rows[0]] == ["10000", "10,000", "yes"]


def test_what_all_rows_share_moves_to_the_notes():
    frame = pd.DataFrame({"k": [2, 3], "n": [325, 325], "data_digest": "42ff", "seed": ["1", "1"]})
    table = sections.plain_table(frame, "t", "", ["first"])
    assert [column.label for column in table.columns] == ["k"]
    assert table.notes == ["first", "This table: N = 325, data digest 42ff, seed 1"]
    different = sections.plain_table(frame.assign(n=[325, 20]), "t", "", [])
    assert [column.label for column in different.columns] == ["k", "N"]
    some = sections.plain_table(frame.assign(n=[325, np.nan]), "t", "", [])
    assert [column.label for column in some.columns] == ["k", "N"]


def test_a_score_with_a_nominal_value_says_which():
    words = {name: better(name) for name in ("sigma_nmad", "bias", "conformal_95", "mape")}
    assert list(words.values()) == [
        "lower is better", "nearer 0 is better", "nearer 0.95 is better", ""
    ]  # fmt: skip


def test_colours_are_written_as_differences():
    table = sections.plain_table(pd.DataFrame({"u_g": [1.5], "auc": [0.7]}), "t", "", [])
    assert [column.label for column in table.columns] == ["u − g (mag)", "AUC"]


def test_what_the_report_ranks_and_headlines_is_in_the_glossary():
    for task in ("classify", "regress"):
        assert METRICS[RANKED_BY[task]].better in ("low", "high")
        assert {METRICS[name].better for name in HEADLINES[task]} <= set(BETTER)


def test_every_metric_has_a_name_of_its_own_in_the_tables():
    assert not set(OF_PAPERS) & set(METRICS)
    labels = [label(name) for name in [*METRICS, *OF_PAPERS]]
    assert len(set(labels)) == len(labels)
    assert order(["crps", "within_0.1", "mae", "mse"]) == ["mse", "mae", "within_0.1", "crps"]


def test_headlines_come_first_and_facts_last():
    found = order(metric for metric in METRICS if metric in REDSHIFTS)
    assert found[:4] == HEADLINES["regress"]
    assert found[-3:] == ["mape", "mape_floored", "zspec_min"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "not a table"),
        (b"model,seed\n", "no rows"),
        (b"model,value\na,1\n", "no column 'seed'"),
        (b"\xff\xfe\x00\x01", "not a table"),
    ],
)
def test_a_table_that_cannot_be_shown_is_named(tmp_path, content, message):
    path = tmp_path / "scores.csv"
    if content is not None:
        Path(path).write_bytes(content)
    with pytest.raises(ReportError, match=message) as raised:
        sections.read_table(path, ("model", "seed"))
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.01234, 0.0119, 0.0127, ("0.01234", "[0.01190, 0.01270]")),
        (0.9651, 0.955, 0.974, ("0.9651", "[0.9550, 0.9740]")),
        (0.96512, 0.90, 0.99, ("0.965", "[0.900, 0.990]")),
        (-0.00002, -0.0004, 0.0003, ("−0.00002", "[−0.00040, 0.00030]")),
        (12.7, 3.0, 25.0, ("13", "[3, 25]")),
        (1.0, 1.0, 1.0, ("1", "[1, 1]")),
        (0.02, math.nan, math.nan, ("0.02", "")),
        (math.nan, 0.1, 0.2, ("–", "")),
        (math.inf, 0.1, 0.2, ("–", "")),
        (2e-7, 0.0, 4e-7, ("2.00 × 10⁻⁷", "[0, 4.00 × 10⁻⁷]")),
    ],
)
def test_digits_follow_the_interval(value, low, high, expected):
    assert with_interval(value, low, high) == expected


@given(st.floats(-10, 10), st.floats(1e-5, 5))
def test_rounding_stays_far_below_the_uncertainty(value, half_width):
    places = decimals(half_width)
    shown = float(fixed(value, places).replace("−", "-"))
    assert abs(shown - value) <= 0.051 * half_width + 1e-12


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_float_has_a_text_without_nan_or_negative_zero(value):
    text = plain(value)
    assert text
    assert "nan" not in text.lower()
    assert "inf" not in text.lower()
    assert "-" not in text
    assert text not in ("−0", "−0.0")


@given(st.integers(-(10**8), 10**8))
def test_counts_are_whole_and_exact(value):
    assert int(plain(value).replace(",", "").replace("−", "-")) == value


def test_splits_stand_side_by_side_with_their_differences_to_the_base():
    row = {"model": "a", "metric": "accuracy", "base": "random", "drawn_over": ""}
    row |= {"value": 0.97, "lower": 0.96, "upper": 0.98, "n": 1000, "data_digest": "abc"}
    apart = {"difference": -0.02, "difference_lower": -0.03, "difference_upper": -0.01}
    unsure = {"difference": -0.002, "difference_lower": -0.004, "difference_upper": 0.001}
    frame = pd.DataFrame(
        [
            row | {"split": "cell", "value": 0.95, "drawn_over": "sky_cell"} | apart,
            row | {"split": "plate", "value": 0.968, "drawn_over": "plate", "n": 900} | unsure,
            row | {"split": "random"},
        ]
    )
    assert split_sentence(frame, "accuracy") == (
        "accuracy of a, best on split random, changes on split cell by "
        "−0.020 [−0.030, −0.010] and on split plate by −0.0020 [−0.0040, 0.0010] (not "
        "significant)."
    )
    table = split_table(frame, "t", "", ["said"])
    assert [column.label for column in table.columns] == [
        "model", "score", "random", "cell", "plate", "cell − random", "plate − random",
    ]  # fmt: skip
    assert [column.convention for column in table.columns[-2:]] == [
        "drawn by sky cell",
        "drawn by plate",
    ]
    (cells,) = table.rows
    assert [cell.text for cell in cells[2:5]] == ["0.970", "0.950", "0.968"]
    assert [cell.strong for cell in cells[5:]] == [True, False]
    assert table.notes[0] == (
        "N = 1,000 (random), 1,000 (cell), 900 (plate); "
        "test digests abc (random), abc (cell), abc (plate)"
    )
