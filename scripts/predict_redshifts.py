"""Predict the redshifts of the test objects with one regressor, for all seeds.

Each test object is predicted by the model of its own fold, which was not trained on it. Prediction
always runs on the CPU, and rows do not affect each other: the same row gives the same zphot alone,
in a chunk and in the full table (to 1e-12 for scikit-learn's linear algebra, bit for bit for the
others). Negative zphot are kept.

Input
    models : model folders, one per seed
    tests : `test.parquet`, one per seed
Parameters
    seeds : the seeds, in the order of the inputs
    model : name of the regressor
Output
    predictions : `predictions.parquet`
"""

import numpy as np

from sdssflow.evaluate.prediction_tables import predict_tests
from sdssflow.logs import run
from sdssflow.models.folders import open_folder
from sdssflow.models.inputs import require_features
from sdssflow.tables import write_parquet


def predict(folder, fold, part):
    if part.zspec is None:
        raise ValueError("no column 'zspec'; remove 'regress' from the sample's tasks")
    opened = open_folder(folder)
    require_features(part, opened.settings)
    zphot = opened.load(fold)(part.features) if len(part) else np.empty(0)
    return {"zspec": part.zspec, "zphot": zphot}


def main(snakemake):
    table = predict_tests(
        snakemake.input.models,
        snakemake.input.tests,
        snakemake.params.seeds,
        snakemake.params.model,
        predict,
    )
    write_parquet(table, snakemake.output.predictions)


if "snakemake" in globals():
    run(main, snakemake)
