import numpy as np
import pytest
from scipy.stats import beta

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.bootstrap import bound_certain_fraction, draw_counts, interval, replicate

SETTINGS = Bootstrap(replicates=400, level=0.95, seed=3)


def test_rows_of_a_group_are_drawn_together():
    groups = np.array(["a", "b", "a", "c", "b"])
    counts = draw_counts(groups, SETTINGS)
    assert (counts[:, 0] == counts[:, 2]).all()
    assert (counts[:, 1] == counts[:, 4]).all()
    assert (counts[:, 0] != counts[:, 3]).any()


def test_a_group_is_drawn_alike_whatever_stands_around_it():
    whole = draw_counts(np.array(["a", "b", "c"]), SETTINGS)
    part = draw_counts(np.array(["c", "x", "a"]), SETTINGS)
    assert (whole[:, 0] == part[:, 2]).all()
    assert (whole[:, 2] == part[:, 0]).all()


def test_another_seed_draws_otherwise():
    groups = np.array([f"g{i}" for i in range(50)])
    other = SETTINGS.model_copy(update={"seed": 4})
    assert (draw_counts(groups, SETTINGS) != draw_counts(groups, other)).any()


def test_interval_of_a_mean_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    counts = draw_counts(np.array([str(i) for i in range(100)]), SETTINGS)
    for _ in range(300):
        sample = rng.normal(5.0, 2.0, 100)
        low, high = interval(replicate(np.mean, (sample,), counts), 0.9)
        covered += low <= 5.0 <= high
    assert covered / 300 == pytest.approx(0.9, abs=0.05)


def test_grouping_widens_the_interval_of_correlated_rows():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=40), 25)
    alone = draw_counts(np.array([str(i) for i in range(1000)]), SETTINGS)
    together = draw_counts(np.repeat([f"plate{i}" for i in range(40)], 25), SETTINGS)
    widths = [np.diff(interval(replicate(np.mean, (values,), c), 0.95)) for c in (alone, together)]
    assert widths[1] > 3 * widths[0]


def test_a_statistic_no_replicate_defines_has_no_interval():
    low, high = interval(np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan]]), 0.95)
    assert np.isfinite(low[0])
    assert np.isnan(low[1])
    assert np.isnan(high[1])


@pytest.mark.parametrize("n", [1, 30, 5000])
def test_fractions_of_none_or_all_have_exact_binomial_intervals(n):
    none = bound_certain_fraction(0.0, 0.0, 0.0, n, 0.95)
    every = bound_certain_fraction(1.0, 1.0, 1.0, n, 0.95)
    assert none == (0.0, pytest.approx(beta.ppf(0.975, 1, n)))
    assert every == (pytest.approx(beta.ppf(0.025, n, 1)), 1.0)
    assert bound_certain_fraction(0.5, 0.4, 0.6, n, 0.95) == (0.4, 0.6)
