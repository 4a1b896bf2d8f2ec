"""What classifiers of other packages are given, how they are calibrated, what the table says."""

import sys

import numpy as np
import pandas as pd
import pytest

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.class_metrics import PROBABILITIES
from sdssflow.evaluate.tables import Predictions, read_predictions
from tests.benchmarks.loading import load
from tests.evaluate.test_class_scripts import predict, split_tables, train

run_classifier = load("peers/run_classifier")
compare = load("peers/compare_classifiers")


def rows(n=400, seed=1):
    """Return rows of three classes that two features tell apart, as a peer is given them."""
    generator = np.random.default_rng(seed)
    found = {}
    for part in ("train", "validation", "calibration", "test"):
        classes = generator.integers(0, 3, n)
        found[f"{part}_features"] = np.column_stack(
            [classes + generator.normal(0, 0.4, n), generator.normal(size=n)]
        )
        if part != "test":
            found[f"{part}_classes"] = classes
    return found


def test_the_best_temperature_is_that_by_which_probabilities_are_off():
    generator = np.random.default_rng(2)
    right = generator.dirichlet([0.7, 0.7, 0.7], 20_000)
    classes = (generator.uniform(size=(20_000, 1)) > right.cumsum(axis=1)).sum(axis=1)
    for temperature in (0.5, 2.0):
        stated = run_classifier.scaled(right, temperature)
        found = run_classifier.best_temperature(stated, classes)
        assert found == pytest.approx(1 / temperature, rel=0.03)
        again = run_classifier.scaled(stated, found)
        np.testing.assert_allclose(again.sum(axis=1), 1)
        assert run_classifier.log_loss(again, classes) < run_classifier.log_loss(stated, classes)


@pytest.mark.parametrize("name", ["hist_boosting", "random_forest"])
def test_a_peer_learns_and_gives_both_kinds_of_probabilities(name):
    given = rows()
    probabilities, told = run_classifier.run_peer(name, given, threads=1)
    classes = np.rint(given["test_features"][:, 0]).clip(0, 2).astype(int)
    for probability in probabilities.values():
        np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
        assert (probability.argmax(axis=1) == classes).mean() > 0.85
    assert (probabilities["scaled"] > 0).all()  # a vote of none of the trees is no certainty
    assert told["temperature"] > 0
    assert 1 <= told["trees"] <= run_classifier.MOST_TREES


def test_a_class_that_nobody_trained_on_is_refused():
    given = rows()
    given["train_classes"] = np.minimum(given["train_classes"], 1)
    with pytest.raises(ValueError, match=r"has the classes \[0, 1\], not all three"):
        run_classifier.run_peer("random_forest", given, threads=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A split of two seeds with validation parts, and the predictions of a model of ours."""
    folder = tmp_path_factory.mktemp("peers")
    for seed in (1, 2):
        split_tables(folder, seed)
        path = folder / str(seed) / "development.parquet"
        with_validation(path)
        train(folder, "logistic", seed)
    predict(folder, "logistic")
    return folder


def with_validation(path):
    """Make every third row of the train part one of the part validation."""
    import pyarrow as pa

    from sdssflow.tables import read_parquet, write_parquet

    table = read_parquet(path)
    parts = np.array(table["part"].to_pylist())
    places = np.flatnonzero(parts == "train")[::3]
    parts[places] = "validation"
    column = pa.array(parts.tolist())
    write_parquet(table.set_column(table.column_names.index("part"), "part", column), path)


def test_peers_get_the_rows_of_the_split_but_never_the_classes_of_the_test_part(trained):
    given, objects = compare.rows_of(
        trained / "1/development.parquet", trained / "1/test.parquet", fold=1
    )
    assert set(given) == {
        *(f"{part}_{what}" for part in compare.PARTS for what in ("features", "classes")),
        "test_features",
    }
    np.testing.assert_array_equal(given["test_features"], objects.features)
    assert sum(len(given[f"{part}_classes"]) for part in compare.PARTS) == 120


def test_a_split_without_validation_part_is_refused(tmp_path):
    split_tables(tmp_path, 1)
    with pytest.raises(ValueError, match="no part validation, which the comparison needs"):
        compare.rows_of(tmp_path / "1/development.parquet", tmp_path / "1/test.parquet", 0)


def ours(folder):
    path = folder / "logistic/predictions.parquet"
    return read_predictions([path], ["logistic"])[0]


def test_a_peer_in_its_own_process_predicts_the_objects_of_every_seed_and_fold(trained, tmp_path):
    first = ours(trained)
    splits = {seed: trained / str(seed) for seed in (1, 2)}
    made, told = compare.predictions_of("hist_boosting", first, splits, sys.executable, 1, tmp_path)
    assert [one.model for one in made] == ["hist_boosting, as it is", "hist_boosting, temperature"]
    for one in made:
        pd.testing.assert_frame_equal(
            one.frame[["row_id", "seed", "fold", "spec_class"]].reset_index(drop=True),
            first.frame[["row_id", "seed", "fold", "spec_class"]],
        )
    lines = compare.table([first, *made], Bootstrap(replicates=50))
    assert len(lines) == 2 + 3
    assert "scikit-learn" in "".join(compare.header(first, {"hist_boosting": told}, 1))


def test_a_process_that_fails_says_why(trained, tmp_path):
    given, _ = compare.rows_of(trained / "1/development.parquet", trained / "1/test.parquet", 0)
    given["train_classes"] = np.zeros_like(given["train_classes"])
    with pytest.raises(compare.Failed, match="not all three"):
        compare.run_peer("random_forest", sys.executable, given, 1, tmp_path)


def test_the_difference_is_that_of_the_log_losses_with_its_sign(trained):
    first = ours(trained)
    frame = first.frame.copy()
    flat = 0.8 * frame[PROBABILITIES] + 0.2 / 3
    worse = Predictions("worse", frame.assign(**flat), first.test_digests)
    lines = compare.table([first, worse], Bootstrap(replicates=50))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["classifier", "accuracy", "macro F1", "log-loss", "ECE",
                        "log-loss − logistic"]  # fmt: skip
    losses = [float(line[3].partition(" ")[0]) for line in cells[2:]]
    value, ends = cells[3][5].split(" ", 1)
    assert value.startswith("+")
    assert float(value) == pytest.approx(losses[1] - losses[0], abs=2e-4)
    low, high = (float(end) for end in ends.strip("[]").replace("−", "-").split(", "))
    assert low < float(value) < high
    assert cells[2][5] == ""


def test_seeds_that_were_not_predicted_are_refused(trained):
    assert compare.of_seeds(ours(trained), [2]).seeds == [2]
    with pytest.raises(ValueError, match="logistic has no predictions of seed 7"):
        compare.of_seeds(ours(trained), [7])
