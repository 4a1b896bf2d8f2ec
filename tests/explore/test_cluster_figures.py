import numpy as np
import plot_clusters
import pyarrow as pa
import pytest

from sdssflow.configuration.clustering import Clustering
from sdssflow.configuration.figures import Figures
from sdssflow.explore.cluster_figures import draw_groups, draw_selection, join_labels
from sdssflow.explore.clusters import find_clusters
from sdssflow.explore.embeddings import embed_features
from sdssflow.explore.feature_space import read_feature_space
from sdssflow.plotting import style
from sdssflow.tables import with_metadata, write_csv, write_parquet
from tests.jobs import run

SETTINGS = Clustering(clusters=[2, 3, 4], min_cluster_size=15)


@pytest.fixture
def explored(make_features):
    def explore(**keywords):
        space = read_feature_space(make_features(**keywords), 5000, 1)
        table, labels = find_clusters(space, SETTINGS, 1)
        embedding, provenance = embed_features(space, ["pca"], 1)
        return table, labels, with_metadata(embedding, **provenance)

    return explore


def test_script_draws_the_same_bytes_each_time(tmp_path, explored):
    table, labels, embedding = explored()
    inputs = {name: tmp_path / name for name in ("table", "labels", "embedding")}
    write_csv(table, inputs["table"])
    write_parquet(labels, inputs["labels"])
    write_parquet(embedding, inputs["embedding"])
    outputs = {"scatter": tmp_path / "a.png", "selection": tmp_path / "b.png"}
    contents = []
    for _ in range(2):
        run(plot_clusters, inputs, outputs, settings=Figures(dpi=50).canonical(), sample="blobs")
        contents.append([path.read_bytes() for path in outputs.values()])
    assert contents[0] == contents[1]
    assert min(map(len, contents[0])) > 2000


def test_grid_shows_truth_and_every_algorithm(explored):
    table, labels, embedding = explored()
    with style():
        figure = draw_groups(join_labels(labels, embedding), "blobs", [0.6, 0.3])
        titles = [axes.get_title() for axes in figure.axes]
        assert titles[0] == "spectroscopic class"
        assert titles[1:] == [
            "k-means: 3 groups",
            "Gaussian mixture: 3 groups",
            "HDBSCAN: 3 groups",
        ]
        assert "60 %" in figure.axes[0].get_xlabel()
        selection = draw_selection(table, "blobs")
        heights = [bar.get_height() for bar in selection.axes[3].patches]
        chosen = table[table.chosen].drop_duplicates("algorithm")
        np.testing.assert_allclose(heights, [*chosen.ari, *chosen.ami])


def test_tables_of_other_objects_are_refused(explored):
    _, labels, embedding = explored()
    with pytest.raises(ValueError, match="have different objects"):
        join_labels(labels.slice(1), embedding)


@pytest.mark.parametrize(
    "leave_out, first, compared",
    [
        (("spec_class",), "redshift", "terciles of zspec"),
        (("spec_class", "zspec"), "no classes, no redshifts", ""),
    ],
)
def test_grid_without_classes_says_what_it_shows(explored, leave_out, first, compared):
    table, labels, embedding = explored(leave_out=leave_out)
    with style():
        figure = draw_groups(join_labels(labels, embedding), "blobs", None)
        assert figure.axes[0].get_title() == first
        panel = draw_selection(table, "blobs").axes[3]
        assert panel.get_title().startswith(compared)
        assert bool(panel.patches) == bool(compared)


def test_grid_counts_objects_without_redshift(explored):
    _, labels, embedding = explored(leave_out=("spec_class",))
    zspec = [None, *embedding.column("zspec").to_pylist()[1:]]
    place = embedding.column_names.index("zspec")
    embedding = embedding.set_column(place, "zspec", pa.array(zspec, pa.float64()))
    with style():
        figure = draw_groups(join_labels(labels, embedding), "blobs", None)
        assert figure.axes[0].get_title() == "redshift (grey: 1 unknown)"


def test_legends_hide_no_objects(explored):
    _, labels, embedding = explored()
    with style():
        figure = draw_groups(join_labels(labels, embedding), "blobs", None)
        figure.draw_without_rendering()
        named = [axes for axes in figure.axes if axes.get_legend()]
        for axes in named:
            box = axes.get_legend().get_window_extent()
            assert box.y1 <= axes.get_window_extent().y0
            assert box.y0 >= 0
    assert len(named) == 4
