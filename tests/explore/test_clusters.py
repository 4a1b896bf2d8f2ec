import find_clusters as script
import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.clustering import Clustering
from sdssflow.explore.clusters import ALGORITHMS, by_size, find_clusters, true_groups
from sdssflow.explore.feature_space import read_feature_space
from sdssflow.tables import metadata, read_csv, read_parquet, write_parquet
from tests.jobs import run

SETTINGS = Clustering(clusters=[2, 3, 4], min_cluster_size=15, max_objects=200)


def clusters(features, settings=SETTINGS, seed=1):
    return find_clusters(read_feature_space(features, settings.max_objects, seed), settings, seed)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_separate_blobs_are_found(make_features, algorithm):
    table, labels = clusters(make_features())
    found = labels[algorithm].to_numpy()
    assert adjusted_rand_score(labels["spec_class"].to_pylist(), found) > 0.95
    chosen = table[(table.algorithm == algorithm) & table.chosen]
    assert set(chosen.k) == {3}
    assert (chosen.ari > 0.95).all()
    assert (chosen.ami > 0.95).all()
    assert set(chosen.truth) == {"spec_class"}
    assert set(table.n) == {200}


def test_order_of_rows_does_not_matter(make_features):
    features = make_features()
    order = np.random.default_rng(3).permutation(len(features))
    table, labels = clusters(features)
    shuffled_table, shuffled = clusters(features.take(pa.array(order)))
    assert labels.equals(shuffled)
    assert table.equals(shuffled_table)


def test_scale_of_a_feature_does_not_matter(make_features):
    features = make_features()
    position = features.column_names.index("feature_0")
    scaled = pa.array(features["feature_0"].to_numpy() * 1000 + 5)
    other = clusters(features.set_column(position, "feature_0", scaled))[1]
    for name in ALGORITHMS:
        assert other[name].equals(clusters(features)[1][name])


def test_one_blob_is_not_rewarded_for_chance(make_features):
    features = make_features(blobs=1, leave_out=("spec_class",))
    classes = np.random.default_rng(0).choice(["GALAXY", "STAR"], len(features))
    table, _ = clusters(features.append_column("spec_class", pa.array(classes)))
    assert table.ari.abs().max() < 0.1
    assert table[table.algorithm == "kmeans"].value.min() < 0.4


@pytest.mark.parametrize(
    "leave_out, truth",
    [((), "spec_class"), (("spec_class",), "zspec_terciles"), (("spec_class", "zspec"), "none")],
)
def test_truth_is_named(make_features, leave_out, truth):
    table, labels = clusters(make_features(leave_out=leave_out))
    assert set(table.truth) == {truth}
    assert ("spec_class" in labels.column_names) == ("spec_class" not in leave_out)
    if truth == "none":
        assert table.ari.isna().all()
        assert set(table.n_truth) == {0}
    else:
        assert table.ari.notna().all()


def test_single_class_gives_way_to_redshift_and_unknown_truth_is_left_out():
    table = pa.table(
        {
            "row_id": [1, 2, 3, 4],
            "spec_class": pa.array(["GALAXY", "GALAXY", None, "GALAXY"]),
            "zspec": pa.array([0.1, None, 0.2, 0.3]),
        }
    )
    truth = true_groups(table)
    assert truth.name == "zspec_terciles"
    assert truth.labels[1] == ""
    assert len(set(truth.labels)) == 4
    two = table.set_column(1, "spec_class", pa.array(["GALAXY", "STAR", None, "GALAXY"]))
    assert true_groups(two).labels.tolist() == ["GALAXY", "STAR", "", "GALAXY"]


def test_groups_are_numbered_by_size():
    assert by_size(np.array([5, 5, 9, -1, 9, 9, 7])).tolist() == [1, 1, 0, -1, 0, 0, 2]
    assert by_size(np.array([3, 1, 1, 3])).tolist() == [0, 1, 1, 0]
    assert by_size(np.array([-1, -1])).tolist() == [-1, -1]


def test_two_objects_cannot_be_two_groups_and_three_can(make_features):
    with pytest.raises(ValueError, match=r"explore\.clusters.*2 distinct objects"):
        clusters(make_features(n=2))
    table, labels = clusters(make_features(n=3))
    assert set(table[table.algorithm == "kmeans"].k) == {2}
    assert len(labels) == 3


def run_script(features, folder, name):
    write_parquet(features, folder / "features.parquet")
    outputs = {"table": folder / f"{name}.csv", "labels": folder / f"{name}.parquet"}
    outputs |= {of: folder / f"{name}_{of}.csv" for of in ("agreement", "contingency")}
    inputs = {"features": folder / "features.parquet"}
    bootstrap = Bootstrap(replicates=30).canonical()
    return run(script, inputs, outputs, explore=SETTINGS.canonical(), seed=4, bootstrap=bootstrap)


def test_script_writes_the_same_bytes_each_time(tmp_path, make_features):
    first, second = (run_script(make_features(), tmp_path, name) for name in "ab")
    assert first.table.read_bytes() == second.table.read_bytes()
    assert first.labels.read_bytes() == second.labels.read_bytes()
    labels = read_parquet(first.labels)
    assert all(labels.schema.field(name).type == pa.int32() for name in ALGORITHMS)
    provenance = metadata(labels.schema)
    assert provenance["seed"] == 4
    table = read_csv(first.table)
    assert set(table.data_digest) == {provenance["data_digest"]}
    chosen = table[table.chosen].drop_duplicates("algorithm").set_index("algorithm")
    assert table[table.chosen].groupby("algorithm").k.nunique().tolist() == [1, 1, 1]
    agreement = read_csv(first.agreement).set_index("algorithm")
    for name in ("ari", "ami"):
        np.testing.assert_allclose(agreement[name], chosen[name].loc[agreement.index], rtol=1e-9)
        assert (agreement[f"{name}_lower"] <= agreement[name]).all()
    contingency = read_csv(first.contingency)
    counted = contingency.groupby("algorithm")["n"].sum()
    assert counted.tolist() == [200, 200, 200]
    assert first.agreement.read_bytes() == second.agreement.read_bytes()
