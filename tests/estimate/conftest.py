"""Small trained models of simulated objects, bundled, and the objects without their truth."""

from pathlib import Path

import calibrate_pdfs
import numpy as np
import pyarrow as pa
import pytest
import train_classifier
import train_network
import train_regressor

from sdssflow import bundle
from sdssflow.acquire.schema import BANDS, CLASSES
from sdssflow.configuration import classifiers, networks, regressors
from sdssflow.configuration.features import Features
from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.configuration.splits import CrossValidationSplit, HoldoutSplit
from sdssflow.configuration.targets import BundledModel
from sdssflow.estimate.bundles import Origins, write_bundle, zip_bundle
from sdssflow.prepare.features import build_features
from sdssflow.prepare.splits import split_sample
from sdssflow.tables import with_metadata, write_parquet
from tests.jobs import run

RECIPE = Features(groups=["colors", "reference_magnitude"])


def sky(n: int, seed: int = 1, first_id: int = 1_237_648_720_000_000_000) -> pa.Table:
    """Return a catalogue of n objects with truth; magnitudes have extinction."""
    draw = np.random.default_rng(seed)
    spec_class = draw.choice(CLASSES, n)
    zspec = np.where(spec_class == "STAR", 0, draw.uniform(0.02, 0.6, n))
    zspec = np.where(spec_class == "QSO", draw.uniform(0.5, 2, n), zspec)
    color = {
        "GALAXY": [1.6, 0.9, 0.4, 0.3],
        "QSO": [0.2, 0.1, 0.1, 0.1],
        "STAR": [1.0, 0.4, 0.1, 0.0],
    }
    slope = np.array([0.5, 1.5, 0.6, 0.2])
    colors = np.array([color[name] for name in spec_class]) + slope * zspec[:, None]
    r = draw.uniform(15, 19, n)
    mags = {"u": r + colors[:, 0] + colors[:, 1], "g": r + colors[:, 1], "r": r}
    mags |= {"i": r - colors[:, 2], "z": r - colors[:, 2] - colors[:, 3]}
    dust = draw.uniform(0, 0.3, n)
    columns: dict[str, object] = {
        "row_id": np.arange(n),
        "objid": np.arange(n) + first_id,
        "ra": draw.uniform(0, 360, n),
        "dec": np.degrees(np.arcsin(draw.uniform(-0.2, 0.9, n))),
        "spec_class": spec_class.tolist(),
        "zspec": zspec,
    }
    for k, band in enumerate(BANDS):
        noise = draw.normal(0, 0.03, n)
        columns[f"model_mag_{band}"] = (mags[band] + noise + dust * (2 - k / 3)).astype(np.float32)
        columns[f"extinction_{band}"] = (dust * (2 - k / 3)).astype(np.float32)
    return with_metadata(
        pa.table(columns), sample="sky", magnitude_system="asinh", extinction_applied=False
    )


def without_truth(table: pa.Table) -> pa.Table:
    """Return a catalogue as a file of the user's would have it: no truth, no metadata."""
    return table.drop_columns(["row_id", "spec_class", "zspec"]).replace_schema_metadata(None)


def train(place: Path, catalogue: pa.Table, settings, split, recipe: Features = RECIPE) -> Origins:
    """Train a model of either task on a catalogue; return what a bundle is made of."""
    place.mkdir(parents=True)
    write_parquet(catalogue, place / "catalogue.parquet")
    features = build_features(catalogue, recipe)
    write_parquet(features, place / "features.parquet")
    development, test, _ = split_sample(features, split, "random", 1)
    write_parquet(development, place / "development.parquet")
    write_parquet(test, place / "test.parquet")
    folder, rows = place / "model", place / "development.parquet"
    trainers = {"classify": train_classifier, "regress": train_regressor}
    run(
        train_network if settings.needs_torch else trainers[settings.task],
        {"development": rows, "voters": [], "chosen": []},
        {"folder": folder},
        settings=settings.canonical(),
        model="some",
        seed=1,
        checkpoints=place / "c",
        code="",
    )
    calibration = {}
    if settings.task == "regress":
        calibration = {"calibration": place / "c.json", "reference": place / "c.parquet"}
        params = {"settings": PdfCalibration().canonical(), "model": "some", "seed": 1}
        run(calibrate_pdfs, {"model": folder, "development": rows}, calibration, **params)
    paths = {name: place / f"{name}.parquet" for name in ("development", "features", "catalogue")}
    return Origins(**{k: str(v) for k, v in {"model": folder, **paths, **calibration}.items()})


def bundled(place: Path, origins: Origins, task: str, name: str, recipe: Features = RECIPE) -> Path:
    """Write the bundle of a trained model, and its ZIP file beside it."""
    settings = BundledModel(sample="sky", split="random", model="some", task=task, seed=1)
    write_bundle(place / name, name, settings, recipe, origins, tomographic_bins=3)
    zip_bundle(place / name, place / f"{name}.zip")
    return place / name


ENSEMBLE = networks.MixtureEnsemble(
    kind="mixture_ensemble", members=3, hidden=[16], max_epochs=20, search=None
)
HOLDOUT = HoldoutSplit(kind="holdout", calibration=0.2)


@pytest.fixture(scope="session")
def objects():
    """3,000 objects with truth."""
    return sky(3000)


@pytest.fixture(scope="session")
def ensemble(tmp_path_factory, objects):
    """What the bundle of an ensemble is made of."""
    return train(tmp_path_factory.mktemp("ensemble") / "run", objects, ENSEMBLE, HOLDOUT)


@pytest.fixture(scope="session")
def redshifts(tmp_path_factory, ensemble):
    """Folder of the bundle of an ensemble."""
    return bundled(tmp_path_factory.mktemp("bundles"), ensemble, "regress", "zphot")


@pytest.fixture(scope="session")
def classes(tmp_path_factory, objects):
    """Folder of the bundle of a logistic regression."""
    settings = classifiers.LogisticRegression(kind="logistic_regression")
    place = tmp_path_factory.mktemp("classes")
    return bundled(place, train(place / "run", objects, settings, HOLDOUT), "classify", "classes")


@pytest.fixture(scope="session")
def folds_of_redshifts(tmp_path_factory, objects):
    """Folder of the bundle of a regressor with three folds."""
    settings = regressors.LocalLinear(kind="local_linear", neighbours=30)
    split = CrossValidationSplit(kind="cross_validation", folds=3)
    place = tmp_path_factory.mktemp("folds")
    return bundled(place, train(place / "run", objects, settings, split), "regress", "folds")


@pytest.fixture(scope="session")
def models(redshifts, classes):
    """Both bundles, loaded."""
    return [bundle.load(classes), bundle.load(redshifts)]
