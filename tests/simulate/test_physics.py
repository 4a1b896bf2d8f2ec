"""Stars, galaxies and quasars have the colours, magnitudes and noise of their kind."""

import numpy as np
import pytest

from sdssflow.photometry import asinh_to_flux
from skyserver_standin.sky import conventions
from skyserver_standin.sky.conventions import BANDS
from skyserver_standin.sky.galaxies import calzetti, half_light_radius
from skyserver_standin.sky.grids import (
    Sampler,
    arcsec_per_kpc,
    distance_modulus,
    galaxy_grid,
    quasar_grid,
    white_dwarf_magnitudes,
)
from skyserver_standin.sky.instruments import CALIBRATION, POGSON, flux_error, mag_to_flux, measure
from skyserver_standin.sky.quasars import smc_extinction
from skyserver_standin.sky.stars import dwarf_colors, giant_colors, red_dwarf_colors

COLORS = ["u-g", "g-r", "r-i", "i-z"]


def of(frame, label, low=-1.0, high=9.0):
    return frame[(frame["class"] == label) & frame["redshift"].between(low, high)]


def test_every_class_has_its_place(frame):
    shares = frame["class"].value_counts(normalize=True)
    assert 0.45 < shares["GALAXY"] < 0.70
    assert 0.10 < shares["QSO"] < 0.30
    assert 0.12 < shares["STAR"] < 0.35
    assert of(frame, "STAR")["redshift"].abs().max() < 0.003
    assert 0.3 < of(frame, "GALAXY")["redshift"].median() < 0.6
    assert 1.2 < of(frame, "QSO")["redshift"].median() < 2.2
    assert of(frame, "QSO")["redshift"].max() > 4


def test_main_galaxies_end_at_the_limit(frame):
    main = frame[(frame["legacy_target1"] & conventions.GALAXY_MAIN) > 0]
    petro = main["petroMag_r"] - main["extinction_r"]
    petro = petro[petro > 0]
    assert (petro < 17.80).mean() > 0.98
    assert (petro < 17.67).mean() < 0.95
    assert 0.08 < main["redshift"].median() < 0.12
    assert (main["type"] == 3).mean() > 0.98
    # two sequences: fewer galaxies between them than on either side
    near = main[main["redshift"].between(0.06, 0.10)]
    blue, valley, red = (
        near["g-r"].between(*ends).sum() for ends in ((0.4, 0.55), (0.66, 0.76), (0.84, 0.99))
    )
    assert red > 1.2 * valley
    assert blue > 0.8 * valley


def test_luminous_red_galaxies_are_selected_by_their_break(frame):
    low = frame[(frame["boss_target1"] & conventions.GAL_LOZ) > 0]
    mid = frame[(frame["boss_target1"] & conventions.GAL_CMASS) > 0]
    assert 0.25 < low["redshift"].median() < 0.36
    assert 0.50 < mid["redshift"].median() < 0.60
    assert low["g-r"].median() > 1.3
    above = mid["r-i"] - mid["g-r"] / 8
    assert above.median() > 0.6
    assert mid["i"].between(17.4, 20.1).mean() > 0.98


def test_quasars_are_bluer_than_stars_until_the_forest_enters_u(frame):
    stars = of(frame, "STAR")["u-g"].median()
    low, high = of(frame, "QSO", 0.6, 2.0), of(frame, "QSO", 3.0, 3.5)
    assert low["u-g"].median() < stars - 0.6
    assert 0.05 < low["u-g"].median() < 0.35
    assert high["u-g"].median() > low["u-g"].median() + 1.0
    assert of(frame, "QSO", 3.7, 4.5)["g-r"].median() > 1.0
    assert (low["type"] == 6).mean() > 0.9


def test_the_composite_has_its_lines_where_they_fall_in_a_band():
    total, continuum = quasar_grid().at(np.array([1.5, 2.5]))[0].copy()
    # at redshift 1.5 Mg II lies in r - i's red side: 2800 * 2.5 = 7000 Å, in i
    excess = -2.5 * np.log10(continuum / total)
    assert excess[BANDS.index("i")] > excess[BANDS.index("u")]
    # no u light is left below the Lyman limit at redshift 5
    faint = quasar_grid().at(np.array([5.0]))[0, 0]
    assert faint[0] < 0.02 * faint[3]


def test_galaxy_templates_redden_with_the_break():
    redshift = np.array([0.05, 0.2, 0.35])
    old = galaxy_grid().at(redshift)[:, 0]
    gr = -2.5 * np.log10(old[:, 1] / old[:, 2])
    assert (np.diff(gr) > 0.3).all()
    np.testing.assert_allclose(galaxy_grid().at(np.array([0.0]))[0, :, 2], 1, rtol=1e-5)


def test_stars_lie_on_the_locus(frame):
    stars = of(frame, "STAR")
    stars = stars[(stars["r"] < 18) & (stars["u"] < 20)]
    gi = (stars["g-r"] + stars["r-i"]).to_numpy()
    dwarfs = (gi > 0.4) & (gi < 1.4)
    expected = dwarf_colors(gi[dwarfs], np.full(dwarfs.sum(), -0.8))
    residual = stars.loc[dwarfs, COLORS].to_numpy() - expected
    assert np.abs(np.median(residual, axis=0)).max() < 0.06
    spread = np.subtract(*np.quantile(residual, [0.84, 0.16], axis=0)) / 2
    # u - g spreads with metallicity, the others hardly
    assert 0.08 < spread[0] < 0.25
    assert (spread[1:] < 0.045).all()


def test_loci_by_hand():
    # table 1 of Yuan et al. 2015 at g - i = 1, [Fe/H] = 0: sums of the terms in g - i alone
    color = dwarf_colors(np.array([1.0]), np.array([0.0]))[0]
    assert color[0] == pytest.approx(1.5003 - 3.2190 + 7.9725 - 5.2923 + 1.1459)
    assert color[1] == pytest.approx(0.0596 + 0.6070 + 0.1532 - 0.0613)
    assert color[1] + color[2] == pytest.approx(1.0)
    # metal-poor stars are bluer in u - g, giants too
    poor, rich = (dwarf_colors(np.array([0.6]), np.array([iron]))[0, 0] for iron in (-1.5, -0.2))
    assert poor < rich - 0.15
    assert giant_colors(np.array([0.8]), np.array([-1.5])).shape == (1, 4)
    cool = red_dwarf_colors(np.array([1.2, 2.0, 3.0]))
    assert ((cool[:, 1] > 1.2) & (cool[:, 1] < 1.8)).all()
    assert (np.diff(cool[:, 2]) > 0).all()


def test_white_dwarfs_cool_from_blue_to_red():
    hot, cool = -np.diff(white_dwarf_magnitudes("DA", np.log10([30000.0, 8000.0])), axis=1)
    assert hot[0] < -0.2
    assert cool[1] > hot[1] + 0.4


def test_dust_laws():
    assert calzetti(np.array([5500.0]))[0] == pytest.approx(4.05, abs=0.05)
    assert calzetti(np.array([4400.0]))[0] - calzetti(np.array([5500.0]))[0] == pytest.approx(
        1.0, abs=0.06
    )
    assert smc_extinction(np.array([1e4]))[0] == pytest.approx(1.39)


def test_scatter_is_the_error_where_noise_rules():
    rng = np.random.default_rng(0)
    n = 20_000
    true = np.tile(mag_to_flux([22.0, 22.0, 21.8, 21.0, 20.5]), (n, 1))
    seen = measure(true, np.zeros(n), np.zeros(n, dtype=bool), rng)
    for kind in ("model", "psf"):
        magnitudes = getattr(seen, kind)
        for i, band in enumerate(BANDS):
            pull = (asinh_to_flux(magnitudes[:, i], band) - true[:, i]) / flux_error(true)[:, i]
            assert pull.std() == pytest.approx(1, abs=0.03)
            assert abs(pull.mean()) < 0.03
    # errors in mag are those of the flux
    relative = flux_error(true)[0] / true[0] * POGSON
    np.testing.assert_allclose(np.median(seen.model_err, axis=0), relative, rtol=0.06)
    # 5 sigma at the survey's limits
    limits = mag_to_flux([[22.0, 22.2, 22.2, 21.3, 20.5]])
    np.testing.assert_allclose(limits / flux_error(limits), 5, rtol=0.15)


def test_calibration_rules_where_objects_are_bright():
    rng = np.random.default_rng(1)
    n = 20_000
    seen = measure(np.full((n, 5), mag_to_flux(14.0)), np.zeros(n), np.zeros(n, dtype=bool), rng)
    np.testing.assert_allclose(seen.model.std(axis=0), CALIBRATION, rtol=0.1)
    assert (np.median(seen.model_err, axis=0) < 0.3 * CALIBRATION).all()
    # model and PSF magnitudes share it
    assert ((seen.model - seen.psf).std(axis=0) < 0.5 * CALIBRATION).all()


def test_wide_objects_are_told_from_points_until_they_are_faint():
    rng = np.random.default_rng(2)
    n = 5_000

    def galaxy_share(magnitude, radius):
        flux = np.full((n, 5), mag_to_flux(magnitude))
        seen = measure(flux, np.full(n, radius), np.zeros(n, dtype=bool), rng)
        return np.mean(seen.psf[:, 2] - seen.model[:, 2] > 0.145)

    assert galaxy_share(18.0, 0.0) < 0.001
    assert galaxy_share(18.0, 1.5) > 0.999
    assert 0.02 < galaxy_share(22.0, 0.0) < 0.5
    assert galaxy_share(22.0, 0.5) < 0.95


def test_sizes_and_distances():
    assert distance_modulus(np.array([0.1]))[0] == pytest.approx(38.31, abs=0.02)
    assert arcsec_per_kpc(np.array([0.1]))[0] == pytest.approx(1 / 1.844, rel=0.01)
    rng = np.random.default_rng(3)
    n = 4_000
    early = np.arange(n) < n // 2
    radius = half_light_radius(np.full(n, 0.1), np.full(n, -21.0), early, rng)
    kiloparsec = np.median(radius[~early]) / arcsec_per_kpc(np.array([0.1]))[0]
    # equation 15 by hand: 0.084 * 21 - 1.31 + 0.32 * log10(1 + 10^0.192)
    assert np.log10(kiloparsec) == pytest.approx(0.584, abs=0.015)
    assert np.median(radius[early]) < np.median(radius[~early])


def test_sampler_follows_its_density():
    redshift, magnitude = np.arange(0.05, 1, 0.1), np.arange(15.25, 20, 0.5)
    sampler = Sampler(redshift, magnitude, lambda z, m: z * 10 ** (0.3 * (m - 15)))
    rng = np.random.default_rng(4)
    z, m = sampler.draw(50_000, rng)
    assert z.min() >= 0
    assert z.max() <= 1
    assert z.mean() == pytest.approx(2 / 3, abs=0.01)
    bright, faint = ((m >= a) & (m < a + 0.5) for a in (17.0, 18.0))
    assert faint.sum() / bright.sum() == pytest.approx(10**0.3, rel=0.06)
    z, m = sampler.near(np.array([0.5]), np.array([17.0]), cells=1).draw(2_000, rng)
    assert z.min() > 0.3
    assert z.max() < 0.7
    assert (np.abs(m - 17) <= 1.0).all()


def test_targets_say_why_an_object_was_observed(frame):
    legacy = frame[frame["survey"] == "sdss"]
    assert (legacy["legacy_target1"] > 0).all()
    assert (legacy["boss_target1"] == 0).all()
    boss = frame[frame["survey"] == "boss"]
    assert (boss["legacy_target1"] == 0).all()
    high = boss[(boss["class"] == "QSO") & (boss["redshift"] > 2.3)]
    assert (
        (high["boss_target1"] & (conventions.QSO_CORE_MAIN | conventions.QSO_BONUS_MAIN)) > 0
    ).mean() > 0.95
