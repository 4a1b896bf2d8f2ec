"""Turn the p(z) that a peer wrote into densities on the grid that all methods are scored on.

    VENV/bin/python benchmarks/peers/grid_peer.py OUT.hdf5 DENSITY.hdf5 HIGHEST

Reads a qp file and writes ``grid`` (2001,) from 0 to HIGHEST, ``density`` (n, 2001) as qp gives it
and ``points/``: the point estimates that the estimator itself gives. A process of its own, so that
the time of the estimator ends where its product is written.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

import h5py
import numpy as np

GRID_POINTS = 2001
POINTS = ("zmode", "zmean", "DNF_Z")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("density", type=Path)
    parser.add_argument("highest", type=float)
    options = parser.parse_args()
    pdfs = importlib.import_module("qp").read(str(options.out))
    grid = np.linspace(0.0, options.highest, GRID_POINTS)
    with h5py.File(options.density, "w") as file:
        file["grid"] = grid
        file["density"] = np.asarray(pdfs.pdf(grid), dtype=np.float64)
        for name in POINTS:
            if name in pdfs.ancil:
                file[f"points/{name}"] = np.ravel(pdfs.ancil[name])


if __name__ == "__main__":
    main()
