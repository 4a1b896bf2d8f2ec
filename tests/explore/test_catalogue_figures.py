from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import plot_catalogue
import pyarrow as pa
import pytest

from sdssflow.configuration.explored import EXPLORED
from sdssflow.configuration.features import Features
from sdssflow.configuration.figures import Figures
from sdssflow.explore import catalogue_figures, drawing
from sdssflow.explore.catalogue_figures import (
    FIGURES,
    draw_sky_map,
    sky_density,
)
from sdssflow.explore.objects import Objects, read_objects
from sdssflow.explore.sky import signed_offset, sky_center
from sdssflow.plotting import style
from sdssflow.prepare.columns import MissingColumnError
from sdssflow.tables import with_metadata, write_parquet
from tests.jobs import run

NEEDS = {"sky_map": "ra", "redshifts": "zspec", "color_redshift": "zspec"}


def draw(catalogue, figure, folder, kind="png"):
    write_parquet(catalogue, folder / "catalogue.parquet")
    output = folder / f"{figure}.{kind}"
    run(
        plot_catalogue,
        {"catalogue": folder / "catalogue.parquet"},
        {"figures": [output]},
        features=Features().canonical(),
        settings=Figures(format=kind, dpi=50).canonical(),
        sample="made",
    )
    return Path(output).read_bytes()


@pytest.mark.parametrize(
    ("figure", "kind", "begin"),
    [(name, "png", b"\x89PNG") for name in ("sky_map", "redshifts", "color_redshift")]
    + [("color_color", "svg", b"<?xml")],
)
def test_same_catalogue_gives_the_same_bytes(figure, kind, begin, tmp_path, make_catalogue):
    first = draw(make_catalogue(), figure, tmp_path, kind)
    assert first.startswith(begin)
    assert len(first) > 2000
    assert draw(make_catalogue(), figure, tmp_path, kind) == first


def test_other_catalogue_gives_another_figure(tmp_path, make_catalogue):
    drawn = [draw(make_catalogue(seed=seed), "sky_map", tmp_path) for seed in (1, 2)]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_draw_one_object_and_need_no_more_than_they_say(figure, tmp_path, make_catalogue):
    needs = EXPLORED[figure].needs
    optional = {"spec_class", "zspec", "ra", "dec", "extinction_r"} - set(needs)
    catalogue = make_catalogue(n=1, leave_out=tuple(optional))
    assert len(draw(catalogue, figure, tmp_path)) > 2000


@pytest.mark.parametrize("figure, column", NEEDS.items())
def test_missing_column_is_an_error_and_leaves_no_file(figure, column, tmp_path, make_catalogue):
    with pytest.raises(MissingColumnError, match=f"explore.figures: {figure}.*{column!r}"):
        draw(make_catalogue(n=9, leave_out=(column,)), figure, tmp_path)
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize("figure", ["color_color", "color_redshift"])
def test_many_objects_are_drawn_as_densities(figure, tmp_path, make_catalogue, monkeypatch):
    write_parquet(make_catalogue(n=900), tmp_path / "c.parquet")
    monkeypatch.setattr(drawing, "POINTS_LIMIT", 500)
    monkeypatch.setattr(catalogue_figures, "POINTS_LIMIT", 500)
    monkeypatch.setattr(drawing, "DENSITY_FROM", 100)
    objects = read_objects(tmp_path / "c.parquet", "made", Features(), figure)
    with style():
        drawn = FIGURES[figure](objects)
        counts = [axes.collections[0].get_array() for axes in drawn.axes if axes.get_xlabel()]
        assert all(len(values) < 900 for values in counts)


def test_stars_alone_have_no_color_redshift_relation(tmp_path, make_catalogue):
    catalogue = make_catalogue()
    stars = catalogue.filter(np.array(catalogue["spec_class"].to_pylist()) == "STAR")
    with pytest.raises(ValueError, match=r"redshifts of stars only.*explore\.figures"):
        draw(stars, "color_redshift", tmp_path)


def test_titles_count_what_is_not_drawn(tmp_path, make_catalogue):
    """Of 300 objects 75 are stars; one galaxy lacks u and one a redshift."""
    frame = make_catalogue().to_pandas()
    galaxies = np.flatnonzero(frame["spec_class"] == "GALAXY")
    frame.loc[galaxies[0], "model_mag_u"] = np.nan
    frame.loc[galaxies[1], "zspec"] = np.nan
    table = pa.Table.from_pandas(frame, preserve_index=False)
    write_parquet(with_metadata(table, extinction_applied=True), tmp_path / "c.parquet")

    def title(figure):
        objects = read_objects(tmp_path / "c.parquet", "made", Features(), figure)
        return FIGURES[figure](objects).get_suptitle()

    with style():
        assert title("color_color").endswith("N = 300\n1 of them missing or outside in some panel")
        assert title("color_redshift").endswith(
            "N = 224\n1 of them missing or outside in some panel"
        )


@pytest.mark.shared
@pytest.mark.parametrize("figure", ["sky_map", "color_color"])
def test_real_rows(figure, tmp_path):
    import pandas as pd

    source = Path(__file__).parents[2] / "../shared/data/sdss_dr14_10k.csv.gz"
    if not source.exists():
        pytest.skip("the development rows ../shared/data are not beside this checkout")
    rows = pd.read_csv(source).rename(columns={"class": "spec_class", "redshift": "zspec"})
    rows = rows.rename(columns={band: f"model_mag_{band}" for band in "ugriz"})
    catalogue = pa.Table.from_pandas(rows, preserve_index=False)
    assert len(draw(catalogue, figure, tmp_path)) > 5000


def objects_at(ra, dec):
    ra, dec = np.asarray(ra, dtype=float), np.asarray(dec, dtype=float)
    return Objects("made", None, "", None, None, ra, dec)


@pytest.mark.parametrize("center", [0.0, 0.7, 180.0, 359.5])
@pytest.mark.parametrize("dec", [-60.0, 0.0, 45.0])
def test_center_and_radius_do_not_care_about_ra_zero(center, dec):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ra = (center + np.cos(angle) / np.cos(np.radians(dec))) % 360
    found_ra, found_dec, radius = sky_center(ra, dec + np.sin(angle))
    assert abs(float(signed_offset(found_ra, center))) < 1e-6
    assert found_dec == pytest.approx(dec, abs=0.02)
    assert radius == pytest.approx(1.0, abs=0.03)


def test_radius_of_one_point_is_zero_and_of_opposite_points_is_all():
    assert sky_center(np.array([10.0]), np.array([20.0]))[2] == pytest.approx(0, abs=1e-6)
    assert sky_center(np.array([0.0, 180.0]), np.array([0.0, 0.0]))[2] == 180


def test_density_counts_every_object_and_cells_have_equal_area():
    generator = np.random.default_rng(0)
    ra = generator.uniform(0, 360, 100_000)
    dec = np.degrees(np.arcsin(generator.uniform(-1, 1, len(ra))))
    density = sky_density(ra, dec)
    whole_sky = 4 * np.pi * np.degrees(1) ** 2
    assert density.mean() * whole_sky == pytest.approx(len(ra))
    assert density.std() / density.mean() < 1.2 / np.sqrt(len(ra) / len(density))  # Poisson noise


def test_small_field_is_flat_with_ra_to_the_left_and_true_shape():
    with style():
        axes = draw_sky_map(objects_at([359.5, 0.5, 0.0], [60.0, 60.5, 61.0])).axes[0]
        assert axes.name == "rectilinear"
        assert axes.get_xlim()[0] > axes.get_xlim()[1]
        assert axes.get_aspect() == pytest.approx(1 / np.cos(np.radians(60.5)), rel=0.02)
        axes.figure.canvas.draw()
        labels = [float(label.get_text()) for label in axes.get_xticklabels()]
        assert all(value < 1 or value > 359 for value in labels)


@pytest.mark.parametrize(
    "ra, dec", [([10.0, 100.0, 200.0], [0.0, 10.0, -20.0]), ([10.0, 200.0], [89.0, 88.0])]
)
def test_wide_or_polar_sample_is_drawn_on_the_whole_sky(ra, dec):
    with style():
        figure = draw_sky_map(objects_at(ra, dec))
        axes = figure.axes[0]
        assert axes.name == "mollweide"
        x, y = axes.collections[0].get_offsets().T
        # to the left is east: x falls where ra grows
        turns = np.diff(np.degrees(x)) + np.diff(ra)
        np.testing.assert_allclose(turns % 360 % 360, 0, atol=1e-9)
        np.testing.assert_allclose(np.degrees(y), dec)


def test_objects_without_position_are_counted(monkeypatch):
    monkeypatch.setattr(catalogue_figures, "POINTS_LIMIT", 2)
    with style():
        figure = draw_sky_map(objects_at([10.0, 100.0, 200.0, np.nan], [0.0, 1.0, 2.0, 3.0]))
        assert "N = 3, 1 without" in figure.get_suptitle()
        assert any("square degree" in axes.get_ylabel() for axes in figure.axes)
        assert plt.fignum_exists(figure.number)
