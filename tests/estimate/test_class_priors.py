"""The mix of classes of a target: found again where it is known, with an interval that holds it."""

import json
from types import SimpleNamespace

import estimate_priors
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError

from sdssflow.acquire.schema import CLASSES
from sdssflow.bundle import BundleError
from sdssflow.classify.decisions import CLASS_SET
from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.targets import ClassPriors
from sdssflow.estimate.class_priors import TABLE_COLUMNS, priors_table
from sdssflow.estimate.class_priors import estimate_priors as estimated
from sdssflow.estimate.classes import with_priors
from sdssflow.estimate.truth import Scored, prior_scores
from sdssflow.tables import write_parquet
from tests.classify.test_decisions import exchangeable
from tests.jobs import run

TRAINED = np.array([0.6, 0.1, 0.3])
TRUE = np.array([0.3, 0.2, 0.5])
ONCE = np.ones((1, 4000))


def target(n, seed, mix=TRUE):
    """Objects in another mix, and what a classifier that is right for the trained mix says."""
    probability, truth = exchangeable(n, seed, mix)
    return with_priors(probability, mix, TRAINED), truth


def drawn_of(probability):
    columns = {f"probability_{name}": probability[:, k] for k, name in enumerate(CLASSES)}
    columns[CLASS_SET] = ["none" if k % 4 == 0 else "QSO" for k in range(len(probability))]
    rows = np.arange(len(probability))
    return pa.table({"partition": pa.array(rows % 2, pa.int32()), "row_id": rows, **columns})


def named(mix):
    return dict(zip(CLASSES, map(float, mix), strict=True))


def test_the_mix_is_found_where_counts_and_means_lean_to_the_trained_one():
    probability, _ = target(4000, 1)
    (found,) = estimated(probability, TRAINED, ONCE)
    np.testing.assert_allclose(found, TRUE, atol=0.03)
    assert found.sum() == pytest.approx(1)
    assert np.abs(probability.mean(axis=0) - TRUE).max() > 0.05
    (same,) = estimated(target(4000, 2, TRAINED)[0], TRAINED, ONCE)
    np.testing.assert_allclose(same, TRAINED, atol=0.03)


def test_the_interval_holds_the_mix_as_often_as_it_says():
    held = []
    for seed in range(40):
        drawn = drawn_of(target(500, seed)[0])
        table = priors_table(drawn, 500, named(TRAINED), None, Bootstrap(replicates=60, level=0.9))
        held.append((table["lower"] <= TRUE) & (table["upper"] >= TRUE))
    # 120 intervals, three by three not independent: 0.9 with a standard error of about 0.035
    assert 0.8 < np.mean(held) < 0.97


def test_probabilities_for_an_assumed_mix_give_the_same_estimate():
    probability, _ = target(2000, 3)
    assumed = np.array([0.2, 0.4, 0.4])
    raw = priors_table(drawn_of(probability), 9000, named(TRAINED), None, Bootstrap(replicates=20))
    other = drawn_of(with_priors(probability, TRAINED, assumed))
    table = priors_table(other, 9000, named(TRAINED), named(assumed), Bootstrap(replicates=20))
    assert list(table) == TABLE_COLUMNS
    np.testing.assert_allclose(table["estimated"], raw["estimated"], atol=1e-6)
    np.testing.assert_allclose(table["upper"], raw["upper"], atol=1e-6)
    assert table["assumed"].tolist() == assumed.tolist()
    assert raw["assumed"].isna().all()
    assert set(table["objects"]) == {9000}
    assert set(table["empty_sets"]) == {0.25}
    assert (table["lower"] < table["estimated"]).all()


def test_bayes_rule_is_exact_where_it_can_be_counted():
    """Of 8 galaxies and 4 stars in a bin, a mix with twice the stars has 8 of each."""
    probability = np.array([[8 / 12, 0, 4 / 12]])
    found = with_priors(probability, np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.5, 0.25]))
    np.testing.assert_allclose(found, [[0.5, 0, 0.5]])
    np.testing.assert_allclose(with_priors(found, np.array([0.25, 0.5, 0.25]),
                                           np.array([0.5, 0.25, 0.25])), probability)  # fmt: skip
    # a class that the training part lacks has no ratio, and no probability
    lacking = with_priors(np.array([[0.5, 0, 0.5]]), np.array([0.5, 0, 0.5]), TRUE)
    np.testing.assert_allclose(lacking, [[0.375, 0, 0.625]])


def test_a_class_that_training_lacks_stays_at_nothing_and_no_objects_give_no_mix():
    probability = target(500, 4)[0][:, [0, 2]]
    probability = np.insert(probability / probability.sum(axis=1, keepdims=True), 1, 0, axis=1)
    (found,) = estimated(probability, np.array([0.6, 0, 0.4]), np.ones((1, 500)))
    assert found[1] == 0
    table = priors_table(pa.table({"partition": []}), 0, named(TRAINED), None, Bootstrap())
    unknown = priors_table(drawn_of(np.eye(3)), 3, None, None, Bootstrap(replicates=20))
    assert unknown[["training", "estimated", "lower"]].isna().all(axis=None)
    assert unknown["most_probable"].tolist() == pytest.approx([1 / 3] * 3)
    assert table["estimated"].isna().all()
    assert table["drawn"].tolist() == [0, 0, 0]


def test_the_script_reads_what_partitions_drew(tmp_path, classes):
    probability, _ = target(600, 5)
    paths = [tmp_path / f"{k}_drawn.parquet" for k in range(2)]
    for k, path in enumerate(paths):
        rows = drawn_of(probability[k::2]).drop_columns("partition")
        key = pa.array(np.arange(len(rows)) * 2 + k, pa.uint64())
        write_parquet(rows.append_column("key", key), path)
        summary = {"numbers": {"kept": 300, "classified": 290 + k}}
        (tmp_path / f"{k}.json").write_text(json.dumps(summary))
    source = {"kind": "file", "path": "a.csv", "columns": {"model_mag_r": "r"}}
    source |= {"extinction_applied": True}
    definition = {"title": "t", "source": source, "models": [{"bundle": "b"}]}
    run(
        estimate_priors,
        {
            "bundles": [classes],
            "drawn": paths,
            "summaries": [tmp_path / f"{k}.json" for k in (0, 1)],
        },
        {"priors": tmp_path / "priors.csv"},
        target=json.dumps(definition), most=1000, bootstrap=Bootstrap(replicates=20).canonical(),
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "priors.csv")
    assert table["class"].tolist() == list(CLASSES)
    assert set(table["drawn"]) == {600}
    assert set(table["objects"]) == {581}
    assert table["estimated"].sum() == pytest.approx(1)


def test_probabilities_for_no_known_mix_are_refused(classes):
    from sdssflow import bundle
    from sdssflow.estimate.classes import ClassModel

    opened = bundle.load(classes)
    settings = SimpleNamespace(takes_missing=True, voters=[], class_weight="balanced")
    training = {"0": {"calibration": "none"}}
    card = opened.folder.card | {"training": training}
    folder = SimpleNamespace(card=card, settings=settings, load_model=opened.folder.load_model)
    model = ClassModel(folder, opened.manifest)
    with pytest.raises(BundleError, match="are not known"):
        model.columns(np.zeros((1, 5)), np.zeros(1), 1, named(TRUE))


@pytest.mark.parametrize(
    ("mix", "words"),
    [
        ({"GALAXY": 0.5, "QSO": 0.2, "STAR": 0.2}, "sum to 0.9"),
        ({"GALAXY": 0.5, "QSO": 0.0, "STAR": 0.5}, "greater than 0"),
        ({"GALAXY": 0.5, "STAR": 0.5}, "Field required"),
    ],
)
def test_a_mix_has_three_parts_that_sum_to_one(mix, words):
    with pytest.raises(ValidationError, match=words):
        ClassPriors.model_validate(mix)


def test_estimates_are_scored_against_the_truth():
    probability, truth = target(2000, 6)
    priors = priors_table(
        drawn_of(probability), 2000, named(TRAINED), None, Bootstrap(replicates=20)
    )
    known = pa.table({"class": np.array(CLASSES)[truth].tolist()})
    scored = Scored(known, np.array(CLASSES)[truth], np.zeros(2000), 2000, ["b"], "digest")
    table = prior_scores(scored, priors)
    share = np.bincount(truth) / 2000
    np.testing.assert_allclose(table["value"], priors["estimated"] - share)
    assert table["subset"].tolist() == list(CLASSES)
    assert (table["lower"] < table["value"]).all()
    assert np.abs(table["value"]).max() < 0.05
