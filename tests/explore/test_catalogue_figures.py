from pathlib import Path
from types import SimpleNamespace

import numpy as np
import plot_catalogue
import pytest

from sdssflow.configuration.features import Features
from sdssflow.configuration.figures import Figures
from sdssflow.explore import catalogue_figures, drawing
from sdssflow.explore.catalogue_figures import FIGURES
from sdssflow.explore.objects import read_objects
from sdssflow.plotting import style
from sdssflow.prepare.columns import MissingColumnError
from sdssflow.tables import write_parquet

NEEDS = {"sky_map": "ra", "redshifts": "zspec", "color_redshift": "zspec"}


def draw(catalogue, figure, folder, kind="png"):
    write_parquet(catalogue, folder / "catalogue.parquet")
    output = folder / f"{figure}.{kind}"
    plot_catalogue.main(
        SimpleNamespace(
            input=SimpleNamespace(catalogue=folder / "catalogue.parquet"),
            params=SimpleNamespace(
                features=Features().canonical(),
                settings=Figures(format=kind, dpi=50).canonical(),
                sample="made",
            ),
            output=SimpleNamespace(figures=[output]),
        )
    )
    return Path(output).read_bytes()


@pytest.mark.parametrize("figure", ["sky_map", "redshifts", "color_redshift"])
def test_same_catalogue_gives_the_same_bytes(figure, tmp_path, make_catalogue):
    first = draw(make_catalogue(), figure, tmp_path)
    assert first.startswith(b"\x89PNG")
    assert len(first) > 2000
    assert draw(make_catalogue(), figure, tmp_path) == first


def test_other_catalogue_gives_another_figure(tmp_path, make_catalogue):
    drawn = [draw(make_catalogue(seed=seed), "sky_map", tmp_path) for seed in (1, 2)]
    assert drawn[0] != drawn[1]


def test_vector_graphics_repeat_themselves_too(tmp_path, make_catalogue):
    first = draw(make_catalogue(), "color_color", tmp_path, "svg")
    assert b"<svg" in first
    assert draw(make_catalogue(), "color_color", tmp_path, "svg") == first


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_draw_one_object_and_need_no_more_than_they_say(figure, tmp_path, make_catalogue):
    needs = FIGURES[figure][1]
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
    function, needs = FIGURES[figure]
    objects = read_objects(tmp_path / "c.parquet", "made", Features(), figure, needs)
    with style():
        drawn = function(objects)
        counts = [axes.collections[0].get_array() for axes in drawn.axes if axes.get_xlabel()]
        assert all(len(values) < 900 for values in counts)


def test_stars_alone_have_no_color_redshift_relation(tmp_path, make_catalogue):
    catalogue = make_catalogue()
    stars = catalogue.filter(np.array(catalogue["spec_class"].to_pylist()) == "STAR")
    with pytest.raises(ValueError, match=r"redshifts of stars only.*explore\.figures"):
        draw(stars, "color_redshift", tmp_path)


@pytest.mark.shared
@pytest.mark.parametrize("figure", ["sky_map", "color_color"])
def test_real_rows(figure, tmp_path):
    import pandas as pd
    import pyarrow as pa

    source = Path(__file__).parents[2] / "../shared/data/sdss_dr14_10k.csv.gz"
    if not source.exists():
        pytest.skip("the development rows ../shared/data are not beside this checkout")
    rows = pd.read_csv(source).rename(columns={"class": "spec_class", "redshift": "zspec"})
    rows = rows.rename(columns={band: f"model_mag_{band}" for band in "ugriz"})
    catalogue = pa.Table.from_pandas(rows, preserve_index=False)
    assert len(draw(catalogue, figure, tmp_path)) > 5000
