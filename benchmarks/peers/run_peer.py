"""Train one estimator of DESC RAIL and let it predict: one whole process.

    VENV/bin/python benchmarks/peers/run_peer.py NAME TRAIN.hdf5 TEST.hdf5 OUT.hdf5

Writes the p(z) as a qp file, and OUT.json with the seconds of fit and prediction and the versions.
It is given what `export_rows.py` writes below ``photometry/``, never a redshift of a test row.

What is not at its default in RAIL, and why:

==========  ======================================  ================================================
estimator   setting                                 why
==========  ======================================  ================================================
all         bands, err_bands, redshift_col,         names of the columns; the reference band is i,
            ref_band                                as by default
all         zmax 0.4, nzbins 401                    galaxies of `mgs` have z < 0.3; a step of 0.001
                                                    instead of 0.01. Others by `--highest`
all         mag_limits, replace_error_vals          for five bands; not used: nothing is missing
all         output_mode return                      results in memory, not in files
gpz         r and colours; n_basis 100              CRPS 0.0106, default 0.0109
knn         nneigh_min 13, nneigh_max 17            CRPS 0.0121, default (3, 7) 0.0124; as many
                                                    values to try, so the fit costs the same
tpz         r and colours; sigmafactor 10           CRPS 0.0107, default 0.0133
flexzboost  none                                    none of 4 alternatives had a lower CRPS
dnf         none                                    neither other selection_mode had a lower CRPS
==========  ======================================  ================================================

"r and colours": `bands` are r, u-g, g-r, r-i, i-z with their errors, not five magnitudes.
`choose_settings.py` compared the settings by CRPS in two of five folds of the 5,000 training rows
(FlexZBoost: of 2,000 of them). TPZ smooths with a multiple of the step of its grid, which here is
a tenth of the default step.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

BANDS = [f"mag_{band}" for band in "ugriz"]
ERRORS = [f"mag_err_{band}" for band in "ugriz"]
COLORS = [f"color_{pair}" for pair in ("ug", "gr", "ri", "iz")]
COLOR_ERRORS = [f"color_err_{pair}" for pair in ("ug", "gr", "ri", "iz")]
R_AND_COLORS = {"bands": ["mag_r", *COLORS], "err_bands": ["mag_err_r", *COLOR_ERRORS]}
COMMON = {
    "bands": BANDS,
    "err_bands": ERRORS,
    "ref_band": "mag_i",
    "redshift_col": "zspec",
    "zmin": 0.0,
    "zmax": 0.4,
    "nzbins": 401,
    # stands in for what was not detected: nothing here. GPz takes the values by position
    "mag_limits": dict.fromkeys([*BANDS, *COLORS], 99.0),
    "replace_error_vals": [0.1] * 5,
    "output_mode": "return",
}


@dataclass(frozen=True)
class Peer:
    """Where an estimator is, and the settings in which it differs from its defaults."""

    package: str
    module: str
    classes: str  # {classes}Informer and {classes}Estimator
    settings: dict[str, Any] = field(default_factory=dict)


PEERS = {
    "flexzboost": Peer("pz-rail-flexzboost", "flexzboost", "FlexZBoost"),
    "gpz": Peer("pz-rail-gpz-v1", "gpz", "GPz", {**R_AND_COLORS, "n_basis": 100}),
    "dnf": Peer("pz-rail-dnf", "dnf", "DNF"),
    "knn": Peer(
        "pz-rail-sklearn", "k_nearneigh", "KNearNeigh", {"nneigh_min": 13, "nneigh_max": 17}
    ),
    "tpz": Peer("pz-rail-tpz", "tpz_lite", "TPZlite", {**R_AND_COLORS, "sigmafactor": 10.0}),
}


def read_photometry(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the columns that a peer is given, as RAIL takes a table in memory."""
    with h5py.File(path) as file:
        columns = {name: column[()] for name, column in file["photometry"].items()}
    return {"photometry": columns}


def stage(kind: type, settings: dict[str, Any], **more: Any) -> Any:
    """Make a RAIL stage with those of the settings that it knows."""
    known = {name: value for name, value in settings.items() if name in kind.config_options}
    return kind.make_stage(name=kind.__name__, **known, **more)


def run_peer(
    peer: Peer, settings: dict[str, Any], train: Path, test: Path, out: Path
) -> dict[str, Any]:
    """Fit, predict and write the qp file; return the seconds of each and what ran."""
    module = importlib.import_module(f"rail.estimation.algos.{peer.module}")
    settings = COMMON | settings
    # GPz and TPZ draw from the global generators
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    training, objects = read_photometry(train), read_photometry(test)
    informer = stage(getattr(module, f"{peer.classes}Informer"), settings)
    started = time.perf_counter()
    informer.inform(training)
    fit_s = time.perf_counter() - started
    estimator = stage(
        getattr(module, f"{peer.classes}Estimator"), settings, model=informer.get_handle("model")
    )
    started = time.perf_counter()
    pdfs = estimator.estimate(objects).data
    predict_s = time.perf_counter() - started
    pdfs.write_to(str(out))
    packages = {name: importlib.metadata.version(name) for name in (peer.package, "pz-rail-base")}
    return {"fit_s": fit_s, "predict_s": predict_s, "versions": packages}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=PEERS)
    for name in ("train", "test", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--highest", type=float, default=COMMON["zmax"], help="largest redshift")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON, over those here")
    parser.add_argument("--from-defaults", action="store_true", help="over RAIL's instead")
    options = parser.parse_args()
    paths = [getattr(options, name).resolve() for name in ("train", "test", "out")]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # RAIL writes its models where it stands
        peer = PEERS[options.name]
        chosen = {} if options.from_defaults else peer.settings
        bins = {"zmax": options.highest, "nzbins": round(options.highest / 0.001) + 1}
        told = run_peer(peer, bins | chosen | options.settings, *paths)
        os.chdir("/")
    paths[2].with_suffix(".json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
