"""The sample of quasars that ships, from the query to the features, on a simulated sky."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sdssflow.configuration.loading import load_sample
from sdssflow.prepare.cuts import apply_cuts
from sdssflow.prepare.features import build_features
from sdssflow.tables import metadata
from skyserver_standin.server import SkyServer
from skyserver_standin.sky.simulation import simulate_sky
from tests.acquire.download.walk import download

ROOT = Path(__file__).parents[3]
SAMPLE = load_sample(ROOT / "config/samples/dr16q_quasars.yaml")
BANDS = ("w1", "w2")


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quasars")
    simulate_sky(folder, objects=4000, seed=6)
    return folder


@pytest.fixture(scope="module")
def catalogue(sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue")
    with SkyServer(sky, SAMPLE.source.release) as server:
        download(server.url, folder, SAMPLE.source)
    return pq.read_table(folder / "catalogue.parquet")


def test_the_query_takes_the_quasars_without_warning_and_no_others(sky, catalogue):
    spec = pq.read_table(sky / "specobj.parquet").to_pandas()
    wanted = (spec["class"].str.strip() == "QSO") & (spec["sciencePrimary"] == 1)
    wanted &= (spec["zWarning"] == 0) & (spec["bestObjID"] != 0)
    assert set(catalogue["specobjid"].to_pylist()) == set(spec.loc[wanted, "specObjID"])
    assert catalogue.num_rows > 100
    assert set(catalogue["spec_class"].to_pylist()) == {"QSO"}


def test_features_tell_what_was_not_observed_from_what_was_not_detected(catalogue):
    clean, _ = apply_cuts(catalogue, SAMPLE.cuts)
    assert 0.8 * catalogue.num_rows < clean.num_rows <= catalogue.num_rows
    assert pc.min(clean["zspec"]).as_py() >= 0.01
    table = build_features(clean, SAMPLE.features)
    names = metadata(table.schema)["features"]
    assert len(names) == 5 + 5 + 2 * 2
    frame, given = table.to_pandas(), clean.to_pandas()
    assert frame[[name for name in names if "psf" in name]].notna().all(axis=None)
    for band in BANDS:
        magnitude = frame[f"wise_mag_{band}"]
        missed = frame[f"wise_mag_not_detected_{band}"]
        observed = given["wise_id"].notna().to_numpy()
        detected = observed & given[f"wise_mag_err_{band}"].notna().to_numpy()
        assert 0 < observed.sum() < len(frame)
        np.testing.assert_array_equal(missed.isna(), ~observed)
        np.testing.assert_array_equal(magnitude.notna(), detected)
        assert (missed[detected] == 0).all()
        assert (missed[observed & ~detected] == 1).all()


def test_its_regressors_take_what_is_missing():
    from sdssflow.configuration.loading import load_layers, read_layers

    run = load_layers(read_layers([str(ROOT / "config/config.yaml")], []))
    for name in SAMPLE.regressors:
        settings = run.regressors[name]
        assert settings.takes_missing or settings.kind == "mean", name
