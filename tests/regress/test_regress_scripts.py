"""The rules train_regressor, train_network and predict_redshifts on simulated galaxies."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import predict_redshifts
import pyarrow.parquet as pq
import pytest

from sdssflow.configuration import regressors
from sdssflow.configuration.networks import Committee, Network
from sdssflow.models.folders import open_folder
from sdssflow.tables import metadata
from tests.jobs import run
from tests.regress import galaxies
from tests.regress.calibrated import train

LINEAR = regressors.LinearRegression(kind="linear")
NETWORK = Network(kind="network", hidden=[8], max_epochs=4)
COMMITTEE = Committee(kind="committee", members=2, hidden=[4], max_epochs=3)
TREE = regressors.DecisionTree(kind="decision_tree")
NEIGHBOURS = regressors.NeighbourMean(kind="nearest_neighbours")
SCRIPTS = Path(__file__).parents[2] / "scripts"


def predict(folders, tests, seeds, path):
    inputs = {"models": list(folders), "tests": list(tests)}
    run(predict_redshifts, inputs, {"predictions": path}, seeds=seeds, model="some")
    return pq.read_table(path)


@pytest.mark.parametrize(
    "settings",
    [LINEAR, NETWORK, COMMITTEE, TREE, NEIGHBOURS],
    ids=lambda settings: settings.kind,
)
def test_from_split_tables_to_predictions(settings, tmp_path):
    folders, tests = [], []
    for seed in (1, 2):
        development, test = galaxies.write_split(tmp_path, seed, folds=2)
        folders.append(train(development, tmp_path / f"model_{seed}", settings, seed))
        tests.append(test)
    table = predict(folders, tests, [1, 2], tmp_path / "predictions.parquet")
    assert table.column_names == [
        "row_id", "seed", "fold", "group", "reference_mag", "zspec", "zphot",
    ]  # fmt: skip
    frame = table.to_pandas()
    assert len(frame) == 2 * 2 * 80
    assert frame.groupby(["seed", "fold"]).size().tolist() == [80] * 4
    if settings.kind == "linear":
        residual = frame["zphot"] - frame["zspec"]
        assert residual.std() < 0.4 * frame["zspec"].std()
    about = metadata(table.schema)
    assert about["model"] == "some"
    assert (about["sample"], about["split"]) == ("simulated", "holdout")
    expected = {str(s): metadata(pq.read_schema(t))["data_digest"] for s, t in zip((1, 2), tests)}  # noqa: B905
    assert about["test_digests"] == expected
    assert about["cards"]["1"]["device"] == "cpu"
    assert set(about["cards"]["2"]) == {"device", "dtype", "versions"}


def test_the_card_says_what_is_needed_to_trust_and_load_the_model(tmp_path):
    development, _ = galaxies.write_split(tmp_path, folds=2)
    card = json.loads((train(development, tmp_path / "m", NETWORK) / "card.json").read_text())
    assert card["kind"] == "network"
    assert card["settings"] == json.loads(NETWORK.canonical())
    assert card["features"] == list(galaxies.NAMES)
    assert card["folds"] == [0, 1]
    assert card["dtype"] == "float32"
    assert card["training"]["0"]["objects"] == {"train": 300, "validation": 60}
    assert card["training"]["0"]["digests"] != card["training"]["1"]["digests"]
    assert "torch" in card["versions"]


def test_the_history_has_a_row_per_fold_and_epoch(tmp_path):
    development, _ = galaxies.write_split(tmp_path, folds=2, validation=0)
    history = pd.read_csv(train(development, tmp_path / "m", NETWORK) / "history.csv")
    assert list(history) == ["fold", "epoch", "train_loss", "validation_loss"]
    assert history["fold"].tolist() == [0] * 4 + [1] * 4
    assert history["epoch"].tolist() == [1, 2, 3, 4] * 2
    assert history["validation_loss"].isna().all()


def test_calibration_rows_do_not_enter(tmp_path):
    development, test = galaxies.write_split(tmp_path)
    table = pq.read_table(development)
    frame = table.to_pandas()
    frame.loc[frame["part"] == "calibration", "zspec"] = 99.0
    changed = tmp_path / "changed.parquet"
    spoiled = table.set_column(1, "zspec", [frame["zspec"].to_numpy()])
    pq.write_table(spoiled, changed)
    zphot = [
        predict([train(path, tmp_path / name, NETWORK)], [test], [1], tmp_path / f"{name}.parquet")
        for name, path in (("plain", development), ("spoiled", changed))
    ]
    np.testing.assert_array_equal(zphot[0]["zphot"], zphot[1]["zphot"])


def test_another_seed_or_other_features_are_refused(tmp_path):
    development, test = galaxies.write_split(tmp_path, seed=1)
    _, other = galaxies.write_split(tmp_path, seed=2)
    _, renamed = galaxies.write_split(tmp_path, seed=3, names=("a", "b", "c", "d", "e"))
    folder = train(development, tmp_path / "m", LINEAR, seed=1)
    with pytest.raises(ValueError, match="m has seed 1, not 2"):
        predict([folder], [other], [2], tmp_path / "p.parquet")
    with pytest.raises(ValueError, match="zip"):
        predict([folder], [test], [1, 2], tmp_path / "p.parquet")
    moved = train(galaxies.write_split(tmp_path, seed=3)[0], tmp_path / "n", LINEAR, seed=3)
    _, renamed = galaxies.write_split(tmp_path, seed=3, names=("a", "b", "c", "d", "e"))
    with pytest.raises(ValueError, match="n has features .*, not .'a', 'b'"):
        predict([moved], [renamed], [3], tmp_path / "p.parquet")
    assert not (tmp_path / "p.parquet").exists()


def test_a_folder_of_unknown_kind_or_without_card_is_refused(tmp_path):
    development, _ = galaxies.write_split(tmp_path)
    folder = train(development, tmp_path / "m", LINEAR)
    card = json.loads((folder / "card.json").read_text())
    card["settings"]["kind"] = "oracle"
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"card\.json: settings .*oracle.* train again"):
        open_folder(folder)
    (folder / "card.json").write_text("{}")
    with pytest.raises(ValueError, match="not the card of a model"):
        open_folder(folder)
    (folder / "card.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no card\.json"):
        open_folder(folder)


def test_a_fold_without_a_model_is_refused(tmp_path):
    development, _ = galaxies.write_split(tmp_path)
    folder = open_folder(train(development, tmp_path / "m", LINEAR))
    with pytest.raises(ValueError, match=r"no model of fold 3, only of \[0\]"):
        folder.load(3)


def test_errors_of_a_fit_name_the_file(tmp_path):
    development, _ = galaxies.write_split(tmp_path)
    table = pq.read_table(development)
    zspec = table["zspec"].to_numpy().copy()
    zspec[0] = np.nan
    pq.write_table(table.set_column(1, "zspec", [zspec]), development)
    for settings in (LINEAR, NETWORK):
        with pytest.raises(ValueError, match=r"development\.parquet, fold 0: zspec is missing"):
            train(development, tmp_path / "m", settings)


def test_the_scikit_learn_rule_does_not_import_torch():
    code = "import sys, train_regressor, predict_redshifts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, check=False).returncode == 0
