"""Run the rules from a split table to calibrated p(z) on simulated galaxies."""

import calibrate_pdfs
import predict_pdfs
import pyarrow.parquet as pq
import train_network
import train_regressor

from sdssflow.configuration import regressors
from sdssflow.configuration.pdfs import PdfCalibration
from tests.jobs import run

SETTINGS = PdfCalibration()
LOCAL = regressors.LocalLinear(kind="local_linear", neighbours=30)
FOREST = regressors.RandomForestRegressor(kind="random_forest", trees=20)


def train(development, folder, settings, seed=1, chosen=(), **resources):
    """Train a model named `some`; return its folder."""
    run(
        train_network if settings.needs_torch else train_regressor,
        {"development": development, "chosen": list(chosen)},
        {"folder": folder},
        resources={"gpu": 0} | resources,
        settings=settings.canonical(),
        seed=seed,
        model="some",
        code="c0de",
        checkpoints=folder.parent / f"checkpoints_of_{folder.name}",
    )
    return folder


def calibrate(folder, development, place, seed=1, settings=SETTINGS):
    paths = place / f"{seed}.json", place / f"{seed}.parquet"
    inputs = {"model": folder, "development": development}
    outputs = {"calibration": paths[0], "reference": paths[1]}
    params = {"settings": settings.canonical(), "model": "some", "seed": seed}
    run(calibrate_pdfs, inputs, outputs, **params)
    return paths


def predict(folders, calibrations, tests, seeds, place, threads=1):
    inputs = {"models": list(folders), "tests": list(tests)}
    inputs["calibrations"], inputs["references"] = map(list, zip(*calibrations, strict=True))
    outputs = {"predictions": place / "predictions.parquet", "pdfs": place / "pdfs.hdf5"}
    params = {"seeds": seeds, "model": "some", "quantiles": 99}
    run(predict_pdfs, inputs, outputs, threads=threads, **params)
    return pq.read_table(outputs["predictions"])
