"""Agreement of groups with classes: the indices of scikit-learn, with intervals."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.groups import agreement

BOOTSTRAP = Bootstrap(replicates=100)
N = 600


def groups(seed=0, n=N, right=0.7):
    generator = np.random.default_rng(seed)
    truth = generator.choice(["GALAXY", "QSO", "STAR"], n, p=[0.6, 0.1, 0.3])
    code = np.unique(truth, return_inverse=True)[1]
    label = np.where(generator.random(n) < right, code, generator.integers(-1, 4, n))
    return truth, label, np.arange(n).astype(str)


def test_indices_are_those_of_scikit_learn_and_lie_within_their_intervals():
    truth, label, objects = groups()
    scores, _ = agreement({"kmeans": label}, truth, "spec_class", objects, BOOTSTRAP)
    row = scores.iloc[0]
    assert row.ari == pytest.approx(adjusted_rand_score(truth, label), abs=1e-12)
    assert row.ami == pytest.approx(adjusted_mutual_info_score(truth, label), abs=1e-12)
    assert row.ari_lower < row.ari < row.ari_upper
    assert row.ami_lower < row.ami < row.ami_upper
    assert (row.groups, row.n, row.truth) == (4, N, "spec_class")


def test_intervals_are_as_wide_as_other_samples_scatter():
    values, widths = [], []
    for seed in range(25):
        truth, label, objects = groups(seed)
        row = agreement({"a": label}, truth, "-", objects, BOOTSTRAP)[0].iloc[0]
        values.append(row[["ari", "ami"]].to_numpy(float))
        widths.append([row.ari_upper - row.ari_lower, row.ami_upper - row.ami_lower])
    expected = 2 * 1.96 * np.std(values, axis=0)
    np.testing.assert_allclose(np.mean(widths, axis=0), expected, rtol=0.35)


def test_duplicates_are_drawn_together():
    truth, label, objects = groups(n=100)
    pairs = [np.tile(values, 4) for values in (truth, label, objects)]
    once = agreement({"a": label}, truth, "-", objects, BOOTSTRAP)[0].iloc[0]
    tied = agreement({"a": pairs[1]}, pairs[0], "-", pairs[2], BOOTSTRAP)[0].iloc[0]
    free = agreement({"a": pairs[1]}, pairs[0], "-", np.arange(400).astype(str), BOOTSTRAP)[0]
    width = tied.ari_upper - tied.ari_lower
    assert width == pytest.approx(once.ari_upper - once.ari_lower, rel=0.2)
    assert width > 1.5 * (free.ari_upper - free.ari_lower).iloc[0]


def test_the_contingency_counts_every_known_object_once():
    truth, label, objects = groups()
    truth[:50] = ""
    _, table = agreement({"hdbscan": label}, truth, "spec_class", objects, BOOTSTRAP)
    assert table["n"].sum() == N - 50
    assert table["group"].tolist() == ["noise", "0", "1", "2", "3"]
    cell = table.set_index("group").loc["1", "QSO"]
    assert cell == np.sum((label == 1) & (truth == "QSO"))
    row = table.iloc[1]
    assert row.commonest == "GALAXY" and row.share == row.GALAXY / row.n


def test_without_a_truth_there_is_nothing_to_compare():
    _, label, objects = groups()
    scores, table = agreement({"a": label}, np.full(N, ""), "none", objects, BOOTSTRAP)
    assert len(scores) == len(table) == 0


def test_equal_partitions_agree_and_one_group_says_nothing():
    truth, _, objects = groups()
    code = np.unique(truth, return_inverse=True)[1]
    labels = {"same": code, "one": np.zeros(N, dtype=int)}
    scores = agreement(labels, truth, "-", objects, BOOTSTRAP)[0].set_index("algorithm")
    assert scores.loc["same", ["ari", "ari_lower", "ari_upper"]].tolist() == [1, 1, 1]
    assert scores.loc["same", "ami"] == pytest.approx(1)
    assert scores.loc["one", ["ari", "ami"]].tolist() == [0, 0]
