"""Scores as single papers define them."""

from typing import get_args

import numpy as np
import pytest
import score_redshifts
from pydantic import ValidationError

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.scores import Convention, RedshiftScores
from sdssflow.evaluate import paper_metrics
from sdssflow.evaluate.paper_metrics import METRICS, of_conventions
from sdssflow.evaluate.redshift_metrics import Residuals, sigma_nmad, value
from sdssflow.tables import read_csv
from tests.evaluate.test_redshifts import write_predictions
from tests.jobs import run

# dz = -0.1, 0, 0, 0.04, 0.4 and d = -0.1, 0, 0, 0.02, 0.2 by construction
ZSPEC = np.array([0.0, 0.25, 0.5, 1.0, 1.0])
ZPHOT = np.array([-0.1, 0.25, 0.5, 1.04, 1.4])


def scores(zspec=ZSPEC, zphot=ZPHOT):
    residuals = Residuals(zspec, zphot)
    return {(metric.convention, metric.name): value(metric, residuals) for metric in METRICS}


def test_every_metric_on_five_objects_done_by_hand():
    found = scores()
    mean = 0.34 / 5
    expected = {
        ("astroml", "mae"): 0.54 / 5,
        ("ball2007", "within_0.1"): 3 / 5,
        ("ball2007", "within_0.2"): 4 / 5,
        ("ball2007", "within_0.3"): 4 / 5,
        ("brescia2014", "sigma_dz"): np.sqrt(0.1716 / 5 - mean**2),
        ("brescia2014", "nmad_dz"): 1.4826 * 0.04,  # median 0; sizes 0 0 .04 .1 .4
        ("brescia2014", "outlier_2sigma"): 1 / 5,  # sigma of d is 0.097
        ("data_driven_astronomy", "median_ae"): 0.04,
        ("henghes2021", "mae"): 0.54 / 5,
        ("henghes2021", "mae_normalised"): 0.32 / 5,
        ("henghes2021", "nmad_about_zero"): 1.4826 * 0.02,
        ("mlz", "median_dz"): 0.0,
        # at 0.16 x 4 = 0.64 and 3.36 of -0.1 0 0 .04 .4
        ("mlz", "sigma68_dz"): (0.04 + 0.36 * 0.36 + 0.1 - 0.64 * 0.1) / 2,
        ("oyaizu2008", "bias_dz"): mean,
        ("oyaizu2008", "sigma68_dz"): 0.04 + 0.72 * 0.06,  # at 0.68 x 4 = 2.72 of 0 0 .04 .1 .4
        ("oyaizu2008", "sigma95_dz"): 0.1 + 0.8 * 0.3,
        ("rail", "sigma_iqr"): 0.02 / 1.349,
        ("rail", "outlier_iqr"): 2 / 5,  # 3 sigma_iqr is 0.044: the limit is 0.06
        ("sheep2022", "median_ae_normalised"): 0.02,
        ("sheep2022", "nmad_about_zero"): 1.48 * 0.02,
        ("yang2017", "within_normalised_0.1"): 3 / 5,
    }
    assert set(found) == set(expected)
    for name, number in expected.items():
        assert found[name] == pytest.approx(number, abs=1e-12), name


def test_all_scatters_agree_on_an_unbiased_gaussian_at_low_redshift():
    generator = np.random.default_rng(0)
    zspec = np.full(200_000, 1e-9)
    found = scores(zspec, zspec + generator.normal(0, 0.02, 200_000))
    for name in (
        ("brescia2014", "sigma_dz"),
        ("brescia2014", "nmad_dz"),
        ("henghes2021", "nmad_about_zero"),
        ("mlz", "sigma68_dz"),
        ("oyaizu2008", "sigma68_dz"),
        ("rail", "sigma_iqr"),
        ("sheep2022", "nmad_about_zero"),
    ):
        assert found[name] == pytest.approx(0.02, rel=0.01), name
    assert found["oyaizu2008", "sigma95_dz"] == pytest.approx(2 * 0.02, rel=0.03)
    assert found["henghes2021", "mae_normalised"] == pytest.approx(
        0.02 * np.sqrt(2 / np.pi), rel=0.01
    )


def test_a_bias_adds_to_the_scatter_about_zero_alone():
    zspec = np.full(1001, 0.1)
    d = np.random.default_rng(1).normal(0.05, 0.01, 1001)
    found = scores(zspec, zspec + d * 1.1)
    assert sigma_nmad(d) < 0.012
    assert found["henghes2021", "nmad_about_zero"] > 0.07
    assert found["rail", "sigma_iqr"] < 0.012


def test_the_limit_of_rail_follows_wide_scatter():
    d = np.array([-0.2, -0.1, 0.0, 0.1, 0.2, 0.5])
    assert paper_metrics.outlier_iqr(d) == 0  # 3 sigma_iqr is 0.56
    assert paper_metrics.outlier_iqr(d / 100) == 0
    assert paper_metrics.outlier_iqr(np.append(np.zeros(9), 0.061)) == pytest.approx(0.1)
    assert paper_metrics.outlier_iqr(np.append(np.zeros(9), 0.059)) == 0


def test_the_configuration_knows_every_convention_and_no_other():
    assert set(get_args(Convention)) == {metric.convention for metric in METRICS}
    with pytest.raises(ValidationError, match="given twice"):
        RedshiftScores(conventions=["rail", "rail"])
    with pytest.raises(ValidationError, match="Input should be"):
        RedshiftScores(conventions=["mine"])


def test_fractions_have_the_intervals_of_fractions():
    named = [metric for metric in METRICS if metric.name.startswith(("within", "outlier"))]
    assert named
    assert all(metric.fraction for metric in named)


def test_papers_come_in_the_order_they_are_named():
    assert of_conventions([]) == ()
    found = [metric.name for metric in of_conventions(["rail", "astroml"])]
    assert found == ["sigma_iqr", "outlier_iqr", "mae"]


def test_only_a_run_that_asks_has_them_in_its_table(tmp_path):
    path = write_predictions(tmp_path / "sharp.parquet", "sharp")
    tables = {}
    for conventions in ([], ["ball2007", "sheep2022"]):
        names = ("scores", "differences", "scores_by_bin")
        outputs = run(
            score_redshifts,
            {"predictions": [path]},
            {name: str(tmp_path / f"{name}.csv") for name in names},
            models=["sharp"],
            settings=RedshiftScores(bins=2, conventions=conventions).canonical(),
            bootstrap=Bootstrap(replicates=40).canonical(),
        )
        tables[len(conventions)] = read_csv(outputs["scores"])
    plain, more = tables[0], tables[2]
    assert set(more["convention"]) - set(plain["convention"]) == {"ball2007", "sheep2022"}
    kept = more[~more["convention"].isin(["ball2007", "sheep2022"])].reset_index(drop=True)
    assert kept.equals(plain)  # what every run has doesn't feel what is asked besides
    within = more[more["metric"] == "within_0.1"]
    assert (within["value"] == 1).all()
    assert within["lower"].between(0.98, 0.999).all()  # exact binomial, not of no width
