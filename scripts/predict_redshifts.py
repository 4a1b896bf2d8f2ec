"""Predict the redshifts of the test objects with one regressor, for all seeds.

Each test object is predicted by the model of its own fold, which has not seen it. Prediction runs
on the CPU whatever the model was trained on, each row by itself: the same row gives the same zphot
alone, in a chunk and in the full table (to 1e-12 for scikit-learn's linear algebra, to the bit for
the others). Negative zphot are kept.

Input
    models : model folders, one per seed
    tests : `test.parquet`, one per seed
Parameters
    seeds : the seeds, in the order of the inputs
    model : name of the regressor
Output
    predictions : `predictions.parquet`
"""

from sdssflow.evaluate.prediction_tables import predict_tests
from sdssflow.logs import run
from sdssflow.regress.predictions import redshift_columns
from sdssflow.tables import write_parquet


def main(snakemake):
    table = predict_tests(
        snakemake.input.models,
        snakemake.input.tests,
        snakemake.params.seeds,
        snakemake.params.model,
        redshift_columns,
    )
    write_parquet(table, snakemake.output.predictions)


if "snakemake" in globals():
    run(main, snakemake)
