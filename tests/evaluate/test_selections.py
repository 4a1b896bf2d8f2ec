"""Objects weighted to a paper's selection: rows whose true scores are known, and refusals."""

import re

import numpy as np
import pandas as pd
import pytest

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.published import PublishedNumber, Selection
from sdssflow.evaluate.bootstrap import effective_number
from sdssflow.evaluate.published import Refused
from sdssflow.evaluate.selections import (
    NotCoveredError,
    selection_weights,
    weighted_scores,
)
from sdssflow.evaluate.tables import Predictions

PLACE = ("mine", "random", "linear")
BOOTSTRAP = Bootstrap(replicates=200)
EDGES = np.linspace(14, 18, 9)


def selection(**said):
    return Selection.model_validate({"variable": "reference_mag", "according_to": "p. 3"} | said)


def survey(n, slope, seed):
    """Draw objects of a survey whose counts rise with magnitude by `slope`, noisier the fainter."""
    draw = np.random.default_rng(seed)
    magnitude = 14 + 4 * draw.power(1 + slope, n)
    zspec = draw.uniform(0.01, 0.3, n)
    residual = draw.normal(0, 0.005 + 0.006 * (magnitude - 14), n)
    return magnitude, zspec, residual


def predictions(n=4000, slope=0.3, seed=1):
    magnitude, zspec, residual = survey(n, slope, seed)
    frame = pd.DataFrame({"reference_mag": magnitude.astype(np.float32), "zspec": zspec})
    frame["zphot"] = zspec + residual
    frame["group"], frame["seed"], frame["row_id"] = [str(k) for k in range(n)], 1, range(n)
    return Predictions("linear", frame, {1: "d" * 12})


def entry(metric="rmse", convention="standard", **said):
    comparison = dict(zip(("sample", "split", "model"), PLACE, strict=True))
    comparison |= {"tolerance": 0.001, "because": "a test"}
    comparison["selection"] = selection(**said).model_dump(exclude_none=True)
    return PublishedNumber.model_validate(
        {
            "title": "A number",
            "citation": {"authors": "A", "journal": "B 1"},
            "where": "abstract",
            "sample": {"description": "objects"},
            "features": "ugriz",
            "method": "a fit",
            "task": "regress",
            "metric": metric,
            "convention": convention,
            "value": 0.02,
            "verified": {"how": "read", "at": "there", "date": "2026-11-30"},
            "comparisons": [comparison],
        }
    )


def scored(mine, **said):
    return weighted_scores({"paper": entry(**said)}, {PLACE: mine}, BOOTSTRAP)[("paper", *PLACE)]


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_the_score_of_another_distribution_is_found_from_ours(seed):
    magnitude, _, residual = survey(1_000_000, 3.0, seed=99)
    truth = np.sqrt(np.mean(residual**2))
    shares = np.histogram(magnitude, EDGES)[0].tolist()
    mine = predictions(seed=seed)
    found = scored(mine, histogram={"edges": EDGES.tolist(), "shares": shares})
    own = np.sqrt(np.mean((mine.frame["zphot"] - mine.frame["zspec"]) ** 2))
    assert own < found.low - 0.001 < truth  # ours are brighter
    assert found.low < truth < found.high
    assert found.low < found.value < found.high
    assert 500 < found.effective_n < 3500


def test_the_scatter_by_medians_is_weighted_too():
    magnitude, _, residual = survey(1_000_000, 3.0, seed=99)
    zspec = np.random.default_rng(1).uniform(0.01, 0.3, len(residual))
    d = residual / (1 + zspec)
    truth = 1.4826 * np.median(np.abs(d - np.median(d)))
    shares = np.histogram(magnitude, EDGES)[0].tolist()
    about = {"metric": "sigma_nmad", "convention": "median subtracted"}
    bins = {"edges": EDGES.tolist(), "shares": shares}
    found = scored(predictions(seed=2), histogram=bins, **about)
    assert found.low < truth < found.high


def test_half_of_the_weight_lies_below_a_median():
    values = survey(4000, 0.3, 1)[0]
    weights = selection_weights(values, selection(median=17.0))
    assert weights[values < 17].sum() == pytest.approx(weights.sum() / 2)
    assert weights.mean() == pytest.approx(1)
    assert effective_number(weights) < len(values)


def test_a_range_takes_what_lies_in_it_and_no_missing_value():
    values = np.append(survey(4000, 0.3, 1)[0], np.nan)
    weights = selection_weights(values, selection(minimum=15.0, maximum=17.0))
    inside = (values >= 15) & (values < 17)
    assert (weights[~inside] == 0).all() and len(set(weights[inside])) == 1
    assert effective_number(weights) == pytest.approx(inside.sum())


def test_the_score_of_equal_weights_is_that_of_the_objects():
    mine = predictions()
    found = scored(mine, maximum=18.0)
    own = np.sqrt(np.mean((mine.frame["zphot"] - mine.frame["zspec"]) ** 2))
    assert found.value == pytest.approx(own) and found.effective_n == pytest.approx(4000)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"maximum": 19.0}, "our reference_mag ends at 18, that of the paper at 19"),
        ({"minimum": 12.0}, "our reference_mag ends at 14.01, that of the paper at 12"),
        ({"median": 18.5}, "0 of our objects have a reference_mag of 18.5 to inf, fewer than 20"),
        ({"histogram": {"edges": [14, 14.15, 18], "shares": [50, 1]}},
         "weighted to the paper's reference_mag, the effective number of our objects is"),
    ],
)  # fmt: skip
def test_what_ours_do_not_cover_is_refused(said, message):
    with pytest.raises(NotCoveredError, match=re.escape(message)):
        selection_weights(predictions(slope=0.5).frame["reference_mag"], selection(**said))
    found = scored(predictions(slope=0.5), **said)
    assert isinstance(found, Refused) and message in found


def test_a_missing_redshift_is_an_error_and_no_undecided_verdict():
    mine = predictions()
    mine.frame.loc[7, "zphot"] = np.nan
    with pytest.raises(ValueError, match="zphot of row_id .* is missing"):
        scored(mine, maximum=18.0)


def test_a_score_that_cannot_be_weighted_is_refused():
    found = scored(predictions(), metric="sigma68", convention="percentiles", median=17.0)
    assert found == "sigma68 (percentiles) has no weighted form"


def test_models_that_a_run_does_not_have_are_passed_over():
    assert weighted_scores({"paper": entry(median=17.0)}, {}, BOOTSTRAP) == {}
