"""A model that is trained once more on all objects: none is left out, none is judged by it."""

import json

import build_bundle
import numpy as np
import pytest
import refit_model

from sdssflow import bundle
from sdssflow.configuration.pdfs import PdfCalibration
from sdssflow.configuration.splits import (
    CrossValidationSplit,
    HoldoutSplit,
    PublishedSplit,
    WholeSample,
)
from sdssflow.configuration.targets import BundledModel
from sdssflow.tables import read_parquet
from tests.estimate.conftest import HOLDOUT, RECIPE, without_truth
from tests.jobs import run


@pytest.mark.parametrize(
    "split",
    [
        HoldoutSplit(kind="holdout", group="sky_cell", nside=8),
        CrossValidationSplit(kind="cross_validation", folds=3),
        PublishedSplit(kind="published"),
    ],
)
def test_what_is_held_back_is_as_before(split):
    whole = WholeSample.after(split)
    assert whole.calibration == split.calibration
    assert whole.validation == split.validation
    assert whole.group == getattr(split, "group", "object")


def test_all_objects_are_learnt_from(tmp_path, objects, ensemble):
    place = tmp_path / "refit"
    place.mkdir()
    run(
        refit_model,
        {"model": ensemble.model, "features": ensemble.features},
        {"folder": place},
        split=WholeSample.after(HOLDOUT).canonical(),
        calibration=PdfCalibration().canonical(),
    )
    rows = read_parquet(place / "development.parquet")
    assert sorted(rows["row_id"].to_pylist()) == list(range(3000))
    card = json.loads((place / "model" / "card.json").read_text())
    assert sum(card["training"]["0"]["objects"].values()) == 3000
    settings = BundledModel(
        sample="sky", split="random", model="some", task="regress", seed=1, refit=True
    )
    run(
        build_bundle,
        {"refit": place, "features": ensemble.features, "catalogue": ensemble.catalogue},
        {"folder": tmp_path / "b", "archive": tmp_path / "b.zip"},
        name="b",
        bundle=settings.canonical(),
        recipe=RECIPE.canonical(),
        tomographic_bins=3,
    )
    made = bundle.load(tmp_path / "b")
    assert "those of the evaluated model" in (tmp_path / "b/README.md").read_text()
    found = made.estimate(without_truth(objects), extinction_applied=False)
    stars = np.array(objects["spec_class"].to_pylist()) == "STAR"
    assert np.median(found["zphot"].to_numpy()[stars]) < 0.1
