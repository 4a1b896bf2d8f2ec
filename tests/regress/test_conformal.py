"""Conformal intervals: coverage that holds whatever p(z) is."""

import numpy as np
import pytest

from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress.conformal import LEVELS, fit_conformal, half_width


def gaussians(n, seed, factor=1.0, faint_factor=None):
    """Return p(z) whose widths are `factor` times the truth, zspec and magnitudes."""
    generator = np.random.default_rng(seed)
    magnitude = generator.uniform(14, 18, n)
    center = generator.uniform(0.4, 0.6, n)
    truth = 0.01 * np.exp(generator.normal(0, 0.3, n))
    zspec = center + truth * generator.normal(0, 1, n)
    claimed = truth * factor
    if faint_factor is not None:
        claimed = np.where(magnitude > 17, truth * faint_factor, claimed)
    return Mixture(np.ones((n, 1)), center[:, None], claimed[:, None], 0.0, 1.0), zspec, magnitude


def covered(table, pdf, zspec, magnitude, name):
    columns = table.intervals(pdf, magnitude)
    return (columns[f"conformal_low_{name}"] <= zspec) & (
        zspec <= columns[f"conformal_high_{name}"]
    )


def fitted(n, seed, bins=4, **options):
    pdf, zspec, magnitude = gaussians(n, seed, **options)
    return fit_conformal(pdf.cdf(zspec), magnitude, bins)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("name", ["68", "95"])
def test_coverage_holds_however_wrong_p_z_is(name, factor):
    table = fitted(4000, 1, factor=factor)
    inside = covered(table, *gaussians(8000, 2, factor=factor), name)
    level = LEVELS[name]
    error = np.sqrt(level * (1 - level) * (1 / 4000 + 1 / 8000))
    assert inside.mean() == pytest.approx(level, abs=4 * error)


def test_coverage_holds_in_each_bin_where_one_is_miscalibrated():
    table = fitted(4000, 1, faint_factor=0.4)
    pdf, zspec, magnitude = gaussians(8000, 2, faint_factor=0.4)
    inside = covered(table, pdf, zspec, magnitude, "68")
    error = np.sqrt(0.68 * 0.32 * (1 / 1000 + 1 / 2000))
    bins = np.digitize(magnitude, [15, 16, 17])
    for number in range(4):
        assert inside[bins == number].mean() == pytest.approx(0.68, abs=4 * error)
    pooled = fitted(4000, 1, bins=1, faint_factor=0.4)  # one bin covers the faint too little
    faint = covered(pooled, pdf, zspec, magnitude, "68")[bins == 3]
    assert faint.mean() < 0.68 - 10 * error


def test_twenty_objects_cover_what_is_promised():
    # rank ceil(21 x 0.68) = 15 of 20: covers 15 / 21 on average, no fewer than 0.68
    generator = np.random.default_rng(0)
    scores = np.abs(generator.uniform(size=(20_000, 21)) - 0.5)
    hits = [own <= half_width(rest, 0.68) for *rest, own in scores]
    error = np.sqrt(0.7 * 0.3 / 20_000)
    assert np.mean(hits) == pytest.approx(15 / 21, abs=4 * error)
    assert 0.68 < 15 / 21 < 0.68 + 1 / 21


@pytest.mark.parametrize(("n", "level", "rank"), [(19, 0.95, 19), (24, 0.68, 17), (99, 0.68, 68)])
def test_a_rank_that_is_whole_is_not_rounded_up(n, level, rank):
    assert half_width(np.arange(1, n + 1) / 1000, level) == rank / 1000


def test_too_few_objects_give_the_whole_range():
    assert half_width(np.full(18, 0.1), 0.95) == 0.5
    assert half_width(np.full(19, 0.1), 0.95) == 0.1
    assert np.isnan(half_width(np.empty(0), 0.95))
    pdf, zspec, magnitude = gaussians(18, 1)
    table = fit_conformal(pdf.cdf(zspec), magnitude, 1)
    columns = table.intervals(pdf, magnitude)
    assert columns["conformal_low_95"] == pytest.approx(0)
    assert columns["conformal_high_95"] == pytest.approx(1)


def test_a_bin_too_small_for_a_level_takes_the_pooled_value():
    table = fitted(60, 1, bins=4)  # 15 in each: enough for 68 %, not for 95 %
    assert table.objects.tolist() == [15] * 4
    assert set(table.reach["95"]) == {table.reach_of_all["95"]}
    assert table.reach_of_all["95"] < 0.5
    assert len(set(table.reach["68"])) > 1


def test_an_object_without_magnitude_takes_the_pooled_value():
    pdf, zspec, magnitude = gaussians(400, 1, faint_factor=0.4)
    lacking = magnitude.copy()
    lacking[::7] = np.nan
    table = fit_conformal(pdf.cdf(zspec), lacking, 4)
    assert table.objects.sum() == np.isfinite(lacking).sum()
    reach = table.half_widths("68", lacking)
    assert set(reach[::7]) == {table.reach_of_all["68"]}
    assert set(reach[1:7]) <= set(table.reach["68"])
    outer = table.half_widths("68", np.array([5.0, 30.0]))
    assert outer.tolist() == table.reach["68"][[0, -1]].tolist()
    all_lacking = fit_conformal(pdf.cdf(zspec), np.full(400, np.nan), 4)
    assert np.isfinite(all_lacking.half_widths("68", lacking)).all()


def test_without_calibration_objects_there_are_no_intervals():
    table = fit_conformal(np.empty(0), np.empty(0), 4)
    pdf, _, magnitude = gaussians(5, 1)
    for values in table.intervals(pdf, magnitude).values():
        assert np.isnan(values).all()
        assert values.shape == (5,)


def test_an_object_has_one_interval_whatever_is_beside_it():
    table = fitted(400, 1, faint_factor=0.4)
    pdf, _, magnitude = gaussians(50, 2, faint_factor=0.4)
    whole = table.intervals(pdf, magnitude)
    for row in range(0, 50, 9):
        alone = table.intervals(pdf[[row]], magnitude[[row]])
        for name, values in alone.items():
            assert values[0] == pytest.approx(whole[name][row], abs=1e-9)


def test_a_factor_of_all_widths_leaves_the_intervals_of_gaussians_alone():
    pdf, zspec, magnitude = gaussians(400, 1)
    plain = fit_conformal(pdf.cdf(zspec), magnitude, 4).intervals(pdf, magnitude)
    wide = pdf.rescaled(1.5)
    stretched = fit_conformal(wide.cdf(zspec), magnitude, 4).intervals(wide, magnitude)
    for name, values in plain.items():
        np.testing.assert_allclose(stretched[name], values, atol=1e-6)
