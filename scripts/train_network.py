"""Train one torch regressor on the development part of a split.

For each fold, the model is fitted to the part `train`; a network is stopped on the part
`validation` and keeps its best epoch. The members of an ensemble may divide both parts among
themselves (`blocks`). The part `calibration` is not used. Test objects are not in the file this
rule reads.

With `resources: gpu` 0 it trains on the CPU, with more on a GPU that is reserved for this job. If
there is none, the rule fails before it reads data, with the line to change; with
`resources: without_gpu` cpu it trains on the CPU instead.

The checkpoint of an ensemble is next to the output folder, not in it, because Snakemake deletes the
output of a killed job. The next run resumes from it and ends with the same weights; if the program
has changed in between, it starts from scratch.

Input
    development : `development.parquet` of the split and seed
    chosen : settings by fold from search_settings; none for a model without a search
Parameters
    settings : canonical JSON of the regressor's section
    model : name of the regressor
    seed : seed of split, initial weights and order of mini-batches
    checkpoints : folder of checkpoints; removed once the model is saved
    code : digest of the program
Output
    folder : `fold_K.safetensors` for each fold, `card.json`, and `history.csv` with the columns
        fold, epoch (the step of gradient descent, which uses all rows at once), train_loss and
        validation_loss, in units of the standardised redshift
"""

import contextlib
import json
import logging
import shutil
from pathlib import Path

import pandas as pd
import torch

from sdssflow.logs import run
from sdssflow.models.folders import (
    fit_regressor,
    learnt_from,
    model_path,
    read_settings,
    write_card,
)
from sdssflow.prepare.parts import folds, read_part
from sdssflow.regress.training_devices import device_name, training_device
from sdssflow.tables import write_csv

PARTS = ("train", "validation")
logger = logging.getLogger("sdssflow")


def main(snakemake):
    with training_device(snakemake.resources) as device:
        train(snakemake, device)


def train(snakemake, device):
    settings = read_settings("regress", snakemake.params.settings)
    development, folder = snakemake.input.development, Path(snakemake.output.folder)
    seed, checkpoints = snakemake.params.seed, Path(snakemake.params.checkpoints)
    torch.set_num_threads(snakemake.threads)
    found = read_chosen(snakemake.input.chosen)
    training, histories = {}, []
    for fold in folds(development):
        parts = {name: read_part(development, fold, name) for name in PARTS}
        checkpoint = checkpoints / f"fold_{fold}_{snakemake.params.code}.safetensors"
        chosen, how = found.get(fold, settings), {"device": device, "checkpoint": checkpoint}
        try:
            trained = fit_regressor(chosen, seed, *parts.values(), **how)
        except ValueError as error:
            raise ValueError(f"{development}, fold {fold}: {error}") from error
        epochs = len(trained.history)
        logger.info("fold %d: best of %d epochs: %s", fold, epochs, trained.best_epoch)
        trained.save(model_path(folder, settings, fold))
        histories.append(pd.DataFrame(trained.history).assign(fold=fold))
        training[fold] = {**learnt_from(parts), "best_epoch": trained.best_epoch}
        if fold in found:
            training[fold]["settings"] = chosen.model_dump(mode="json")
    columns = ["fold", "epoch", "train_loss", "validation_loss"]
    write_csv(pd.concat(histories)[columns], folder / "history.csv")
    write_card(
        folder,
        development,
        snakemake.params.model,
        settings,
        seed,
        training,
        device_name(device),
        trained.dtype,
    )
    shutil.rmtree(checkpoints, ignore_errors=True)
    with contextlib.suppress(OSError):  # other seeds may still be training
        checkpoints.parent.rmdir()


def read_chosen(paths):
    """Read the settings by fold from search_settings, if it was run."""
    found = json.loads(Path(paths[0]).read_text(encoding="utf-8")) if paths else {}
    return {
        int(fold): read_settings("regress", json.dumps(chosen)) for fold, chosen in found.items()
    }


if "snakemake" in globals():
    run(main, snakemake)
