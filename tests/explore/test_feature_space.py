import numpy as np
import pyarrow as pa
import pytest

from sdssflow.explore.feature_space import draw_rows, read_feature_space
from sdssflow.tables import with_metadata


def test_draw_does_not_depend_on_the_order_of_rows():
    row_id = np.arange(1000) * 3
    drawn = row_id[draw_rows(row_id, 100, seed=1)]
    shuffled = np.random.default_rng(0).permutation(row_id)
    np.testing.assert_array_equal(shuffled[draw_rows(shuffled, 100, seed=1)], drawn)
    assert len(set(drawn)) == 100


def test_draw_is_stable_under_removal_and_changes_with_the_seed():
    row_id = np.arange(1000)
    drawn = set(row_id[draw_rows(row_id, 100, seed=1)])
    fewer = row_id[row_id % 2 == 0]
    kept = set(fewer[draw_rows(fewer, 100, seed=1)])
    assert {identifier for identifier in drawn if identifier % 2 == 0} <= kept
    other = set(row_id[draw_rows(row_id, 100, seed=2)])
    assert len(drawn & other) < 30  # 10 expected by chance


def test_draw_is_fair():
    row_id = np.arange(2000)
    drawn = np.concatenate([draw_rows(row_id, 200, seed) for seed in range(50)])
    counts = np.bincount(drawn, minlength=2000)  # binomial(50, 0.1): mean 5, sd 2.1
    assert abs(counts[:1000].sum() - counts[1000:].sum()) < 400
    assert 4.3 < counts.var() < 4.75 + 0.5


def test_few_objects_are_all_taken_and_duplicates_refused():
    np.testing.assert_array_equal(draw_rows(np.array([5, 2, 9]), 100, 1), [1, 0, 2])
    with pytest.raises(ValueError, match="row_id 4 occurs twice"):
        draw_rows(np.array([4, 1, 4]), 100, 1)


def test_features_are_standardised_and_truth_is_carried(make_features):
    space = read_feature_space(make_features(), 100, seed=1)
    assert space.points.shape == (100, 4)
    np.testing.assert_allclose(space.points.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(space.points.std(axis=0), 1)
    assert space.table.column_names == ["row_id", "spec_class", "zspec"]


def test_truth_without_a_value_is_not_carried(make_features):
    features = make_features(leave_out=("spec_class", "zspec"))
    features = features.append_column("zspec", pa.nulls(len(features), pa.float64()))
    assert read_feature_space(features, 100, 1).table.column_names == ["row_id"]


def test_constant_feature_is_left_out_and_all_constant_refused(make_features):
    features = make_features(n=50)
    position = features.column_names.index("feature_1")
    features = features.set_column(position, "feature_1", pa.array(np.full(50, 0.1)))
    space = read_feature_space(features, 100, 1)
    assert space.names == ("feature_0", "feature_2", "feature_3")
    only = with_metadata(features, features=["feature_1"])
    with pytest.raises(ValueError, match=r"same value in every feature \(feature_1\)"):
        read_feature_space(only, 100, 1)


@pytest.mark.parametrize("broken", [None, np.nan, np.inf])
def test_a_feature_that_some_lack_is_left_out_and_told(make_features, broken):
    features = make_features(n=20)
    values = features["feature_2"].to_pylist()
    values[3] = broken
    position = features.column_names.index("feature_2")
    features = features.set_column(position, "feature_2", pa.array(values, pa.float64()))
    space = read_feature_space(features, 5, 1)
    assert space.names == ("feature_0", "feature_1", "feature_3")
    assert space.left_out == ("feature_2",)
    only = with_metadata(features, features=["feature_2"])
    with pytest.raises(ValueError, match=r"'feature_2' .* 1 of 20 \(first: row_id 1021\)"):
        read_feature_space(only, 5, 1)


def test_one_object_or_no_features_are_refused(make_features):
    with pytest.raises(ValueError, match="at least two"):
        read_feature_space(make_features(n=1), 100, 1)
    with pytest.raises(ValueError, match="names no features"):
        read_feature_space(with_metadata(make_features(), features=[]), 100, 1)
