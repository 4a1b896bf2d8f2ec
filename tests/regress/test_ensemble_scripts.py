"""The rules search_settings and train_network with an ensemble, killed and resumed."""

import json
import logging
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import search_settings

from sdssflow.configuration.networks import MixtureEnsemble, SettingsSearch
from sdssflow.models.folders import open_folder
from tests.jobs import run
from tests.regress import galaxies
from tests.regress.calibrated import train

SEARCH = SettingsSearch(hidden=[[4], [6, 6]], candidates=2, first_epochs=2, members=1)
SETTINGS = MixtureEnsemble(
    kind="mixture_ensemble", members=2, hidden=[8], max_epochs=6, batch_size=32, blocks=4
)
ROOT = Path(__file__).parents[2]
# killed from outside would be at one point or another; this is the worst one, between two others
TRAIN_TILL_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = ["scripts", "."]
from tests.regress.test_ensemble_scripts import LONG, train
replace, finished = os.replace, []

def replace_and_die(source, target, **others):
    if "checkpoints" in str(target):
        finished.append(target)
        if len(finished) == 8:  # the eighth checkpoint is written but not in its place
            os.kill(os.getpid(), signal.SIGKILL)
    return replace(source, target, **others)

os.replace = replace_and_die
train(Path(sys.argv[1]), Path(sys.argv[2]), LONG)
"""
LONG = SETTINGS.model_copy(update={"max_epochs": 15, "checkpoint_epochs": 1, "patience": 999})


def search(development, folder, settings):
    outputs = {"table": folder / "1.csv", "chosen": folder / "1.json"}
    params = {"settings": settings.canonical(), "seed": 1}
    return run(search_settings, {"development": development}, outputs, **params)


def test_a_training_killed_by_sigkill_resumes_to_the_same_bytes(tmp_path, caplog):
    development, _ = galaxies.write_split(tmp_path)
    undisturbed = train(development, tmp_path / "undisturbed", LONG)
    folder, checkpoint = tmp_path / "m", tmp_path / "checkpoints_of_m/fold_0_c0de.safetensors"
    command = [sys.executable, "-c", TRAIN_TILL_KILLED, str(development), str(folder)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert checkpoint.exists() and not (folder / "fold_0.safetensors").exists()
    shutil.rmtree(folder, ignore_errors=True)  # as Snakemake does with a killed job's output
    with caplog.at_level(logging.INFO):
        train(development, folder, LONG)
    assert "resumed after epoch 7" in caplog.text
    for name in ("fold_0.safetensors", "history.csv"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes()
    assert not checkpoint.parent.exists()


def test_each_fold_is_trained_with_the_settings_found_on_it(tmp_path):
    development, _ = galaxies.write_split(tmp_path, folds=2)
    settings = SETTINGS.model_copy(update={"search": SEARCH})
    output = search(development, tmp_path / "search", settings)
    chosen = json.loads(output.chosen.read_text())
    assert list(chosen) == ["0", "1"]
    table = pd.read_csv(output.table)
    assert sorted(set(table["fold"])) == [0, 1] and table["kept"].sum() == 2
    chosen["1"]["hidden"] = [5]
    output.chosen.write_text(json.dumps(chosen))
    folder = open_folder(train(development, tmp_path / "m", settings, chosen=[output.chosen]))
    assert folder.fold_settings(1).hidden == [5]
    assert folder.card["settings"] == json.loads(settings.canonical())
    rows = galaxies.draw(7)[0]
    for fold in (0, 1):
        assert len(folder.load_pdf(fold)(rows)) == 7


def test_an_ensemble_predicts_pdfs_and_no_bare_points(tmp_path):
    development, _ = galaxies.write_split(tmp_path)
    folder = open_folder(train(development, tmp_path / "m", SETTINGS))
    features, zspec = galaxies.draw(200, 9)
    pdf = folder.load_pdf(0)(features)
    assert np.abs(pdf.mean() - zspec).mean() < zspec.std()
    with pytest.raises(ValueError, match="predicts p\\(z\\); use load_pdf"):
        folder.load(0)
