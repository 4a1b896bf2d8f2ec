"""Run the rules from a split table to calibrated p(z) on simulated galaxies."""

from types import SimpleNamespace

import calibrate_pdfs
import predict_pdfs
import pyarrow.parquet as pq
import train_regressor

from sdssflow.configuration import regressors
from sdssflow.configuration.pdfs import PdfCalibration

SETTINGS = PdfCalibration()
LOCAL = regressors.LocalLinear(kind="local_linear", neighbours=30)
FOREST = regressors.RandomForestRegressor(kind="random_forest", trees=20)


def train(development, folder, settings, seed=1):
    train_regressor.main(
        SimpleNamespace(
            input=SimpleNamespace(development=str(development)),
            output=SimpleNamespace(folder=str(folder)),
            params=SimpleNamespace(settings=settings.canonical(), seed=seed, model="some"),
            threads=1,
        )
    )
    return folder


def calibrate(folder, development, place, seed=1, settings=SETTINGS):
    paths = place / f"{seed}.json", place / f"{seed}.parquet"
    calibrate_pdfs.main(
        SimpleNamespace(
            input=SimpleNamespace(model=str(folder), development=str(development)),
            output=SimpleNamespace(calibration=str(paths[0]), reference=str(paths[1])),
            params=SimpleNamespace(settings=settings.canonical(), model="some", seed=seed),
        )
    )
    return paths


def predict(folders, calibrations, tests, seeds, place, threads=1):
    outputs = {"predictions": place / "predictions.parquet", "pdfs": place / "pdfs.hdf5"}
    predict_pdfs.main(
        SimpleNamespace(
            input=SimpleNamespace(
                models=list(map(str, folders)),
                calibrations=[str(json) for json, _ in calibrations],
                references=[str(parquet) for _, parquet in calibrations],
                tests=list(map(str, tests)),
            ),
            output=SimpleNamespace(**{name: str(path) for name, path in outputs.items()}),
            params=SimpleNamespace(seeds=seeds, model="some", quantiles=99),
            threads=threads,
        )
    )
    return pq.read_table(outputs["predictions"])
