"""Class sets hold what they promise, thresholds keep what was asked for."""

import numpy as np
import pytest

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import (
    CLASS_SET,
    CONFIDENCE,
    SETS,
    class_set_thresholds,
    completeness_threshold,
    members,
    purity_threshold,
    set_codes,
)


def exchangeable(n, seed, mix=(0.6, 0.1, 0.3)):
    """Probabilities of a classifier that is right, and classes drawn by them; classes overlap."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(3, n, p=mix)
    centres = np.array([[0, 0], [2.5, 0], [0, 2.5]])
    place = centres[truth] + generator.normal(size=(n, 2))
    distance = ((place[:, None] - centres) ** 2).sum(axis=2)
    likely = np.array(mix) * np.exp(-distance / 2)
    return likely / likely.sum(axis=1, keepdims=True), truth


def test_sets_cover_each_class_at_the_stated_level():
    covered = []
    for seed in range(20):
        thresholds = class_set_thresholds(*exchangeable(1500, seed))
        probability, truth = exchangeable(6000, 100 + seed, (0.2, 0.5, 0.3))  # another mix
        # the classifier's own idea of the mix stays
        again = probability * np.array([0.6, 0.1, 0.3]) / np.array([0.2, 0.5, 0.3])
        inside = members(set_codes(again / again.sum(axis=1, keepdims=True), thresholds))
        covered.append([inside[truth == k, k].mean() for k in range(3)])
    # 150 quasars to calibrate on: a standard error of 0.025 each time, 0.006 of the mean
    np.testing.assert_allclose(np.mean(covered, axis=0), 0.9, atol=0.018)


def test_few_objects_of_a_class_put_it_into_every_set():
    probability, truth = exchangeable(300, 1)
    few = np.flatnonzero(truth == 1)[:8]  # nine would allow one in ten to fall short
    rows = np.r_[np.flatnonzero(truth != 1), few]
    thresholds = class_set_thresholds(probability[rows], truth[rows])
    assert thresholds[1] == 0
    assert (thresholds[[0, 2]] > 0).all()
    assert class_set_thresholds(np.empty((0, 3)), np.empty(0, int)).tolist() == [0, 0, 0]


def test_codes_are_places_in_the_list_of_sets():
    codes = set_codes(np.eye(3), np.full(3, 0.5))
    assert [SETS[code] for code in codes] == list(CLASSES)
    assert SETS[set_codes(np.full((1, 3), 1 / 3), np.full(3, 0.5))[0]] == "none"
    assert SETS[set_codes(np.full((1, 3), 1 / 3), np.zeros(3))[0]] == "|".join(CLASSES)
    np.testing.assert_array_equal(members(codes), np.eye(3, dtype=bool))
    assert CLASS_SET == "class_set_90"


@pytest.mark.parametrize("choose", [purity_threshold, completeness_threshold])
def test_thresholds_keep_what_was_asked_for_as_often_as_they_say(choose):
    kept, cost = [], []
    for seed in range(60):
        probability, truth = exchangeable(1000, seed)
        threshold = choose(probability[:, 2], truth == 2, 0.9)
        probability, truth = exchangeable(20_000, 1000 + seed)
        taken = probability[:, 2] >= threshold
        purity, completeness = (truth[taken] == 2).mean(), taken[truth == 2].mean()
        reached, other = (purity, completeness)[:: 1 if choose is purity_threshold else -1]
        kept.append(reached >= 0.9)
        cost.append(other)
    # three standard errors of 60 draws; the lowest of many thresholds is a lucky one
    assert np.mean(kept) > CONFIDENCE - 0.12
    assert np.mean(cost) > 0.6  # and gives away no more than it must


def test_without_a_threshold_there_is_none():
    probability, truth = exchangeable(40, 1)
    assert np.isnan(purity_threshold(probability[:, 1], truth == 1, 0.99))
    assert np.isnan(completeness_threshold(probability[:, 1], truth == 1, 0.99))
    assert np.isnan(purity_threshold(np.empty(0), np.empty(0, bool), 0.9))
    # equal probabilities stand together: one of them can't be taken alone
    assert purity_threshold(np.full(200, 0.5), np.arange(200) < 195, 0.9) == 0.5
    assert np.isnan(purity_threshold(np.full(200, 0.5), np.arange(200) < 150, 0.9))
