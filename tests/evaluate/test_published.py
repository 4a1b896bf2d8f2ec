"""Verdicts on published numbers, and results held against what was locked."""

import json
from functools import partial
from pathlib import Path

import check_published
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.figures import Figures
from sdssflow.configuration.published import PublishedNumber
from sdssflow.evaluate import reproduction
from sdssflow.evaluate.published import (
    COLUMNS,
    DIFFERS,
    NOT_COMPARABLE,
    NOT_RUN,
    REPRODUCED,
    UNDECIDED,
    Refused,
    agreement,
    check_numbers,
)
from sdssflow.evaluate.selections import scores_of_curves
from sdssflow.evaluate.tables import Predictions
from sdssflow.tables import content_digest, read_csv, write_csv, write_parquet
from tests.jobs import run

ROOT = Path(__file__).parents[2]
ENTRY = yaml.safe_load((ROOT / "config/published/ball2008_main_galaxies.yaml").read_text())
BETTER = {DIFFERS: 0, UNDECIDED: 1, REPRODUCED: 2}
numbers = st.floats(-10, 10)
sizes = st.floats(0, 10)
tolerances = st.floats(1e-6, 10)


@given(numbers, sizes, numbers, sizes, sizes, tolerances)
def test_the_verdict_is_about_where_our_whole_interval_lies(theirs, error, ours, left, right, t):
    low, high = ours - left, ours + right
    verdict = agreement(theirs, error, low, high, t)
    margin = t + 2 * error
    inside = theirs - margin <= low and high <= theirs + margin
    outside = high < theirs - margin or low > theirs + margin
    assert (verdict == REPRODUCED) == inside
    assert (verdict == DIFFERS) == outside
    assert not (inside and outside)


@given(numbers, sizes, numbers, sizes, tolerances, sizes)
def test_a_wider_tolerance_never_makes_a_verdict_worse(theirs, error, ours, half, t, more):
    before = agreement(theirs, error, ours - half, ours + half, t)
    after = agreement(theirs, error, ours - half, ours + half, t + more)
    assert BETTER[after] >= BETTER[before]


@given(numbers, numbers, sizes, tolerances)
def test_an_interval_wider_than_the_tolerance_reproduces_nothing(theirs, ours, half, t):
    assert agreement(theirs, None, ours - half - 1.01 * t, ours + half + 1.01 * t, t) != REPRODUCED


@given(numbers, sizes, numbers, sizes, tolerances)
def test_the_sign_does_not_matter(theirs, error, ours, half, t):
    low, high = ours - half, ours + half
    assert agreement(theirs, error, low, high, t) == agreement(-theirs, error, -high, -low, t)


def entry(**changes):
    return PublishedNumber.model_validate(ENTRY | changes)


def comparison(**changes):
    return {
        "sample": "mgs", "split": "published", "model": "linear", "tolerance": 0.001, "because": "w"
    } | changes  # fmt: skip


def scores(value=0.0208, lower=0.0205, upper=0.0211, **changes):
    row = {"model": "linear", "seed": "all", "metric": "rmse", "convention": "standard",
           "subset": "all", "value": value, "lower": lower, "upper": upper, "n": 9,
           "data_digest": "abc"} | changes  # fmt: skip
    # a single seed too, which must not be taken
    return pd.DataFrame([row | {"seed": "1", "value": 7.0}, row])


KEY = ("mgs", "regress", "published")
BOOTSTRAP = Bootstrap(replicates=50)
FEATURES, SCORES = "mgs/features/features.parquet", "mgs/regress/published/scores.csv"


def checked(number, tables, reasons=None):
    table = check_numbers({"entry": number}, tables, reasons or {}, {}, {})
    assert list(table.columns) == COLUMNS
    assert len(table) == len(number.comparisons)
    return table.iloc[0]


def test_ours_theirs_and_their_difference_stand_in_one_row():
    row = checked(entry(comparisons=[comparison()]), {KEY: scores()})
    assert (row["theirs"], row["ours"], row["ours_low"], row["ours_high"]) == (
        0.0207, 0.0208, 0.0205, 0.0211,
    )  # fmt: skip
    assert row["difference"] == pytest.approx(0.0001)
    assert (row["verdict"], row["digest"], row["because"]) == (REPRODUCED, "abc", "w")


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"),
    [(0.0205, 0.0211, REPRODUCED), (0.0190, 0.0211, UNDECIDED), (0.0150, 0.0170, DIFFERS)],
)
def test_the_interval_decides(lower, upper, verdict):
    table = scores(value=(lower + upper) / 2, lower=lower, upper=upper)
    assert checked(entry(comparisons=[comparison()]), {KEY: table})["verdict"] == verdict


def test_a_score_without_interval_has_no_verdict():
    table = scores(value=0.0208, lower=float("nan"), upper=float("nan"))
    row = checked(entry(comparisons=[comparison()]), {KEY: table})
    assert (row["verdict"], row["because"]) == (
        "not run", "'rmse' (standard) has no interval on mgs",
    )  # fmt: skip


def test_what_cannot_be_compared_is_shown_without_a_verdict_on_it():
    number = entry(comparisons=[comparison(tolerance=None, because="brighter")])
    row = checked(number, {KEY: scores()})
    assert (row["verdict"], row["because"], row["ours"]) == (NOT_COMPARABLE, "brighter", 0.0208)
    row = checked(number, {}, {"mgs": "no rows"})
    assert (row["verdict"], row["because"]) == (NOT_COMPARABLE, "brighter")
    assert pd.isna(row["ours"])


@pytest.mark.parametrize(
    ("tables", "reasons", "because"),
    [
        ({}, {"mgs": "needs a download"}, "needs a download"),
        ({}, {}, "no split 'published' of mgs"),
        ({KEY: scores(model="forest")}, {}, "trains no 'linear' on mgs"),
        ({KEY: scores(convention="other")}, {}, "have no 'rmse' (standard)"),
        ({KEY: scores(subset="QSO")}, {}, "have no 'rmse' (standard)"),
        ({KEY: scores(value=float("nan"))}, {}, "is undefined on mgs"),
    ],
)
def test_what_was_not_run_says_why(tables, reasons, because):
    row = checked(entry(comparisons=[comparison()]), tables, reasons)
    assert row["verdict"] == NOT_RUN
    assert because in row["because"]
    assert pd.isna(row["ours"])


SELECTION = {"variable": "zspec", "median": 0.1, "according_to": "abstract"}


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ((0.0208, 0.0205, 0.0211, "abc", 1234.5), "compatible within"),
        ((0.0200, 0.0190, 0.0211, "abc", 1234.5), "compatibility undecided"),
        ((0.0160, 0.0150, 0.0170, "abc", 1234.5), "not compatible"),
        (Refused("ours end before"), NOT_COMPARABLE),
        (None, NOT_RUN),
    ],
)
def test_weighted_objects_reproduce_nothing(ours, verdict):
    number = entry(comparisons=[comparison(), comparison(selection=SELECTION)])
    weighted = {} if ours is None else {("entry", "mgs", "published", "linear"): ours}
    table = check_numbers({"entry": number}, {KEY: scores()}, {}, {}, weighted)
    assert table["verdict"].tolist() == [REPRODUCED, verdict]
    row = table.iloc[1]
    assert row["weighted_to"] == "zspec: median 0.1 (abstract)"
    if ours is None:
        assert row["because"] == "this run has no 'linear' on split 'published' of mgs"
    elif isinstance(ours, Refused):
        assert row["because"] == "ours end before"
    else:
        assert (row["ours"], row["effective_n"], row["digest"]) == (ours[0], 1234.5, "abc")
    assert table["weighted_to"].isna()[0]
    names = list(reproduction._verdicts(table))
    assert names[1] == f"{names[0]}, weighted"
    table = check_numbers({"entry": number}, {KEY: scores()}, {"mgs": "another"}, {}, weighted)
    assert table["verdict"].tolist() == [NOT_RUN, NOT_RUN]


def test_a_row_says_what_stands_between_us_and_a_number_and_what_closes_it():
    gaps = [
        {"of": "rows", "what": "all of them", "closed_by": [{"sample": "a"}, {"sample": "b"}]},
        {"of": "method", "what": "neighbours", "closed_by": [{"model": "nearest_neighbours"}]},
        {"of": "features", "what": "images", "closed_by": [{"address": "x.org"}]},
        {"of": "formula", "what": "not said"},
    ]
    number = entry(comparisons=[comparison()], gaps=gaps)
    row = checked(number, {KEY: scores()}, {"a": "needs a download"})
    assert (
        row["gaps"] == "rows: all of them; method: neighbours; features: images; formula: not said"
    )
    assert row["closed_by"] == (
        "rows: sample a (needs a download) or sample b (in this run); "
        "method: models of kind nearest_neighbours; features: x.org; "
        "formula: nothing known to us"
    )
    assert checked(entry(comparisons=[comparison()], gaps=[]), {KEY: scores()})["gaps"] == ""


OUTPUTS = {"published": "published.csv", "curves": "curves.png"}


def test_the_script_reads_the_tables_it_is_given(tmp_path):
    write_csv(scores(), tmp_path / "scores.csv")
    numbers = {"entry": json.loads(entry(comparisons=[comparison()]).canonical())}
    run(
        check_published,
        {"scores": [str(tmp_path / "scores.csv")]},
        {name: str(tmp_path / file) for name, file in OUTPUTS.items()},
        numbers=json.dumps(numbers),
        tables=json.dumps([list(KEY)]),
        predicting="[]",
        bootstrap=BOOTSTRAP.canonical(),
        reasons="{}",
        settings=Figures().canonical(),
    )
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert read_csv(tmp_path / "published.csv")["verdict"].tolist() == [REPRODUCED]


def curve(*values, metric="bias_dz", convention="oyaizu2008"):
    entry = ENTRY | {"metric": metric, "convention": convention, "uncertainty": None}
    del entry["value"]
    edges = [0.1 * k for k in range(len(values) + 1)]
    verified = {"how": "digitised", "reading_error": 0.0003, "at": "x", "date": "2026-11-30"}
    more = {"curve": {"edges": edges, "values": [*values]}, "verified": verified}
    return PublishedNumber.model_validate(entry | more | {"comparisons": [comparison()]})


def predictions(n=400):
    """Redshifts 0 to 0.2 of two seeds: too high by 0.01 below 0.1, too low by 0.02 above."""
    zspec = np.tile(np.linspace(0, 0.2, n, endpoint=False), 2)
    noise = np.tile([0.001, -0.001], n)
    frame = pd.DataFrame({"zspec": zspec, "seed": np.repeat([1, 2], n)})
    frame["zphot"] = zspec + np.where(zspec < 0.1, 0.01, -0.02) + noise
    frame["group"] = [f"{k % n}" for k in range(2 * n)]
    return Predictions("linear", frame, {1: "a" * 64, 2: "b" * 64})


def of_curve(number, found, reasons=None):
    numbers = {"entry": number}
    curves = scores_of_curves(numbers, found, BOOTSTRAP)
    return check_numbers(numbers, {}, reasons or {}, curves, {})


@pytest.mark.parametrize(("n", "words"), [(37, "19 test objects have"), (1, "1 test object has")])
def test_a_bin_of_few_objects_has_no_verdict(n, words):
    found = {("mgs", "published", "linear"): predictions(n)}
    table = of_curve(curve(0.01, -0.02), found)
    assert table["verdict"].tolist() == [NOT_RUN, NOT_RUN]
    assert table["because"][0] == f"{words} a zspec of 0 to 0.1, fewer than 20"


def test_a_curve_is_compared_bin_by_bin():
    key = ("mgs", "published", "linear")
    table = of_curve(curve(0.01, -0.02, 0.0), {key: predictions()})
    assert table["zspec_low"].tolist() == pytest.approx([0, 0.1, 0.2])
    assert table["ours"].tolist()[:2] == pytest.approx([0.01, -0.02])
    assert (table["ours_low"][:2] < table["ours"][:2]).all()
    assert table["verdict"].tolist() == [REPRODUCED, REPRODUCED, NOT_RUN]
    assert table["because"][2] == "no test object has a zspec of 0.2 to 0.3"
    assert set(table["uncertainty"]) == {0.0003}
    table = of_curve(curve(0.02, -0.02), {key: predictions()})
    assert table["verdict"].tolist() == [DIFFERS, REPRODUCED]
    names = list(reproduction._verdicts(table))
    assert names == [f"entry with mgs/published/linear from {low}" for low in ("0", "0.1")]


def test_the_scatter_of_a_bin_is_about_its_own_mean():
    number = curve(0.001, 0.001, metric="sigma_dz", convention="brescia2014")
    table = of_curve(number, {("mgs", "published", "linear"): predictions()})
    assert table["ours"].tolist() == pytest.approx([0.001, 0.001])


def test_a_curve_of_a_model_that_was_not_trained_says_so():
    table = of_curve(curve(0.01, -0.02), {})
    assert set(table["verdict"]) == {NOT_RUN}
    assert table["because"][0] == "this run has no 'linear' on split 'published' of mgs"
    for found in ({}, {("mgs", "published", "linear"): predictions()}):  # of another mgs, say
        table = of_curve(curve(0.01, -0.02), found, {"mgs": "no rows"})
        assert set(table["because"]) == {"no rows"}


def test_a_curve_of_no_known_metric_is_an_error():
    with pytest.raises(ValueError, match="no metric 'bias_dz' with the convention 'mine'"):
        of_curve(
            curve(0.01, -0.02, convention="mine"), {("mgs", "published", "linear"): predictions()}
        )


@pytest.fixture
def finished(tmp_path):
    """Results of a run of one sample, what was locked of them, and their folder."""
    results = tmp_path / "results"
    table = pa.table({"x": [1.0, 2.0]})
    write_parquet(table, results / FEATURES)
    write_scores(results)
    published = check_numbers(
        {"entry": entry(comparisons=[comparison()])}, {KEY: scores()}, {}, {}, {}
    )
    write_csv(published, results / "published.csv")
    locked = {
        "tables": {FEATURES: content_digest(table)},
        "scores": {SCORES: dict(reproduction._scores(scores(), ["rmse"]))},
        "verdicts": reproduction._verdicts(published),
    }
    return results, locked


def check(results, locked, tmp_path, *options):
    path = tmp_path / "lock.yaml"
    path.write_text(yaml.safe_dump(locked))
    return reproduction.main(["--check", "--results", str(results), "--file", str(path), *options])


def test_results_as_locked_pass(finished, tmp_path, capsys):
    assert check(*finished, tmp_path) == 0
    assert "1 tables, 1 scores, 1 verdicts" in capsys.readouterr().out


def write_scores(results, **changes):
    write_csv(scores(**changes), results / SCORES)


def other_table(results):
    write_parquet(pa.table({"x": [1.0, 2.5]}), results / FEATURES)


def other_verdict(results):
    table = read_csv(results / "published.csv").assign(verdict=DIFFERS)
    write_csv(table, results / "published.csv")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (other_table, FEATURES),
        # the tolerance is a quarter of the width 0.0006
        (partial(write_scores, value=0.02096), "linear: rmse (standard), all"),
        (partial(write_scores, value=float("nan")), "nan"),
        (partial(write_scores, model="other"), reproduction.ABSENT),
        (other_verdict, DIFFERS),
        (lambda results: (results / FEATURES).unlink(), reproduction.ABSENT),
        (lambda results: (results / "published.csv").unlink(), reproduction.ABSENT),
    ],
)
def test_what_is_not_as_locked_fails_and_is_named(finished, tmp_path, capsys, change, named):
    results, locked = finished
    change(results)
    assert check(results, locked, tmp_path) == 1
    printed = capsys.readouterr()
    assert named in printed.out
    assert "1 of " in printed.err


def test_one_kind_can_be_checked_alone(finished, tmp_path, capsys):
    results, locked = finished
    other_table(results)
    assert check(results, locked, tmp_path, "--only", "scores", "verdicts") == 0
    assert "0 tables, 1 scores, 1 verdicts" in capsys.readouterr().out
    other_verdict(results)
    assert check(results, locked, tmp_path, "--only", "verdicts") == 1


def test_a_score_within_its_tolerance_passes(finished, tmp_path):
    results, locked = finished
    write_scores(results, value=0.02094)
    assert check(results, locked, tmp_path) == 0


@given(st.floats(-1e3, 1e3), st.floats(0, 10))
def test_the_tolerance_is_positive_and_a_quarter_of_the_interval(value, width):
    table = scores(value=value, lower=value, upper=value + width)
    ((_, score),) = reproduction._scores(table, ["rmse"])
    wanted = max(0.25 * (float(value + width) - value), 1e-9 * max(1.0, abs(value)))
    assert wanted <= score["tolerance"] * (1 + 1e-9)
    assert score["tolerance"] <= 1.11 * wanted


def test_the_lock_names_the_tables_of_the_default_run(monkeypatch):
    monkeypatch.chdir(ROOT)
    locked = yaml.safe_load((ROOT / reproduction.LOCK).read_text(encoding="utf-8"))
    assert list(locked["tables"]) == reproduction.data_tables()
    assert list(locked["scores"]) == [path for path, _ in reproduction.score_files()]
    assert all(locked["scores"].values())
    named = {name.partition(" with ")[0] for name in locked["verdicts"]}
    assert named == {path.stem for path in (ROOT / "config/published").glob("*.yaml")}
