"""Predict p(z) of the test objects with one regressor, for all seeds.

Each test object is predicted by the model of its own fold, which was not trained on it. p(z) is
recalibrated with the factors of rule calibrate_pdfs before point estimates, intervals and scores
are computed. Prediction always runs on the CPU, and rows do not affect each other: the same row
gives the same p(z) alone, in a chunk and in the full table.

Input
    models : model folders, one per seed
    calibrations, references : files of rule calibrate_pdfs, one per seed
    tests : `test.parquet`, one per seed
Parameters
    seeds : the seeds, in the order of the inputs
    model : name of the regressor
    quantiles : number of evenly spaced quantiles of each p(z) to save
Output
    predictions : `predictions.parquet`
    pdfs : quantiles of each p(z) as a qp file, in the order of the predictions, with `row_id`,
        `seed` and `fold`
"""

from pathlib import Path

from sdssflow.evaluate.pdf_predictions import PdfPredictor
from sdssflow.evaluate.prediction_tables import predict_tests
from sdssflow.logs import run
from sdssflow.redshift_pdf.qp_files import pdf_writer
from sdssflow.regress.calibrations import read_calibration
from sdssflow.tables import write_parquet


def main(snakemake):
    inputs, params = snakemake.input, snakemake.params
    files = zip(inputs.models, inputs.calibrations, inputs.references, strict=True)
    calibrations = {Path(folder): read_calibration(*of_folder) for folder, *of_folder in files}
    with pdf_writer(snakemake.output.pdfs, params.quantiles) as write:
        predict = PdfPredictor(calibrations, write, snakemake.threads)
        table = predict_tests(inputs.models, inputs.tests, params.seeds, params.model, predict)
    write_parquet(table, snakemake.output.predictions)


if "snakemake" in globals():
    run(main, snakemake)
