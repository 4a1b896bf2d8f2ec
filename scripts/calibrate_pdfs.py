"""Calibrate the p(z) of one regressor on objects that no training used.

For each fold, on the part `calibration`: one factor for the widths of p(z)
(`sdssflow.regress.recalibration`) and how far conformal intervals reach, by magnitude
(`sdssflow.regress.conformal`). From the part `train`: where the training objects are, so that
others can be flagged as outside (`sdssflow.regress.training_support`). A split without calibration
part leaves p(z) as it is and has no conformal intervals. Test objects are not in the files this
rule reads.

Input
    model : model folder
    development : `development.parquet` of the split and seed
Parameters
    settings : canonical JSON of `redshift_pdfs`, what calibration needs of it
    model : name of the regressor
    seed : seed of split and model
Output
    calibration : JSON with width, conformal bins and limit of the training part, by fold
    reference : Parquet table of the training objects that distances are taken to
"""

import logging

from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.logs import run
from sdssflow.regress.calibrations import calibrate_model, write_calibration

logger = logging.getLogger("sdssflow")


def main(snakemake):
    calibration = calibrate_model(
        snakemake.input.model,
        snakemake.input.development,
        snakemake.params.model,
        PdfCalibration.from_canonical(snakemake.params.settings),
        snakemake.params.seed,
    )
    for number, fold in calibration.folds.items():
        logger.info(
            "fold %d: width %.4f, PIT KS %.4f -> %.4f on %d objects. %s",
            number,
            fold.width,
            fold.pit_ks_before,
            fold.pit_ks_after,
            fold.objects,
            fold.note,
        )
    write_calibration(calibration, snakemake.output.calibration, snakemake.output.reference)


if "snakemake" in globals():
    run(main, snakemake)
