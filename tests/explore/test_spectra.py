import numpy as np
import plot_filters
import pytest

from sdssflow.configuration.features import Features
from sdssflow.configuration.figures import Figures
from sdssflow.explore.objects import read_objects
from sdssflow.explore.spectra import (
    COLOR_COLUMNS,
    RECIPES,
    WAVELENGTH,
    black_body,
    draw_redshifted_spectrum,
    redshifted,
    redshifted_colors,
    schematic_spectrum,
    sdss_filters,
    synthetic_colors,
)
from sdssflow.plotting import style
from sdssflow.tables import read_csv, write_parquet
from tests.jobs import run


@pytest.fixture(scope="module")
def colors():
    return redshifted_colors(np.arange(0.0, 0.61, 0.05).round(2))


def test_flat_spectrum_in_frequency_has_no_colour():
    np.testing.assert_allclose(synthetic_colors(WAVELENGTH, WAVELENGTH**-2.0), 0, atol=1e-3)


def test_colours_do_not_depend_on_brightness():
    flux = schematic_spectrum("old")
    faint, bright = (synthetic_colors(WAVELENGTH, scale * flux) for scale in (1e-20, 1e3))
    np.testing.assert_allclose(faint, bright, atol=1e-9)


def test_power_law_keeps_its_colours_at_any_redshift():
    flux = (WAVELENGTH / 5000) ** -1.3
    here = synthetic_colors(WAVELENGTH, flux)
    there = synthetic_colors(*redshifted(WAVELENGTH, flux, 0.4))
    np.testing.assert_allclose(there, here, atol=2e-3)


@pytest.mark.parametrize("zspec", [0.0, 0.3, 2.0])
def test_redshift_keeps_the_total_flux_and_moves_the_lines(zspec):
    flux = schematic_spectrum("star_forming")
    wavelength, moved = redshifted(WAVELENGTH, flux, zspec)
    total = np.trapezoid(flux, WAVELENGTH)
    np.testing.assert_allclose(np.trapezoid(moved, wavelength), total, rtol=1e-12)
    near = (wavelength > 6300 * (1 + zspec)) & (wavelength < 6800 * (1 + zspec))
    peak = wavelength[near][moved[near].argmax()]
    assert peak == pytest.approx(6564.61 * (1 + zspec), abs=2 * (1 + zspec))


def test_spectrum_that_leaves_a_filter_is_refused():
    short = WAVELENGTH < 9000
    with pytest.raises(ValueError, match="does not cover the SDSS filters"):
        synthetic_colors(WAVELENGTH[short], np.ones(short.sum()))
    with pytest.raises(ValueError, match="smaller redshift"):
        synthetic_colors(*redshifted(WAVELENGTH, np.ones_like(WAVELENGTH), 1.0))


def test_filters_are_in_order_of_wavelength():
    centers = [curve.effective_wavelength.value for curve in sdss_filters()]
    assert centers == sorted(centers)
    np.testing.assert_allclose(centers, [3600, 4700, 6200, 7500, 8950], rtol=0.02)


def test_black_body_peaks_where_wien_says():
    grid = np.arange(2000.0, 12000.0)
    assert grid[black_body(grid, 5000).argmax()] == pytest.approx(2.897772e7 / 5000, abs=2)
    assert black_body(np.array([5500.0]), 4000)[0] == pytest.approx(1)


@pytest.mark.parametrize("name, strength", [("old", 2.1), ("star_forming", 1.3)])
def test_break_is_as_strong_as_documented_and_flux_positive(name, strength):
    flux = schematic_spectrum(name)
    per_frequency = flux * WAVELENGTH**2
    above = per_frequency[(WAVELENGTH >= 4050) & (WAVELENGTH <= 4250)].mean()
    below = per_frequency[(WAVELENGTH >= 3750) & (WAVELENGTH <= 3950)].mean()
    assert above / below == pytest.approx(strength, abs=0.06)
    assert (flux > 0).all()


@pytest.mark.parametrize("name", RECIPES)
def test_lines_have_their_equivalent_widths(name):
    recipe = RECIPES[name]
    continuum = recipe._replace(lines=())
    with pytest.MonkeyPatch.context() as patch:
        flux = schematic_spectrum(name)
        patch.setitem(RECIPES, name, continuum)
        bare = schematic_spectrum(name)
    total = np.trapezoid(flux / bare - 1, WAVELENGTH)
    assert total == pytest.approx(sum(line.equivalent_width for line in recipe.lines), rel=1e-3)


def test_break_moving_through_g_reddens_g_r_and_then_r_i(colors):
    old = colors[colors.spectrum == "old"].set_index("zspec")
    entering = old.loc[0.05:0.35, "g_r"].diff().dropna()
    assert (entering > 0.05).all()  # per 0.05 in redshift
    assert old.g_r[0.35] - old.g_r[0.0] > 0.7
    # once the break is in r, g - r has stopped and r - i takes over
    assert abs(old.g_r[0.6] - old.g_r[0.45]) < 0.15
    assert old.r_i[0.6] - old.r_i[0.45] > 2 * (old.r_i[0.15] - old.r_i[0.0])


def test_old_galaxy_is_redder_than_a_star_forming_one_at_every_redshift(colors):
    old, young = (colors[colors.spectrum == name] for name in ("old", "star_forming"))
    difference = old[list(COLOR_COLUMNS)].to_numpy() - young[list(COLOR_COLUMNS)].to_numpy()
    assert (difference > 0.05).all()


def test_script_repeats_itself(tmp_path, monkeypatch):
    outputs = {"figure": tmp_path / "f.png", "table": tmp_path / "t.csv"}
    settings = Figures(dpi=50).canonical()
    output = run(plot_filters, {}, outputs, settings=settings)
    first, table = output.figure.read_bytes(), read_csv(output.table)
    assert table.columns.tolist() == ["spectrum", "zspec", *COLOR_COLUMNS]
    assert (
        table.groupby("spectrum").zspec.agg(["min", "max", "size"]).to_numpy().tolist()
        == [[0.0, 0.6, 61.0]] * 2
    )
    monkeypatch.setattr(plot_filters, "redshifted_colors", lambda: table)
    run(plot_filters, {}, outputs, settings=settings)
    assert output.figure.read_bytes() == first


def test_real_galaxies_are_drawn_beside_the_curves(tmp_path, make_catalogue, colors):
    write_parquet(make_catalogue(), tmp_path / "c.parquet")
    needs = ("magnitudes", "zspec")
    objects = read_objects(tmp_path / "c.parquet", "made", Features(), "color_redshift", needs)
    with style():
        panel = draw_redshifted_spectrum(colors, objects).axes[3]
        (median,) = (line for line in panel.lines if "median of" in line.get_label())
        assert median.get_label() == "made: median of 150 galaxies"
        assert len(median.get_xdata()) == 10
