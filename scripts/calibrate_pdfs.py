"""Calibrate the p(z) of one regressor on objects that no training used.

For each fold, on the part `calibration`: one factor for the widths of p(z)
(`sdssflow.regress.recalibration`) and the half widths of conformal intervals by magnitude
(`sdssflow.regress.conformal`). From the part `train`: the training objects, so that objects unlike
them can be flagged (`sdssflow.regress.training_support`). Without calibration part p(z) is not
changed and there are no conformal intervals. Test objects are not in the files this rule reads.

Input
    model : model folder
    development : `development.parquet` of the split and seed
Parameters
    settings : canonical JSON of the part of `redshift_pdfs` that calibration needs
    model : name of the regressor
    seed : seed of split and model
Output
    calibration : JSON with width, conformal bins and limit of the training part, by fold
    reference : Parquet table of the training objects that distances are measured to
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
