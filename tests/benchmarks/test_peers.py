"""What the peers and we are given, and how their processes are run and measured."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest

from sdssflow.configuration.networks import MixtureEnsemble
from sdssflow.prepare.parts import read_part
from sdssflow.tables import content_digest, read_parquet, with_metadata, write_parquet
from tests.benchmarks.loading import load

score_grid, export_rows, compare = map(
    load, ("peers/score_grid", "peers/export_rows", "peers/compare")
)
run_ours, run_peer = load("peers/run_ours"), load("peers/run_peer")
grid_ours, grid_peer = load("peers/grid_ours"), load("peers/grid_peer")
FEATURES = [
    *(f"model_color_{pair}" for pair in ("ug", "gr", "ri", "iz")),
    "model_mag_r",
    *(f"model_mag_err_{band}" for band in "ugriz"),
]


@pytest.fixture
def split(tmp_path):
    """Write a split table with all parts; return its path and the magnitudes behind it."""
    rng = np.random.default_rng(3)
    n = 40
    mag = {band: rng.uniform(15, 20, n) for band in "ugriz"}
    columns = {f"model_color_{a}{b}": mag[a] - mag[b] for a, b in ("ug", "gr", "ri", "iz")}
    columns["model_mag_r"] = mag["r"]
    columns |= {f"model_mag_err_{band}": rng.uniform(0.01, 0.1, n) for band in "ugriz"}
    table = pa.table(
        {
            "row_id": np.arange(n),
            "reference_mag": mag["r"].astype(np.float32),
            "zspec": rng.uniform(0.01, 0.3, n),
            **columns,
            "fold": np.zeros(n, np.int32),
            "part": ["train", "validation", "calibration", "test"] * (n // 4),
            "group": [f"g{row}" for row in range(n)],
        }
    )
    path = tmp_path / "split.parquet"
    write_parquet(with_metadata(table, features=FEATURES), path)
    return path, mag


def test_exported_magnitudes_are_those_behind_the_colours(split, tmp_path):
    path, mag = split
    export_rows.write_rows(path, tmp_path / "train.hdf5", None, with_redshift=True)
    given = run_peer.read_photometry(tmp_path / "train.hdf5")["photometry"]
    for band in "ugriz":
        np.testing.assert_allclose(given[f"mag_{band}"], mag[band], atol=1e-12)
    np.testing.assert_allclose(given["color_iz"], mag["i"] - mag["z"], atol=1e-12)
    expected = np.hypot(given["mag_err_u"], given["mag_err_g"])
    np.testing.assert_allclose(given["color_err_ug"], expected)
    table = read_parquet(path)
    np.testing.assert_array_equal(given["zspec"], table.column("zspec").to_numpy())
    digest = content_digest(table)
    assert compare.describe(tmp_path / "train.hdf5") == {"rows": 40, "digest": digest}


def test_neither_peers_nor_we_are_given_the_redshifts_of_test_rows(split, tmp_path):
    path, _ = split
    export_rows.write_rows(path, tmp_path / "test.hdf5", None, with_redshift=False)
    assert "zspec" not in run_peer.read_photometry(tmp_path / "test.hdf5")["photometry"]
    assert run_ours.read_parts(tmp_path / "test.hdf5")["test"].zspec is None
    with h5py.File(tmp_path / "test.hdf5") as file:
        assert len(file["truth/zspec"]) == 40


def test_we_are_given_the_parts_of_the_split(split, tmp_path):
    path, _ = split
    export_rows.write_rows(path, tmp_path / "train.hdf5", None, with_redshift=True)
    parts = run_ours.read_parts(tmp_path / "train.hdf5")
    assert set(parts) == {"train", "validation", "calibration", "test"}
    for name, found in parts.items():
        expected = read_part(path, 0, name)
        assert found.feature_names == expected.feature_names
        for field in ("features", "zspec", "row_id", "group", "reference_mag"):
            np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))


def test_a_missing_magnitude_is_refused(split, tmp_path):
    path, _ = split
    table = read_parquet(path)
    position = table.column_names.index("model_color_gr")
    values = [None, *table.column(position).to_pylist()[1:]]
    write_parquet(table.set_column(position, "model_color_gr", [values]), path)
    with pytest.raises(ValueError, match="model_color_gr is missing"):
        export_rows.write_rows(path, tmp_path / "train.hdf5", None, with_redshift=True)


def test_every_method_of_the_table_can_be_run_on_one_grid():
    assert set(compare.METHODS) == {compare.OURS, *run_peer.PEERS}
    assert grid_ours.POINTS == grid_peer.GRID_POINTS


HOLDING = """
import os, time
from pathlib import Path
held, folder = bytearray(100_000_000), Path({folder!r})
(folder / f"holding.{{os.getpid()}}").touch()
while not (folder / "seen").exists():
    time.sleep(0.01)
"""


def test_what_all_children_of_a_process_hold_at_once_counts_in_its_peak(tmp_path, monkeypatch):
    memory_kb = compare.memory_kb

    def seen(pid):
        both = len(list(tmp_path.glob("holding.*"))) == 2
        found = memory_kb(pid)
        if both:
            (tmp_path / "seen").touch()
        return found

    monkeypatch.setattr(compare, "memory_kb", seen)
    child = HOLDING.format(folder=str(tmp_path))
    parent = (
        "import subprocess, sys\n"
        f"children = [subprocess.Popen([sys.executable, '-c', {child!r}]) for _ in range(2)]\n"
        "for child in children: child.wait()"
    )
    measured = compare.run_measured([sys.executable, "-c", parent], tmp_path)
    assert 190 < measured["peak_mb"] < 290
    assert measured["wall_s"] > 0


def test_what_was_held_for_a_moment_and_not_what_the_starter_holds_is_the_peak(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(compare, "SAMPLING_S", 0.8)  # it looks after the moment has passed
    held = bytearray(400_000_000)
    held[::4096] = bytes([1]) * len(held[::4096])
    brief = "held = bytearray(150_000_000); del held; import time; time.sleep(1.5)"
    measured = compare.run_measured([sys.executable, "-c", brief], tmp_path)
    assert 140 < measured["peak_mb"] < 200


def test_a_method_that_fails_says_why_and_the_others_go_on(monkeypatch, tmp_path):
    result = {key: 1.0 for key, _ in [*compare.SCORES.values(), *compare.TIMES.values()]}
    result |= {"point": "mean", "wall_s": 2.0}

    def run_method(name, *_):
        if name == "gpz":
            command = [sys.executable, "-c", "raise ValueError('no such | band')"]
            compare.run_measured(command, tmp_path)
        return dict(result, wall_s=4.0 if name == "knn" else 2.0)

    monkeypatch.setattr(compare, "run_method", run_method)
    names = ["ours", "gpz", "knn"]
    results = compare.run_all(names, Path("python"), (Path(), Path()), 0.4, 2, tmp_path)
    lines = compare.table(names, results)
    assert "failed: exit 1: ValueError: no such / band" in lines[3]
    assert lines[4].endswith("| 2.00 |")
    assert len({line.count("|") for line in lines}) == 1


def test_times_of_repeated_runs_are_medians(monkeypatch, tmp_path):
    seconds = iter((9.0, 1.0, 2.0))

    def run_method(*_):
        return dict.fromkeys((key for key, _ in compare.TIMES.values()), next(seconds))

    monkeypatch.setattr(compare, "run_method", run_method)
    results = compare.run_all(["knn"], Path("python"), (Path(), Path()), 0.4, 3, tmp_path)
    assert results["knn"]["wall_s"] == 2.0


def test_our_process_writes_what_the_scores_read(split, tmp_path, monkeypatch, capsys):
    path, _ = split
    for name in ("train", "test"):
        export_rows.write_rows(path, tmp_path / f"{name}.hdf5", None, name == "train")
    with h5py.File(tmp_path / "test.hdf5", "r+") as file:
        file["sdssflow/part"][()] = "test"
    train, test, out, density = (
        str(tmp_path / f"{name}.hdf5") for name in ("train", "test", "out", "density")
    )
    quick = MixtureEnsemble(kind="mixture_ensemble", members=2, hidden=[8], max_epochs=5, blocks=0)
    monkeypatch.setattr(run_ours, "MixtureEnsemble", lambda kind: quick)
    monkeypatch.setattr(sys, "argv", ["run_ours.py", train, test, out])
    run_ours.main()
    monkeypatch.setattr(sys, "argv", ["grid_ours.py", out, density, "0.4"])
    grid_ours.main()
    monkeypatch.setattr(sys, "argv", ["score_grid.py", density, test])
    score_grid.main()
    scores = json.loads(capsys.readouterr().out)
    assert scores["n"] == 40 and scores["without_density"] == 0
    assert 0 < scores["crps"] < 0.2
    assert "sdssflow" in json.loads((tmp_path / "out.json").read_text())["versions"]
