"""Train one scikit-learn regressor on the development part of a split.

For each fold, the model is fitted on the part `train`. Gradient boosting stops on the part
`validation` if there is one; the other kinds don't look at it. The part `calibration` is left
alone. Test objects are not in the file this rule reads.

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
from sdssflow.models import save_estimator
from sdssflow.prepare.parts import folds, read_part
from sdssflow.regress.model_folders import model_path, read_settings, write_regressor_card
from sdssflow.regress.regressors import fit_regressor


def main(snakemake):
    settings = read_settings(snakemake.params.settings)
    development, folder = snakemake.input.development, Path(snakemake.output.folder)
    seed = snakemake.params.seed
    entries = {}
    for fold in folds(development):
        train, validation = (read_part(development, fold, p) for p in ("train", "validation"))
        try:
            estimator = fit_regressor(settings, seed, train, validation, snakemake.threads)
        except ValueError as error:
            raise ValueError(f"{development}, fold {fold}: {error}") from error
        save_estimator(estimator, model_path(folder, settings.kind, fold))
        entries[fold] = {"digest": train.digest, "objects": len(train)}
    write_regressor_card(
        folder,
        development,
        snakemake.params.model,
        settings,
        seed,
        entries,
        device="cpu",
        dtype="float64",
    )


if "snakemake" in globals():
    run(main, snakemake)
