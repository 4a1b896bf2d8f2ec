import json
import re
import shutil
import time
from pathlib import Path, PurePath

import numpy as np
import pytest
import yaml

from sdssflow.files import file_digest
from sdssflow.tables import metadata, read_csv, read_parquet

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[2]
ENSEMBLE = "results/tiny/regress/published/ensemble"


def test_the_report_shows_that_the_download_is_complete_and_the_sky_simulated(finished):
    page = (finished.folder / "results/report/mock.html").read_text()
    assert "<b>Completeness.</b>" in page
    assert "whole sample" in page
    assert "SELECT TOP 500000 p.objID," in page
    assert "Simulated data: no observed objects." in page
    completeness = read_csv(finished.folder / "results/mock/catalogue/completeness.csv")
    assert completeness["chunk"].iloc[-1] == "whole sample"
    assert (completeness["rows"] == completeness["rows_counted"]).all()
    catalogue = read_parquet(finished.folder / "results/mock/catalogue/catalogue.parquet")
    assert metadata(catalogue.schema)["simulated"] is True
    assert completeness["rows"].iloc[-1] == catalogue.num_rows > 1000


def test_a_downloaded_object_can_be_followed_from_the_sky_to_its_class(finished):
    results = finished.folder / "results/mock"
    test = read_parquet(results / "split/random/1/test.parquet").to_pylist()[0]
    row = read_parquet(results / "catalogue/catalogue.parquet").to_pylist()[test["row_id"]]
    (spectrum,) = (
        x
        for x in read_parquet(results / "sky/specobj.parquet").to_pylist()
        if x["specObjID"] == row["specobjid"]
    )
    (image,) = (
        x
        for x in read_parquet(results / "sky/photoobj.parquet").to_pylist()
        if x["objID"] == spectrum["bestObjID"] == row["objid"]
    )
    assert (spectrum["class"], spectrum["plate"]) == (row["spec_class"], row["plate"])
    assert row["model_mag_g"] == pytest.approx(image["g"], rel=5e-7)
    dereddened = image["g"] - image["extinction_g"] - image["r"] + image["extinction_r"]
    assert test["model_color_gr"] == pytest.approx(dereddened, abs=1e-5)
    predicted = read_parquet(results / "classify/random/logistic/predictions.parquet").to_pylist()
    (found,) = (x for x in predicted if x["row_id"] == test["row_id"])
    assert found["spec_class"] == spectrum["class"]


def test_one_object_can_be_followed_from_source_to_prediction(finished):
    results = finished.folder / "results/tiny"
    test = read_parquet(results / "split/published/1/test.parquet").to_pylist()[0]
    source = read_parquet(results / "catalogue/catalogue.parquet").to_pylist()[test["row_id"]]
    assert source["row_id"] == test["row_id"]
    assert source["zspec"] == test["zspec"]
    color = source["model_mag_u"] - source["model_mag_g"]
    assert test["model_color_ug"] == pytest.approx(color, abs=1e-5)
    for model in ("mean", "linear", "descent", "network", "local_linear", "ensemble"):
        rows = read_parquet(results / f"regress/published/{model}/predictions.parquet").to_pylist()
        (found,) = (row for row in rows if row["row_id"] == test["row_id"])
        assert found["zspec"] == source["zspec"]


def test_no_row_is_lost_on_the_way(finished):
    results = finished.folder / "results/tiny"
    flow = read_csv(results / "clean/flow.csv")
    catalogue = read_parquet(results / "catalogue/catalogue.parquet")
    assert flow["before"].iloc[0] == catalogue.num_rows
    clean = read_parquet(results / "clean/catalogue.parquet")
    assert flow["after"].iloc[-1] == clean.num_rows
    features = read_parquet(results / "features/features.parquet")
    assert features.column("row_id").equals(clean.column("row_id"))
    parts = read_csv(results / "split/published/1/parts.csv")
    assert parts["rows"].sum() == clean.num_rows


def test_every_score_quotes_its_data(finished):
    for table, split in (
        ("tiny/regress/published/scores.csv", "tiny/split/published/1/test.parquet"),
        ("mclass/classify/folds/scores.csv", "mclass/split/folds/1/test.parquet"),
    ):
        scores = read_csv(finished.folder / "results" / table)
        digest = metadata(read_parquet(finished.folder / "results" / split).schema)["data_digest"]
        assert set(scores.loc[scores["seed"].astype(str) == "1", "data_digest"]) == {digest}
        assert (scores["n"] > 0).all()
        assert scores["convention"].ne("").all()


def test_importance_starts_from_the_scores_of_the_same_objects(finished):
    """All test objects are drawn here, so before anything is permuted the scores are the same."""
    results = finished.folder / "results"
    for folder, scores, metric, models in (
        ("mclass/classify/folds", "scores", "log_loss", ["logistic", "vote"]),
        ("mock/classify/random", "scores", "log_loss", ["logistic"]),
        ("tiny/regress/published", "pdf_scores", "crps", ["ensemble"]),
    ):
        score = read_csv(results / folder / f"{scores}.csv").query(f"metric == {metric!r}")
        importance = read_csv(results / folder / "importance.csv").query(f"score == {metric!r}")
        assert list(importance["model"].unique()) == models
        for model in models:
            of_all = score[(score["model"] == model) & (score["seed"] == "all")].iloc[0]
            found = importance[importance["model"] == model]
            np.testing.assert_allclose(found["unpermuted"], of_all["value"], rtol=1e-9)
            assert set(found["n"]) == {of_all["n"]}
            assert set(found["data_digest"]) == {of_all["data_digest"]}
    page = (results / "report/tiny.html").read_text(encoding="utf-8")
    assert "Which features the regressors use" in page
    assert "Which features the classifiers use" not in page


def test_networks_ran_on_the_cpu_as_the_default_profile_says(finished):
    card = json.loads(
        (finished.folder / "results/tiny/regress/published/network/1/card.json").read_text()
    )
    assert card["device"].startswith("cpu")
    assert card["dtype"] == "float32"
    assert card["versions"]["torch"]


def test_every_job_left_a_log_and_a_benchmark(finished):
    logs = list((finished.folder / "logs").rglob("*.log"))
    runs = list((finished.folder / "benchmarks/runs").rglob("*.jsonl"))
    assert len(logs) == len(runs) > 30
    assert all("done in" in path.read_text() for path in logs)


def test_no_pickle_anywhere(finished):
    results = finished.folder / "results"
    paths = (path for path in results.rglob("*") if path.is_file())
    suffixes = {
        path.suffix
        for path in paths
        if path.name != ".snakemake_timestamp" and results / "workflow" not in path.parents
    }
    assert suffixes == {
        ".csv", ".parquet", ".hdf5", ".png", ".html", ".json", ".skops", ".safetensors",
        ".md", ".tex", ".txt", ".zip",
    }  # fmt: skip


def test_training_rules_never_see_the_test_rows(finished):
    lines = finished.snakemake("--detailed-summary").stdout.splitlines()
    header, *rows = [line.split("\t") for line in lines if "\t" in line]
    rule, inputs = header.index("rule"), header.index("input-file(s)")
    training = [
        row[inputs].split(",")
        for row in rows
        if row[rule].startswith("train_") and "/provenance/" not in row[0]
    ]
    assert len(training) == 12
    seen = {PurePath(path) for paths in training for path in paths}
    # the settings that a search has found, and the trained models that a vote averages
    assert {path.name for path in seen} == {"development.parquet", "1.json", "1"}
    assert {path.parent.name for path in seen if path.name == "1.json"} == {"search"}
    assert {path.parts[2] for path in seen if path.name == "1"} == {"classify"}
    assert {row[rule] for row in rows if "test.parquet" in row[inputs]} == {
        "predict_classes",
        "predict_redshifts",
        "predict_pdfs",
        "weigh_spectra",
        "explain_classes",
        "explain_redshifts",
    }


@pytest.fixture
def longer(finished, tmp_path):
    """A copy of the finished run whose ensemble trains for a while."""
    run = finished.copy(tmp_path / "copy")
    path = run.folder / "config/config.yaml"
    content = yaml.safe_load(path.read_text())
    content["regressors"]["ensemble"] |= {
        "hidden": [32, 32],
        "members": 4,
        "max_epochs": 200,
        "patience": 200,
        "checkpoint_epochs": 10,
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return run


def checkpoints(run):
    """Names and time stamps of the checkpoints of the ensemble."""
    paths = run.folder.glob(f"{ENSEMBLE}/checkpoints/1/fold_*.safetensors")
    return [(path.name, path.stat().st_mtime_ns) for path in paths]


def kill_in_training(run, targets):
    """Kill -9 Snakemake and all its jobs as soon as there is a new checkpoint."""
    before, end = checkpoints(run), time.monotonic() + 600
    process = run.start(*targets)
    while checkpoints(run) == before:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    run.kill(process)
    assert not list(run.folder.glob(f"{ENSEMBLE}/1/*"))


def test_a_training_that_is_killed_goes_on_to_the_same_bytes(longer):
    targets = [f"{ENSEMBLE}/{name}" for name in ("predictions.parquet", "pdfs.hdf5")]
    longer.snakemake(*targets)
    undisturbed = {name: file_digest(longer.folder / name) for name in targets}
    shutil.rmtree(longer.folder / ENSEMBLE / "1")
    for name in targets:
        (longer.folder / name).unlink()
    for _ in range(2):
        kill_in_training(longer, targets)
    planned = longer.planned(*targets)
    longer.snakemake(*targets)
    log = (longer.folder / "logs/train_network/tiny/published/ensemble/1.log").read_text()
    assert int(re.search(r"resumed after epoch (\d+)", log)[1]) >= 20
    assert "search_settings" not in planned
    assert {name: file_digest(longer.folder / name) for name in targets} == undisturbed
    assert not list(longer.folder.glob(f"{ENSEMBLE}/checkpoints/1"))


def test_snakemake_makes_its_own_report_of_the_run(finished, tmp_path):
    finished.snakemake("--report", str(tmp_path / "report.html"))
    assert "Objects left after each cut" in (tmp_path / "report.html").read_text()
