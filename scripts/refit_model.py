"""Train an evaluated model again, on all objects of its sample including the test part.

Inputs
------
model : folder of the evaluated model, whose settings are used
features : all objects of the sample

Output
------
folder : the model with its development table and, of a regressor, the calibration of its p(z)

Params
------
settings : canonical JSON of the settings of the model
split : canonical JSON of the fractions held back for early stopping and calibration
calibration : canonical JSON of the settings of the calibration of p(z)
"""

from pathlib import Path

from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.configuration.splits import WholeSample
from sdssflow.estimate.refitting import refit
from sdssflow.logs import run
from sdssflow.models.folders import open_folder
from sdssflow.tables import read_parquet


def main(snakemake):
    evaluated = open_folder(snakemake.input.model)
    if not evaluated.settings.needs_torch:
        train(snakemake, evaluated, threads=snakemake.threads)
        return
    import torch

    from sdssflow.regress.training_devices import training_device

    torch.set_num_threads(snakemake.threads)
    with training_device(snakemake.resources) as device:
        train(snakemake, evaluated, device=device)


def train(snakemake, evaluated, **how):
    params = snakemake.params
    refit(
        evaluated,
        read_parquet(snakemake.input.features),
        WholeSample.from_canonical(params.split),
        Path(snakemake.output.folder),
        PdfCalibration.from_canonical(params.calibration),
        **how,
    )


if "snakemake" in globals():
    run(main, snakemake)
