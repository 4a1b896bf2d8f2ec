import embed_features
import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from sdssflow.configuration.clustering import Clustering
from sdssflow.explore.embeddings import embed_features as embed
from sdssflow.explore.embeddings import principal_components, uniform_manifold
from sdssflow.explore.feature_space import read_feature_space
from sdssflow.tables import metadata, read_parquet, write_parquet
from tests.jobs import run


@pytest.fixture
def points():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(200, 5)) @ generator.normal(size=(5, 5))
    return (values - values.mean(axis=0)) / values.std(axis=0)


def test_pca_is_the_eigenvectors_of_the_correlation_matrix(points):
    result = principal_components(points)
    values, vectors = np.linalg.eigh(np.corrcoef(points.T))
    values, vectors = values[::-1], vectors[:, ::-1]
    np.testing.assert_allclose(result.explained_variance_ratio, values / 5, atol=1e-12)
    expected = points @ vectors[:, :2]
    signs = np.sign((expected * result.scores).sum(axis=0))
    np.testing.assert_allclose(result.scores, expected * signs, atol=1e-10)


def test_loadings_are_correlations_and_signs_are_fixed(points):
    result = principal_components(points)
    for axis in range(2):
        correlation = [np.corrcoef(feature, result.scores[:, axis])[0, 1] for feature in points.T]
        np.testing.assert_allclose(result.loadings[axis], correlation, atol=1e-12)
        assert result.loadings[axis].max() == np.abs(result.loadings[axis]).max()
    flipped = principal_components(-points)
    np.testing.assert_allclose(flipped.loadings, result.loadings, atol=1e-12)


def test_one_feature_has_one_component():
    column = np.array([[-1.0], [0.0], [1.0]]) * np.sqrt(1.5)
    result = principal_components(column)
    np.testing.assert_allclose(result.scores, np.hstack([column, np.zeros((3, 1))]))
    np.testing.assert_allclose(result.explained_variance_ratio, [1])
    np.testing.assert_allclose(result.loadings, [[1], [0]])


def test_umap_keeps_blobs_apart_and_repeats_itself(make_features):
    space = read_feature_space(make_features(n=90), 100, 1)
    first = uniform_manifold(space.points, seed=1)
    assert silhouette_score(first, space.table["spec_class"].to_pylist()) > 0.6
    assert uniform_manifold(space.points, seed=1).tobytes() == first.tobytes()
    assert uniform_manifold(space.points, seed=2).tobytes() != first.tobytes()


def test_umap_of_three_objects_is_refused():
    with pytest.raises(ValueError, match=r"at least 4 objects.*explore\.embeddings"):
        uniform_manifold(np.eye(3), 1)


def test_only_what_is_asked_for_is_embedded(make_features, monkeypatch):
    space = read_feature_space(make_features(n=40, leave_out=("zspec",)), 100, 1)
    monkeypatch.setattr("sdssflow.explore.embeddings.uniform_manifold", None)  # must not be called
    table, provenance = embed(space, ["pca"], 1)
    assert table.column_names == ["row_id", "pca_1", "pca_2", "spec_class"]
    assert sum(provenance["explained_variance_ratio"]) == pytest.approx(1)
    assert list(provenance["loadings"]) == list(space.names)
    assert embed(space, [], 1)[0].column_names == ["row_id", "spec_class"]


def test_script_writes_the_same_bytes_whatever_the_order(tmp_path, make_features):
    features = make_features(n=60)
    contents = []
    for order in (np.arange(60), np.arange(60)[::-1]):
        write_parquet(features.take(order), tmp_path / "features.parquet")
        inputs, output = {"features": tmp_path / "features.parquet"}, tmp_path / "embedding.parquet"
        settings = Clustering().canonical()
        run(embed_features, inputs, {"embedding": output}, explore=settings, seed=3)
        contents.append(output.read_bytes())
    assert contents[0] == contents[1]
    table = read_parquet(tmp_path / "embedding.parquet")
    expected = ["row_id", "pca_1", "pca_2", "umap_1", "umap_2", "spec_class", "zspec"]
    assert table.column_names == expected
    assert metadata(table.schema)["seed"] == 3
