"""A sample or target by its address through Snakemake: fetched once, kept, refused if another."""

import hashlib

import pyarrow as pa
import pytest
import yaml

from sdssflow.tables import read_parquet
from tests.workflow.conftest import Run, copy_project

pytestmark = pytest.mark.workflow
CATALOGUE = "results/far/catalogue/catalogue.parquet"
ROWS = b" 19.1 18.2 17.9  17.5 17.2  0.10\n 19.4 18.0 17.6  17.4 17.3  0.21\n"
COLUMNS = ["model_mag_u", "model_mag_g", "model_mag_r", "model_mag_i", "model_mag_z", "zspec"]


def configure(run, content, **source):
    """Define the sample of a file with this content, which lies at an address that noROWS has."""
    sample = {
        "title": "Far away",
        "source": {
            "kind": "url",
            "url": "https://nowhere.invalid/data/rows.dat",
            "sha256": hashlib.sha256(content).hexdigest(),
            "header": False,
            "columns": {name: str(place + 1) for place, name in enumerate(COLUMNS)},
            **source,
        },
        "tasks": ["regress"],
        "splits": {"random": {"kind": "holdout"}},
    }
    (run.folder / "config/samples/far.yaml").write_text(yaml.safe_dump(sample))
    downloads = {"mirror": "mirror", "pause_s": 0.0, "attempts": 1}
    configured = yaml.safe_load((run.folder / "config/config.yaml").read_text())
    configured |= {"samples": ["far"], "downloads": downloads}
    (run.folder / "config/config.yaml").write_text(yaml.safe_dump(configured))


def test_a_file_by_its_address(tmp_path):
    run = Run(tmp_path / "project")
    copy_project(run.folder)
    configure(run, ROWS)
    mirror = run.folder / "mirror/data/rows.dat"
    mirror.parent.mkdir(parents=True)
    mirror.write_bytes(ROWS)
    run.snakemake("--cores", "1", CATALOGUE)
    assert read_parquet(run.folder / CATALOGUE)["zspec"].to_pylist() == [0.1, 0.21]
    fetched = run.folder / "results/far/download/rows.dat"
    assert fetched.read_bytes() == ROWS
    record = run.folder / "results/provenance/fetch_file/far/rows.dat.json"
    assert hashlib.sha256(ROWS).hexdigest() in record.read_text()
    record = run.folder / "results/provenance/import_catalogue/far.json"
    assert "nowhere.invalid" in record.read_text()

    # the mirror is as good as a server, and asked no second time
    mirror.unlink()
    assert not run.planned(CATALOGUE)
    configure(run, ROWS, mirrors=["https://elsewhere.invalid/rows.dat"], largest_mb=2)
    assert not run.planned(CATALOGUE)
    fetched.unlink()
    run.snakemake("--cores", "1", "results/far/download/rows.dat")
    assert fetched.read_bytes() == ROWS

    # a different file stops with its name as the last thing said
    configure(run, ROWS + b"19 18 17 17 17 0.3\n")
    mirror.write_bytes(b"neither\n")
    done = run.snakemake("--cores", "1", CATALOGUE, check=False)
    assert done.returncode
    said = (done.stdout + done.stderr).strip().splitlines()[-1]
    assert "mirror/data/rows.dat has the SHA-256" in said
    assert "nowhere.invalid" in said
    assert "downloads.mirror" in said

    # and what was kept is still there for whoever goes back
    configure(run, ROWS)
    run.snakemake("--cores", "1", CATALOGUE)
    assert fetched.read_bytes() == ROWS


def test_a_target_by_its_address(finished, tmp_path):
    run = finished.copy(tmp_path / "run")
    rows = run.folder / "data/unknown/a.parquet"
    target = yaml.safe_load((run.folder / "config/targets/unknown.yaml").read_text())
    target |= {"partitions": 2}
    target["source"] |= {
        "kind": "url",
        "url": "https://nowhere.invalid/data/rows.parquet",
        "sha256": hashlib.sha256(rows.read_bytes()).hexdigest(),
    }
    del target["source"]["path"]
    definition = run.folder / "config/targets/far.yaml"
    definition.write_text(yaml.safe_dump(target))
    configured = yaml.safe_load((run.folder / "config/config.yaml").read_text())
    configured |= {"targets": ["unknown", "far"], "downloads": {"mirror": "mirror"}}
    (run.folder / "config/config.yaml").write_text(yaml.safe_dump(configured))
    mirror = run.folder / "mirror/data/rows.parquet"
    mirror.parent.mkdir(parents=True)
    mirror.write_bytes(rows.read_bytes())
    complete = "results/far/complete.txt"
    planned = run.planned(complete)
    assert (planned["fetch_file"], planned["estimate_partition"]) == (1, 2)
    run.snakemake("--cores", "2", complete)
    found = [read_parquet(run.folder / f"results/far/estimates/000{k}.parquet") for k in range(2)]
    wanted = read_parquet(run.folder / "results/unknown/estimates/a.parquet")
    assert pa.concat_tables(found).drop("row_id").equals(wanted.drop("row_id"))
    mirror.unlink()
    target["source"]["mirrors"] = ["https://elsewhere.invalid/rows.parquet"]
    definition.write_text(yaml.safe_dump(target))
    assert not run.planned(complete)
    assert run.planned("results/far/download/rows.parquet") == {}
    everything = run.planned()
    assert not {"fetch_file", "estimate_partition"} & {*everything}
    assert {"plot_estimates", "build_report"} <= {*everything}
