"""Metrics of p(z): against scipy and hand-made numbers."""

import numpy as np
import pytest

from sdssflow.evaluate import redshift_metrics
from sdssflow.evaluate.pdf_metrics import COLUMNS, LOG_FLOOR, METRICS, POINTS
from sdssflow.evaluate.pdfs import score
from sdssflow.evaluate.redshift_metrics import MAD_TO_SIGMA
from tests.evaluate.pdf_predictions import gaussian_columns


def whole(columns):
    """All metrics by name and convention, without replicates."""
    counts = np.ones((1, len(columns["pit"])), dtype=np.uint8)
    found = score(columns, counts)
    return {(m.name, m.convention): value for m, value in zip(METRICS, found.values, strict=True)}


def drawn_columns(n, seed=0, stretch=1.0, bias=0.0):
    generator = np.random.default_rng(seed)
    mean = generator.uniform(0.1, 0.6, n)
    width = generator.uniform(0.01, 0.03, n)
    return gaussian_columns(
        mean, stretch * width, mean + bias + width * generator.standard_normal(n)
    )


def test_every_metric_on_four_objects_done_by_hand():
    columns = {name: np.full(4, 0.5) for name in COLUMNS}
    columns["zspec"] = np.array([0.0, 0.25, 0.5, 1.0])
    columns["pit"] = np.array([0.0, 0.25, 0.5, 0.99995])
    columns["crps"] = np.array([0.1, 0.2, 0.3, 0.4])
    columns["cde"] = np.array([-1.0, -2.0, -3.0, 0.0])
    columns["log_density"] = np.array([-np.inf, 1.0, 2.0, 0.0])
    columns["zphot"] = np.ones(4)
    columns |= {"z_low_68": np.full(4, 0.3), "z_high_68": np.full(4, 0.6)}
    columns |= {"z_low_95": np.full(4, 0.25), "z_high_95": np.full(4, 0.75)}
    columns |= {"conformal_low_68": np.full(4, 0.2), "conformal_high_68": np.full(4, 0.5)}
    columns |= {"conformal_low_95": np.full(4, 0.0), "conformal_high_95": np.full(4, 1.0)}
    columns["zphot_median"] = np.array([0.1, 0.25, 0.5, 1.0])  # d = 0.1, 0, 0, 0
    columns["zphot_mode"] = np.array([0.0, 0.5, 0.5, 1.0])  # d = 0, 0.2, 0, 0
    found = whole(columns)
    by_name = {metric: value for (metric, _), value in found.items()}
    expected = {
        "pit_ks": 0.49995,  # F stays 3/4 up to the last, and all of PIT 1 lies there
        "pit_outliers": 2 / 4,
        "crps": 0.25,
        "cde_loss": -1.5,
        "log_likelihood": (LOG_FLOOR + 3) / 4,
        "coverage_68": 1 / 4,
        "coverage_95": 2 / 4,  # ends belong to the interval
        "conformal_68": 2 / 4,
        "conformal_95": 1.0,
        "sharpness_68": 0.3 / 2 / 2,
        "sharpness_95": 0.5 / 2 / 2,
        "conformal_sharpness_95": 1 / 2 / 2,
    }
    expected["pit_ks"] = max(np.abs(0.5 - 0.75), np.abs(0.99995 - 0.75))
    for name, value in expected.items():
        assert by_name[name] == pytest.approx(value, abs=1e-12), name
    points = {
        ("bias", "of the median"): 0.025,
        ("rms", "of the median"): np.sqrt(0.01 / 4),
        ("outlier_0.05", "of the median"): 1 / 4,
        ("outlier_0.15", "of the median"): 0,
        ("sigma_nmad", "of the median"): 0,
        ("bias", "of the mode"): 0.05,
        ("rms", "of the mode"): 0.1,
        ("outlier_0.15", "of the mode"): 1 / 4,
        ("bias", "of the mean"): (0.5 + 0.2 + 0 - 0.25) / 4,
        # d = 0.5, 0.2, 0, -0.25 about 0.1: 0.4, 0.1, 0.1, 0.35
        ("sigma_nmad", "of the mean"): MAD_TO_SIGMA * 0.225,
    }
    for key, value in points.items():
        assert found[key] == pytest.approx(value, abs=1e-12), key


def test_right_densities_are_found_right_and_narrow_ones_narrow():
    n = 20_000
    right, narrow = (whole(drawn_columns(n, stretch=stretch)) for stretch in (1.0, 0.5))
    names = {metric: (metric, convention) for metric, convention in right}
    assert right[names["pit_ks"]] < 1.36 / np.sqrt(n)  # 95 % of uniform samples
    assert narrow[names["pit_ks"]] > 0.1
    for level in (68, 95):
        key = names[f"coverage_{level}"]
        assert right[key] == pytest.approx(level / 100, abs=0.01)
        assert narrow[key] < level / 100 - 0.1
    for better in ("crps", "cde_loss"):
        assert right[names[better]] < narrow[names[better]]
    assert right[names["log_likelihood"]] > narrow[names["log_likelihood"]]
    assert right[names["sharpness_68"]] == pytest.approx(2 * narrow[names["sharpness_68"]])


def test_a_summary_of_densities_is_shown_in_the_score_table_alone():
    of_points = [metric for metric in METRICS if metric.convention.startswith("of the ")]
    assert len(of_points) == len(POINTS) * sum(metric.points for metric in redshift_metrics.METRICS)
    assert not [m for m in of_points if m.headline or m.drawn or m.weighted or m.compared]
    assert not [m for m in of_points if m.binned or m.subgroup]
