"""Summaries and scores against quadrature and closed forms."""

import numpy as np
import pytest
from scipy.stats import norm

from sdssflow.redshift_pdf.best import CAP
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.redshift_pdf.scores import pdf_scores
from sdssflow.redshift_pdf.summaries import summarise
from tests.redshift_pdf import mixtures

SOME = {
    "galaxies": mixtures.galaxies(6),
    "quasars": mixtures.quasars(6),
    "forest": mixtures.galaxies(3, components=80),
    "awkward": mixtures.awkward(),
}
every = pytest.mark.parametrize("pdf", SOME.values(), ids=SOME)


def integral(function, pdf, zspec):
    """By Gauss's rule, between points that no spike escapes."""
    steps = (pdf.means + pdf.scales * np.array([-8, -3, -1, 0, 1, 3, 8])[:, None, None]).ravel()
    ends = np.unique(np.clip([*steps, zspec, pdf.lower, pdf.upper], pdf.lower, pdf.upper))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = np.diff(ends)[:, None] / 2
    z = ends[:-1, None] + half * (1 + nodes)
    return (half * weights * function(z.ravel()).reshape(z.shape)).sum()


@every
def test_crps_and_cde_are_their_integrals(pdf):
    zspec = np.random.default_rng(4).uniform(-0.1, 1.1, len(pdf)) * pdf.upper
    scores = pdf_scores(pdf, zspec)
    for row, truth in enumerate(zspec):
        one = pdf[row : row + 1]

        def squared_miss(z, row=row, truth=truth):
            return (pdf[np.full(len(z), row)].cdf(z) - (z >= truth)) ** 2

        def squared(z, row=row):
            return pdf[np.full(len(z), row)].density(z) ** 2

        beyond = max(truth - pdf.upper, pdf.lower - truth, 0)
        crps = integral(squared_miss, one, truth) + beyond
        cde = integral(squared, one, truth) - 2 * one.density(truth[None])[0]
        assert scores["crps"][row] == pytest.approx(crps, rel=1e-6)
        assert scores["cde"][row] == pytest.approx(cde, rel=1e-6)


def test_crps_and_cde_of_an_uncut_gaussian_have_their_closed_forms():
    scales = np.array([1e-4, 0.01, 0.05, 0.1])
    pdf = Mixture(np.ones((4, 1)), np.full((4, 1), 2.0), scales[:, None], 0.0, 4.0)
    deviation = np.array([-1.3, 0.0, 0.4, 2.5])
    scores = pdf_scores(pdf, 2.0 + deviation * scales)
    closed = deviation * (2 * norm.cdf(deviation) - 1) + 2 * norm.pdf(deviation) - np.pi**-0.5
    np.testing.assert_allclose(scores["crps"], scales * closed, rtol=1e-6)
    cde = 1 / (2 * scales * np.sqrt(np.pi)) - 2 * norm.pdf(deviation) / scales
    np.testing.assert_allclose(scores["cde"], cde, rtol=1e-9)
    np.testing.assert_allclose(scores["pit"], norm.cdf(deviation), atol=1e-9)
    np.testing.assert_allclose(scores["log_density"], norm.logpdf(deviation) - np.log(scales))


@every
def test_scores_and_summaries_of_an_object_do_not_depend_on_those_beside_it(pdf):
    zspec = np.random.default_rng(4).uniform(0, 1, len(pdf)) * pdf.upper
    order = np.arange(len(pdf))[::-1]
    whole = {**pdf_scores(pdf, zspec), **summarise(pdf, "mode")}
    turned = {**pdf_scores(pdf[order], zspec[order]), **summarise(pdf[order], "mode")}
    for name, values in whole.items():
        np.testing.assert_allclose(turned[name], values[order], rtol=1e-9, atol=1e-9)


def test_a_zspec_outside_the_range_has_finite_scores():
    pdf = mixtures.galaxies(2)
    scores = pdf_scores(pdf, np.array([-0.01, 1.2]))
    assert scores["pit"].tolist() == [0, 1]
    assert scores["log_density"] == pytest.approx(np.log(1e-300))
    inside = pdf_scores(pdf, np.array([0.0, 1.0]))["crps"]
    assert scores["crps"] == pytest.approx(inside + np.array([0.01, 0.2]))


def test_zspec_must_be_known_and_one_each():
    pdf = mixtures.galaxies(3)
    with pytest.raises(ValueError, match="object 1 is nan"):
        pdf_scores(pdf, np.array([0.1, np.nan, 0.1]))
    with pytest.raises(ValueError, match="one per density"):
        pdf_scores(pdf, np.array([0.1]))


@pytest.mark.parametrize("point", ["mean", "median", "mode", "best"])
def test_summaries(point):
    pdf = mixtures.galaxies(40)
    summary = summarise(pdf, point)
    assert list(summary) == [
        *("zphot", "zphot_mean", "zphot_median", "zphot_mode", "zphot_best"),
        *("z_low_68", "z_high_68", "z_low_95", "z_high_95", "odds"),
    ]
    zphot = summary["zphot"]
    np.testing.assert_array_equal(zphot, summary[f"zphot_{point}"])
    np.testing.assert_array_equal(summary["zphot_mean"], pdf.mean())
    np.testing.assert_array_equal(summary["zphot_mode"], pdf.mode())
    for low, high, inside in (("z_low_68", "z_high_68", 0.68), ("z_low_95", "z_high_95", 0.95)):
        within = pdf.cdf(summary[high]) - pdf.cdf(summary[low])
        np.testing.assert_allclose(within, inside, atol=1e-9)
        np.testing.assert_allclose(pdf.cdf(summary[low]), (1 - inside) / 2, atol=1e-9)
    np.testing.assert_allclose(pdf.cdf(summary["zphot_median"]), 0.5, atol=1e-9)
    width = 0.05 * (1 + zphot)
    odds = pdf.cdf(zphot + width) - pdf.cdf(zphot - width)
    np.testing.assert_allclose(summary["odds"], odds, atol=1e-12)


def test_an_unknown_point_estimate_is_refused():
    with pytest.raises(ValueError, match="must be one of mean, median, mode, best"):
        summarise(mixtures.galaxies(1), "peak")


@every
def test_no_other_point_loses_less_than_the_best(pdf):
    edges = np.linspace(np.log1p(pdf.lower), np.log1p(pdf.upper), 2001)
    masses = np.diff(pdf.cdf(np.tile(np.expm1(edges), (len(pdf), 1))), axis=1)
    z = (edges[1:] + edges[:-1]) / 2
    loss = np.minimum(np.abs(edges[:, None] - z), CAP) @ masses.T
    own = np.minimum(np.abs(np.log1p(pdf.best())[:, None] - z), CAP)
    np.testing.assert_array_less((own * masses).sum(axis=1), loss.min(axis=0) + 2e-4)


def test_below_the_best_point_of_a_narrow_density_lies_as_much_as_above():
    """To 1e-7 in the redshift, though the first steps to it are in float32."""
    pdf = mixtures.galaxies(300, components=31)
    x = np.log1p(pdf.best())
    below, middle, above = pdf.cdf(np.expm1(np.stack([x - CAP, x, x + CAP], axis=1))).T
    slope = 2 * pdf.density(np.expm1(x)) * np.exp(x)
    assert np.abs((2 * middle - below - above) / slope).max() < 1e-7


def test_the_best_point_of_a_narrow_density_is_its_median():
    pdf = Mixture(np.ones((3, 1)), np.array([[0.1], [0.5], [2.0]]), np.full((3, 1), 0.02), 0.0, 3.0)
    np.testing.assert_allclose(pdf.best(), pdf.quantiles([0.5])[:, 0], atol=2e-4)
