"""Estimate the scores on the test objects from objects with spectra, by importance weighting.

Objects with spectra are not a representative sample of those whose redshifts are wanted. The part
`calibration` is weighted so that its features are distributed like those of the test objects
(`sdssflow.evaluate.shift`); only features of the test objects are used. Then the p(z) of the
calibration part is scored with and without weights, next to the score on the test objects
themselves, which shows how well weighting predicts it. Widths and conformal intervals were fitted
on the same calibration part: `pit_ks` and coverages are in-sample there.

Input
    developments, tests : `development.parquet`, `test.parquet`, one per seed
    models : model folders, one per model and seed
    calibrations, references : files of rule calibrate_pdfs, one per model and seed
    predictions : `predictions.parquet`, one per model
Parameters
    models : names of the models
    seeds : the seeds
    neighbours : number of objects with spectra within which densities are counted
    bootstrap : canonical JSON of `bootstrap`
Output
    scores : `covariate_shift.csv`, one row per model, seed and metric; empty if the split has no
        calibration part
"""

import itertools
import logging

import pandas as pd

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.evaluate.pdf_predictions import predict_calibration_parts
from sdssflow.evaluate.shift import TABLE_COLUMNS, measure_shift, shift_scores
from sdssflow.evaluate.tables import read_predictions
from sdssflow.logs import run
from sdssflow.regress.calibrations import read_calibration
from sdssflow.tables import write_csv

logger = logging.getLogger("sdssflow")


def main(snakemake):
    bootstrap = Bootstrap.from_canonical(snakemake.params.bootstrap)
    inputs, seeds = snakemake.input, list(snakemake.params.seeds)
    shifts = {
        seed: measure_shift(development, test, snakemake.params.neighbours)
        for seed, development, test in zip(seeds, inputs.developments, inputs.tests, strict=True)
    }
    predictions = read_predictions(inputs.predictions, list(snakemake.params.models))
    files = zip(inputs.models, inputs.calibrations, inputs.references, strict=True)
    tables = []
    for (prediction, seed), (folder, path, reference) in zip(
        itertools.product(predictions, seeds), files, strict=True
    ):
        shift = shifts[seed]
        if not len(shift.weights):
            logger.info("seed %d: no calibration part, nothing to weigh", seed)
            continue
        columns = predict_calibration_parts(folder, read_calibration(path, reference), shift.parts)
        target = prediction.of_seed(seed)
        scores = shift_scores(columns, shift.weights, shift.group, target, shift.auc, bootstrap)
        tables.append(scores.assign(model=prediction.model, seed=seed))
    table = pd.concat(tables) if tables else pd.DataFrame(columns=TABLE_COLUMNS)
    write_csv(table[TABLE_COLUMNS], snakemake.output.scores)


if "snakemake" in globals():
    run(main, snakemake)
