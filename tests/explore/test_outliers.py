"""Strange objects: what is far out is first, whatever the order of the table."""

import find_outliers as script
import numpy as np
import pyarrow as pa
import pytest

from sdssflow.configuration.clustering import Outliers
from sdssflow.explore.feature_space import read_feature_space
from sdssflow.explore.outliers import (
    METHODS,
    find_outliers,
    gallery,
    reconstruction_error,
    robust_scale,
)
from sdssflow.tables import read_csv, read_parquet, write_parquet
from tests.jobs import run

SETTINGS = Outliers(shown=5, trees=50, reference=200)


@pytest.fixture
def relation(make_features):
    """A table whose four features follow two hidden numbers, as colours do."""
    table = make_features(blobs=1)
    generator = np.random.default_rng(4)
    hidden = generator.normal(size=(len(table), 2))
    turn = np.array([[1.0, 0.8, 0.5, 0.0], [0.0, 0.5, -0.7, 1.0]])
    values = hidden @ turn + 0.15 * generator.normal(size=(len(table), 4))
    for column in range(4):
        name = f"feature_{column}"
        table = table.set_column(table.column_names.index(name), name, pa.array(values[:, column]))
    return table


def with_strange(features, names=("feature_0", "feature_2"), far=12.0):
    """The table with two objects moved far out along one feature each."""
    table = features
    for row, name in zip((17, 111), names, strict=True):
        values = table.column(name).to_numpy().copy()
        values[row] += far * values.std()
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


def found(table, settings=SETTINGS, seed=1):
    return find_outliers(read_feature_space(table, settings.max_objects, seed), settings, seed)


def test_what_lies_far_out_is_first_by_each_of_the_three(relation):
    table = with_strange(relation)
    outliers = found(table).to_pandas().set_index("row_id")
    strange = table.column("row_id").take([17, 111]).to_pylist()
    for name in METHODS:
        assert set(outliers[name].nlargest(2).index) == set(strange), name
    assert set(outliers["combined"].nsmallest(2).index) == set(strange)
    assert outliers.loc[strange, "feature"].tolist() == ["feature_0", "feature_2"]
    assert (outliers.loc[strange, "deviation"] > 7).all()


def test_order_of_rows_does_not_matter_and_the_seed_is_all_that_is_drawn(make_features):
    table = with_strange(make_features())
    shuffled = table.take(np.random.default_rng(3).permutation(len(table)))
    assert found(table).equals(found(shuffled))
    assert not found(table, seed=2).equals(found(table))


def test_strange_objects_do_not_set_the_scale():
    points = np.random.default_rng(1).normal(5, 2, (1000, 2))
    points[:20, 0] = 1e6
    scaled = robust_scale(points)
    np.testing.assert_allclose(scaled[20:].std(axis=0), 1, rtol=0.1)
    constant = robust_scale(np.column_stack([points[:, 1], np.ones(1000)]))
    assert np.isfinite(constant).all()


def test_reconstruction_misses_what_leaves_the_plane():
    generator = np.random.default_rng(2)
    plane = generator.normal(size=(500, 2)) @ np.array([[1.0, 1.0, 0.0], [0.0, 1.0, -1.0]])
    points = plane + 0.01 * generator.normal(size=(500, 3))
    points[7] += np.array([1.0, -1.0, -1.0])
    errors = reconstruction_error(points, 0.99)
    assert errors.argmax() == 7
    assert errors[7] == pytest.approx(np.sqrt(3), rel=0.05)
    assert (reconstruction_error(points[:, :1], 0.9) == 0).all()


def test_the_gallery_shows_what_is_known_of_the_strangest(relation, tmp_path):
    table = with_strange(relation)
    position = pa.array(np.linspace(0, 90, len(table)))
    table = table.append_column("ra", position).append_column("dec", position)
    about = table.schema.metadata
    path = tmp_path / "features.parquet"
    write_parquet(table.replace_schema_metadata(about), path)
    outputs = {"outliers": tmp_path / "o.parquet", "gallery": tmp_path / "o.csv"}
    run(script, {"features": path}, outputs, explore=SETTINGS.canonical(), seed=1)
    frame = read_csv(outputs["gallery"])
    assert frame["place"].tolist() == [1, 2, 3, 4, 5]
    assert set(frame["row_id"][:2]) == {1000 + 7 * 17, 1000 + 7 * 111}
    row = frame[frame["row_id"] == 1000 + 7 * 17].iloc[0]
    assert row["ra"] == pytest.approx(90 * 17 / (len(table) - 1))
    assert row["spec_class"] in ("GALAXY", "QSO", "STAR")
    outliers = read_parquet(outputs["outliers"])
    assert len(outliers) == len(table)
    again = gallery(outliers, table.select(["row_id"]), 3)
    assert "ra" not in again and len(again) == 3


def test_only_some_objects_are_looked_at_where_there_are_many(make_features):
    table = make_features(n=500)
    outliers = found(table, Outliers(max_objects=120, reference=100))
    assert len(outliers) == 120
