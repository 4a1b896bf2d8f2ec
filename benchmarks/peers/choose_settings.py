"""Compare settings of the peers by cross-validation on training rows only.

    python benchmarks/peers/choose_settings.py --venv DIR TRAIN.hdf5 [--only NAMES]

TRAIN.hdf5 is what `export_rows.py` writes. Prints, for each peer and each candidate of
`CANDIDATES`, the mean scores over the folds; the settings in `run_peer.py` are those with the
lowest CRPS. A candidate gives all that isn't common to all peers: `{}` is an estimator's default.
The test rows are not read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from compare import Failed, run_quietly

HERE = Path(__file__).parent
COLORS = {
    "bands": ["mag_r", "color_ug", "color_gr", "color_ri", "color_iz"],
    "err_bands": ["mag_err_r", *(f"color_err_{pair}" for pair in ("ug", "gr", "ri", "iz"))],
}
MAGNITUDE_TOO = {"only_colors": True, "ref_band": "mag_r"}  # that is what the flag does
FINE_SIGMA = {"sigma_grid_min": 0.002, "sigma_grid_max": 0.03}
CANDIDATES: dict[str, list[dict[str, Any]]] = {
    "knn": [
        {},
        MAGNITUDE_TOO,
        {"nneigh_min": 8, "nneigh_max": 12},
        {"nneigh_min": 13, "nneigh_max": 17},
        {"nneigh_min": 8, "nneigh_max": 12, **MAGNITUDE_TOO},
        {"nneigh_min": 8, "nneigh_max": 12, **FINE_SIGMA},
    ],
    "dnf": [{"selection_mode": mode} for mode in (0, 1, 2)],
    "tpz": [
        {},
        {"sigmafactor": 10.0},
        COLORS,
        {**COLORS, "sigmafactor": 6.0},
        {**COLORS, "sigmafactor": 10.0},
        {**COLORS, "sigmafactor": 14.0},
    ],
    "gpz": [{}, COLORS, {**COLORS, "n_basis": 100}, {"n_basis": 100}, {"gpz_method": "VD"}],
    "flexzboost": [
        {},
        {"ref_band": "mag_r"},
        {"include_mag_err": True},
        {"max_basis": 20},
        {"regression_params": {"max_depth": 4, "objective": "reg:squarederror"}},
    ],
}


def copy_rows(source: Path, path: Path, rows: np.ndarray, with_redshift: bool) -> None:
    """Copy rows of what peers and scores read from one file of `export_rows.py` to another."""
    with h5py.File(source) as read, h5py.File(path, "w") as write:
        for group in ("photometry", "truth"):
            for name, column in read[group].items():
                if with_redshift or f"{group}/{name}" != "photometry/zspec":
                    write[f"{group}/{name}"] = column[()][rows]


def scores(
    python: Path, name: str, changes: dict[str, Any], train: Path, test: Path
) -> dict[str, Any]:
    """Fit and predict in the peers' environment; score in this one."""
    out, density = train.with_name("out.hdf5"), train.with_name("density.hdf5")
    settings = ["--from-defaults", "--settings", json.dumps(changes)]
    for command in (
        [python, HERE / "run_peer.py", name, train, test, out, *settings],
        [python, HERE / "grid_peer.py", out, density],
        [sys.executable, HERE / "score_grid.py", density, test],
    ):
        try:
            printed = run_quietly(command)
        except Failed as failed:
            raise SystemExit(f"{name} {changes}: {failed}") from None
    return json.loads(printed) | json.loads(out.with_suffix(".json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("--venv", type=Path, required=True, help="made by compare.py")
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--use", type=int, default=2, help="folds that are run (default 2)")
    options = parser.parse_args()
    with h5py.File(options.train) as file:
        fold = np.random.default_rng(1).permutation(file.attrs["rows"]) % options.folds
    keys = ("crps", "cde_loss", "sigma_nmad", "rms", "cov_68", "fit_s", "predict_s")
    print("| peer | changed | " + " | ".join(keys) + " |\n|---|---|" + "---|" * len(keys))
    with tempfile.TemporaryDirectory() as folder:
        train, test = Path(folder) / "train.hdf5", Path(folder) / "test.hdf5"
        for name in options.only:
            for changes in CANDIDATES[name]:
                results = []
                for k in range(options.use):
                    copy_rows(options.train, train, np.flatnonzero(fold != k), True)
                    copy_rows(options.train, test, np.flatnonzero(fold == k), False)
                    python = options.venv / "bin" / "python"
                    results.append(scores(python, name, changes, train, test))
                mean = [f"{np.mean([result[key] for result in results]):.4g}" for key in keys]
                print(f"| {name} | {json.dumps(changes)} | {' | '.join(mean)} |", flush=True)


if __name__ == "__main__":
    main()
