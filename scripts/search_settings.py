"""Search for the best settings of an ensemble for a sample, by successive halving.

Candidates are trained on the part `train` and compared on the part `validation` of each fold. The
part `calibration` is not used, and test objects are not in the file this rule reads. The candidates
are defined in the section `search` of the model. The device is chosen as in train_network.

Input
    development : `development.parquet` of the split and seed
Parameters
    settings : canonical JSON of the regressor's section, with a `search`
    seed : seed of split, of the candidates' draw and of their training
Output
    table : every candidate in every round, with its validation CRPS and whether it was kept
    chosen : JSON of the chosen settings by fold
"""

import json

import pandas as pd
import torch

from sdssflow.files import write_json
from sdssflow.logs import run
from sdssflow.models.folders import read_settings
from sdssflow.models.inputs import require_usable
from sdssflow.prepare.parts import folds, read_part
from sdssflow.regress.settings_search import search_settings
from sdssflow.regress.training_devices import training_device
from sdssflow.tables import write_csv


def main(snakemake):
    with training_device(snakemake.resources) as device:
        search(snakemake, device)


def search(snakemake, device):
    settings = read_settings("regress", snakemake.params.settings)
    development, seed = snakemake.input.development, snakemake.params.seed
    torch.set_num_threads(snakemake.threads)
    chosen, tables = {}, []
    for fold in folds(development):
        train, validation = (read_part(development, fold, p) for p in ("train", "validation"))
        try:
            require_usable(train, settings, "train")
            found, table = search_settings(settings, seed, train, validation, device)
        except ValueError as error:
            raise ValueError(f"{development}, fold {fold}: {error}") from error
        chosen[str(fold)] = json.loads(found.canonical())
        tables.append(table.assign(fold=fold))
    write_csv(pd.concat(tables), snakemake.output.table)
    write_json(snakemake.output.chosen, chosen)


if "snakemake" in globals():
    run(main, snakemake)
