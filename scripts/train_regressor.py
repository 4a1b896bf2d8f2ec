"""Train one scikit-learn regressor on the development part of a split.

For each fold, the model is fitted to the part `train`. Gradient boosting stops on the part
`validation` if there is one; the other kinds do not use it, and none uses the part `calibration`.
Test objects are not in the file this rule reads.

Input
    development : `development.parquet` of the split and seed
Parameters
    settings : canonical JSON of the regressor's section
    model : name of the regressor
    seed : seed of split and model
Output
    folder : `fold_K.skops` for each fold and `card.json`
"""

from pathlib import Path

from sdssflow.logs import run
from sdssflow.models.estimators import save_estimator
from sdssflow.models.folders import (
    fit_regressor,
    learnt_from,
    model_path,
    read_settings,
    write_card,
)
from sdssflow.prepare.parts import folds, read_part

PARTS = ("train", "validation")


def main(snakemake):
    settings = read_settings("regress", snakemake.params.settings)
    development, folder = snakemake.input.development, Path(snakemake.output.folder)
    seed, training = snakemake.params.seed, {}
    for fold in folds(development):
        parts = {name: read_part(development, fold, name) for name in PARTS}
        try:
            estimator = fit_regressor(settings, seed, *parts.values(), threads=snakemake.threads)
        except ValueError as error:
            raise ValueError(f"{development}, fold {fold}: {error}") from error
        save_estimator(estimator, model_path(folder, settings, fold))
        training[fold] = learnt_from(parts)
    write_card(folder, development, snakemake.params.model, settings, seed, training)


if "snakemake" in globals():
    run(main, snakemake)
