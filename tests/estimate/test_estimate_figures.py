"""Figures of a target on small made-up tables, and how the objects they show are drawn."""

import json

import matplotlib.pyplot as plt
import numpy as np
import plot_estimates
import pyarrow as pa
import pytest
from scipy.stats import norm

from sdssflow.acquire.schema import CLASSES
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.figures import Figures
from sdssflow.estimate.drawn import color_of, read_drawn
from sdssflow.estimate.figures import (
    FIGURES,
    distributions,
    draw_distributions,
    draw_magnitude_color,
    draw_sky,
)
from sdssflow.estimate.layout import DRAWN_LEVELS
from sdssflow.estimate.summary import Drawn
from sdssflow.tables import write_parquet
from tests.jobs import run

BOOTSTRAP = Bootstrap(replicates=60)
WIDTH = 0.02


def drawn_table(n, seed=0, known=None):
    """Return n objects as partitions draw them, half of the galaxies at z = 0.1, half at 0.3."""
    generator = np.random.default_rng(seed)
    middle = np.where(np.arange(n) % 2, 0.1, 0.3)
    quantiles = norm.ppf(DRAWN_LEVELS, middle[:, None], WIDTH).astype(np.float32)
    known = np.ones(n, bool) if known is None else known
    return pa.table(
        {
            "partition": pa.array(np.zeros(n, np.int32)),
            "row_id": np.arange(n),
            "class": [CLASSES[k % 3] for k in range(n)],
            "reference_mag": generator.uniform(15, 20, n),
            "classify:psf_color_gr": generator.normal(0.5, 0.2, n),
            "tomographic_bin": pa.array((np.arange(n) + 1) % 2, pa.uint8()),
            "quantiles": pa.array(
                [q if there else None for q, there in zip(quantiles, known, strict=True)],
                pa.list_(pa.float32()),
            ),
        }
    )


def sky_table(cells, **changes):
    n = len(cells)
    columns = {"cell": cells, "objects": np.full(n, 7), "stars": np.linspace(0, 1, n)}
    columns |= {"width": np.linspace(0.01, 0.1, n), "zphot_median": np.linspace(0.1, 0.7, n)}
    return pa.table(columns | changes)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_n_of_z_is_the_mean_density_of_the_objects_of_a_bin():
    table = drawn_table(40)
    quantiles = np.array(table["quantiles"].to_pylist())
    edges = np.linspace(0, 0.5, 51)
    found = {
        number: (n, curves)
        for number, n, curves in distributions(table, quantiles, edges, BOOTSTRAP)
    }
    middle = (edges[1:] + edges[:-1]) / 2
    for number, center in ((0, 0.1), (1, 0.3)):
        n, (mean, low, high) = found[number]
        assert n == 20
        assert mean.sum() * 0.01 == pytest.approx(1, abs=0.02)
        assert (mean * middle).sum() * 0.01 == pytest.approx(center, abs=0.002)
        # all p(z) of a bin are alike: it doesn't matter which objects are drawn
        assert np.allclose([low, high], mean, atol=1e-9)


def test_the_band_shrinks_with_the_number_of_objects():
    widths = []
    for n in (50, 800):
        table = drawn_table(n).set_column(
            5, "tomographic_bin", pa.array(np.zeros(n), pa.uint8())
        )  # two peaks in one bin
        quantiles = np.array(table["quantiles"].to_pylist())
        ((_, _, (mean, low, high)),) = distributions(
            table, quantiles, np.linspace(0, 0.5, 51), BOOTSTRAP
        )
        assert (low <= mean).all()
        assert (mean <= high).all()
        widths.append((high - low).max())
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.4)


def test_objects_in_no_bin_are_a_curve_of_their_own():
    bins = pa.array([None, 0, 0, 0], pa.uint8())
    table = drawn_table(4).set_column(5, "tomographic_bin", bins)
    quantiles = np.array(table["quantiles"].to_pylist())
    found = [(number, n) for number, n, _ in distributions(
        table, quantiles, np.linspace(0, 0.5, 11), BOOTSTRAP)]  # fmt: skip
    assert found == [(None, 1), (0, 3)]


def test_distributions_are_drawn_of_those_with_p_of_z():
    known = np.arange(30) < 20
    figure = draw_distributions(drawn_table(30, known=known), 900, 60, BOOTSTRAP)
    assert titles(figure) == ["30 of 900 objects, drawn at random, 20 with p(z)"]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["bin 0: 50.0 %", "bin 1: 50.0 %"]


@pytest.mark.parametrize("n", [30, 8000])
def test_classes_have_a_panel_each_as_points_or_as_density(n):
    figure = draw_magnitude_color(drawn_table(n), n)
    assert titles(figure) == [f"{name}: 33.3 %" for name in CLASSES]
    drawn = [type(axes.collections[0]).__name__ for axes in figure.axes[:3]]
    assert drawn == ["PathCollection" if n == 30 else "PolyCollection"] * 3
    assert figure.get_supylabel() == "g \N{MINUS SIGN} r (mag)"


def test_missing_magnitudes_and_absent_classes_are_no_error():
    table = drawn_table(9).set_column(3, "reference_mag", pa.array([None] * 9, pa.float64()))
    table = table.set_column(2, "class", pa.array([None] * 9, pa.string()))
    assert titles(draw_magnitude_color(table, 9)) == [f"{name}: 0.0 %" for name in CLASSES]


def test_the_color_is_one_that_the_classifier_sees():
    names = ["classify:psf_mag_r", "classify:psf_color_ri", "regress:model_color_gr"]
    assert color_of(names, "classify") == ("classify:psf_color_ri", "r \N{MINUS SIGN} i")
    assert color_of(["classify:psf_color_err_gr"], "classify") is None
    figure = draw_magnitude_color(drawn_table(5).drop_columns("classify:psf_color_gr"), 5)
    assert "no colour" in figure.axes[0].texts[0].get_text()


@pytest.mark.parametrize(
    ("cells", "projection"),
    [(np.arange(30), "rectilinear"), (np.arange(0, 12288, 50), "mollweide")],
)
def test_the_sky_has_the_panels_that_exist(cells, projection):
    density = ["objects per square degree"]
    stars = ["mean probability to be a star"]
    redshifts = ["median zphot", "mean half width of p(z), 68 %, over 1 + zphot"]
    for tasks, expected in (
        (["classify"], density + stars),
        (["regress"], density + redshifts),
        (["classify", "regress"], density + stars + redshifts),
    ):
        figure = draw_sky(sky_table(cells), tasks)
        assert titles(figure) == expected
        maps = [axes for axes in figure.axes if axes.get_title()]
        assert {axes.name for axes in maps} == {projection}
    nothing = sky_table(cells, zphot_median=np.full(len(cells), np.nan))
    assert "median zphot" not in titles(draw_sky(nothing, ["regress"]))
    plt.close("all")


def test_a_map_shows_the_values_of_its_cells():
    cells = np.array([3, 17])
    figure = draw_sky(sky_table(cells), ["regress"])
    shown = figure.axes[1].collections[0].get_array()
    values = np.ma.compressed(np.ma.masked_invalid(shown))
    assert set(values.round(6)) == {0.1, 0.7}
    # cells of equal area have about as many points each
    assert np.mean(values > 0.4) == pytest.approx(0.5, abs=0.03)
    plt.close("all")


@pytest.mark.parametrize("cells", [np.array([], int), np.array([0]), np.array([6143])])
def test_no_or_one_cell_is_no_error(cells):
    figure = draw_sky(sky_table(cells), ["classify", "regress"])
    figure.canvas.draw()
    if not len(cells):
        assert "position" in figure.axes[0].texts[0].get_text()
    plt.close("all")


def write_partition(folder, name, rows, most):
    """Draw of a partition of these row ids as rule estimate_partition does; its summary."""
    drawn = Drawn(most)
    chosen = drawn.block(rows)
    drawn.add(pa.table({"key": pa.array(chosen.key, pa.uint64()), "row_id": rows[chosen.rows],
                        "other": rows[chosen.rows]}))  # fmt: skip
    write_parquet(drawn.table(), folder / f"{name}_drawn.parquet")
    return {"refused": "", "numbers": {"kept": len(rows)}}


def test_drawn_objects_stand_for_as_many_whatever_the_partition(tmp_path):
    sizes = {"a": 20_000, "b": 3_000, "c": 500}
    first, summaries = 0, []
    for name, size in sizes.items():
        rows = np.arange(first, first + size)
        summaries.append(write_partition(tmp_path, name, rows, 1_000))
        first += size
    paths = [tmp_path / f"{name}_drawn.parquet" for name in sizes]
    table = read_drawn(paths, summaries, 10_000, lambda name: name == "row_id")
    assert table.column_names == ["partition", "row_id"]
    counts = np.bincount(table["partition"].to_numpy(), minlength=3)
    assert counts[0] == 1_000  # all that the largest drew: the others are drawn as sparsely
    for count, size in zip(counts, sizes.values(), strict=True):
        assert count == pytest.approx(size / 20, abs=5 * np.sqrt(size / 20))
    few = read_drawn(paths, summaries, 300)
    assert len(few) == 300
    assert set(few["row_id"].to_pylist()) <= set(table["row_id"].to_pylist())


def test_all_are_read_where_every_partition_drew_all(tmp_path):
    summaries = [write_partition(tmp_path, "a", np.arange(40), 1000),
                 write_partition(tmp_path, "b", np.arange(40, 50), 1000),
                 write_partition(tmp_path, "c", np.arange(0), 1000)]  # fmt: skip
    paths = [tmp_path / f"{name}_drawn.parquet" for name in "abc"]
    assert sorted(read_drawn(paths, summaries, 1000)["row_id"].to_pylist()) == list(range(50))
    assert len(read_drawn(paths[2:], summaries[2:], 1000)) == 0


def test_the_script_draws_what_it_is_asked_and_says_where_nothing_is(tmp_path):
    write_parquet(sky_table(np.array([], int)), tmp_path / "sky.parquet")
    (tmp_path / "a.json").write_text(json.dumps({"refused": "damaged", "numbers": {}}))
    nothing = pa.table({"row_id": pa.array([], pa.int64()), "key": pa.array([], pa.uint64())})
    write_parquet(nothing, tmp_path / "a.parquet")
    paths = [str(tmp_path / f"{name}.png") for name in FIGURES]
    inputs = {"sky": tmp_path / "sky.parquet", "summaries": [tmp_path / "a.json"]}
    inputs["drawn"] = [tmp_path / "a.parquet"]
    run(
        plot_estimates,
        inputs,
        {"figures": paths},
        tasks=["classify", "regress"],
        most=1000,
        stack_bins=60,
        bootstrap=BOOTSTRAP.canonical(),
        settings=Figures().canonical(),
    )
    for path in paths:
        assert plt.imread(path).std() > 0.01  # not blank: it says why there is nothing
