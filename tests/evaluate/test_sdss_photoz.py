"""SDSS's own redshifts beside models, on the test objects that have one."""

import build_features
import clean_catalogue
import numpy as np
import pandas as pd
import predict_redshifts
import pyarrow as pa
import pytest
import score_photoz
import split_sample
import train_regressor

from sdssflow.configuration.bootstrap import Bootstrap
from sdssflow.configuration.cuts import Cuts
from sdssflow.configuration.loading import load_sample
from sdssflow.configuration.regressors import LinearRegression
from sdssflow.configuration.scores import RedshiftScores
from sdssflow.evaluate.sdss_photoz import BEST_CLASS, NAME, SIMULATED, WITH_ENTRY
from sdssflow.tables import read_csv, read_parquet, write_parquet
from skyserver_standin.server import SkyServer
from skyserver_standin.sky.simulation import simulate_sky
from tests.acquire.download.walk import download
from tests.evaluate.test_redshifts import run_scores, write_predictions
from tests.jobs import run

N = 400
MODELS = ("sharp", "blunt")
BOOTSTRAP = Bootstrap(replicates=60)


def scored(folder, change=lambda rows: rows):
    """Score models whose test part lacks some entries; each third of the others is of class 1."""
    paths = [write_predictions(folder / f"{model}.parquet", model, N) for model in MODELS]
    one = read_parquet(paths[0]).to_pandas()
    zspec = one.loc[one["seed"] == 1, "zspec"].to_numpy()
    number = np.arange(N)
    rows = pd.DataFrame(
        {
            "row_id": number,
            "sdss_photoz": np.where(number % 10 == 0, np.nan, zspec),
            "sdss_photoz_err": np.where(number % 10 == 1, np.nan, 0.02),
            "sdss_photoz_error_class": pd.array(1 + number % 3, dtype="Int32"),
        }
    )
    table = pa.Table.from_pandas(change(rows).sample(frac=1, random_state=1), preserve_index=False)
    write_parquet(table.replace_schema_metadata(None), folder / "catalogue.parquet")
    outputs = run(
        score_photoz,
        {"predictions": paths, "catalogue": str(folder / "catalogue.parquet")},
        {name: str(folder / f"{name}.csv") for name in ("scores", "differences")},
        models=list(MODELS),
        settings=RedshiftScores(bins=4).canonical(),
        bootstrap=BOOTSTRAP.canonical(),
    )
    return [read_csv(outputs[name]) for name in ("scores", "differences")]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return scored(tmp_path_factory.mktemp("photoz"))


def of(scores, objects, model, metric="rmse", seed="1"):
    chosen = (scores["objects"] == objects) & (scores["model"] == model)
    rows = scores[chosen & (scores["metric"] == metric) & (scores["seed"].astype(str) == seed)]
    return rows.iloc[0]


def test_all_are_scored_on_the_objects_with_an_entry_and_a_fit(tables):
    scores, _ = tables
    with_entry = np.arange(N) % 10 > 1
    best = with_entry & (np.arange(N) % 3 == 0)
    for objects, n in ((WITH_ENTRY, with_entry.sum()), (BEST_CLASS, best.sum())):
        for model in (*MODELS, NAME):
            row = of(scores, objects, model)
            assert (row["n"], row["tested"], row["data_digest"]) == (n, N, "aaaaaaaaaaaa")
        # in seed 1 theirs are the spectroscopic ones, in seed 2 those of other objects
        assert of(scores, objects, NAME)["value"] == 0 < of(scores, objects, "sharp")["value"]
        assert of(scores, objects, NAME, seed="2")["value"] > 0.05


def test_models_are_scored_as_by_themselves_on_these_objects(tables, tmp_path):
    scores, _ = tables
    frame = read_parquet(write_predictions(tmp_path / "sharp.parquet", "sharp", N)).to_pandas()
    frame = frame[(frame["seed"] == 1) & (frame["row_id"] % 10 > 1)]
    rmse = np.sqrt(np.mean((frame["zphot"] - frame["zspec"]) ** 2))
    assert of(scores, WITH_ENTRY, "sharp")["value"] == pytest.approx(rmse, rel=1e-12)


def test_differences_are_models_minus_photoz_with_the_same_draws(tables):
    scores, differences = tables
    assert set(differences["other"]) == {NAME} and set(differences["model"]) == set(MODELS)
    row = differences[(differences["objects"] == BEST_CLASS) & (differences["model"] == "blunt")]
    row = row[row["metric"] == "rmse"].iloc[0]
    mine, theirs = (of(scores, BEST_CLASS, model, seed="all")["value"] for model in ("blunt", NAME))
    assert row["value"] == pytest.approx(mine - theirs)
    assert row["lower"] < row["value"] < row["upper"]


def test_with_an_entry_of_all_objects_scores_are_those_of_the_score_table(tmp_path):
    whole = run_scores(tmp_path, MODELS, BOOTSTRAP)[0]
    full = lambda rows: rows.assign(sdss_photoz=0.1, sdss_photoz_err=0.02)  # noqa: E731
    scores, _ = scored(tmp_path, full)
    same = scores[(scores["objects"] == WITH_ENTRY) & (scores["model"] != NAME)]
    same = same.drop(columns=["objects", "tested"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(same, whole)


def test_a_test_part_without_entries_has_no_rows_and_says_so(tmp_path, caplog):
    scores, differences = scored(tmp_path, lambda rows: rows.assign(sdss_photoz=np.nan))
    assert scores.empty and differences.empty
    assert "no test object has an entry in Photoz" in caplog.text
    assert list(scores)[:3] == ["objects", "tested", "model"]


def test_from_the_query_to_the_scores(tmp_path):
    simulate_sky(tmp_path, objects=900, seed=1)
    sample = load_sample("config/samples/mocksky_galaxies.yaml")
    with SkyServer(tmp_path) as server:
        download(server.url, tmp_path, sample.source)
    at = {name: str(tmp_path / f"{name}.parquet") for name in ("catalogue", "clean", "features",
          "development", "test", "predictions")}  # fmt: skip
    csv = {name: str(tmp_path / f"{name}.csv") for name in ("flow", "alone", "leaks", "parts",
           "scores", "differences")}  # fmt: skip
    run(clean_catalogue, at, {"catalogue": at["clean"], "flow": csv["flow"]},
        cuts=Cuts(cuts=sample.cuts).canonical())  # fmt: skip
    run(build_features, {"catalogue": at["clean"]}, {**csv, "features": at["features"]},
        features=sample.features.canonical())  # fmt: skip
    run(split_sample, at, {**at, **csv}, settings=sample.splits["random"].canonical(),
        split="random", seed=1)  # fmt: skip
    model = str(tmp_path / "linear")
    run(train_regressor, at, {"folder": model}, model="linear", seed=1,
        settings=LinearRegression(kind="linear").canonical())  # fmt: skip
    run(predict_redshifts, {"models": [model], "tests": [at["test"]]}, at, seeds=[1],
        model="linear")  # fmt: skip
    inputs = {"predictions": [at["predictions"]], "catalogue": at["clean"]}
    run(score_photoz, inputs, csv, models=["linear"], settings=RedshiftScores().canonical(),
        bootstrap=BOOTSTRAP.canonical())  # fmt: skip
    scores = read_csv(csv["scores"])
    assert "photoz" not in str(read_parquet(at["features"]).schema)
    n = [of(scores, objects, SIMULATED)["n"] for objects in (BEST_CLASS, WITH_ENTRY)]
    tested = len(read_parquet(at["test"]))
    assert 10 < n[0] < n[1] < tested == scores["tested"].iloc[0]
    assert 0.01 < of(scores, BEST_CLASS, SIMULATED, "sigma_nmad")["value"] < 0.05
