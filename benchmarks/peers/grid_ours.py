"""Bring what `run_ours.py` wrote onto the grid on which all methods are scored.

PYTHONPATH=scripts python benchmarks/peers/grid_ours.py OUT.hdf5 DENSITY.hdf5 HIGHEST
"""

from __future__ import annotations

import sys

import h5py
import numpy as np

from sdssflow.redshift_pdf.mixture import Mixture

POINTS = 2001  # as in grid_peer.py


def main() -> None:
    with h5py.File(sys.argv[1]) as file:
        parts = (file[name][()] for name in ("weights", "means", "scales"))
        pdf = Mixture(*parts, float(file.attrs["lower"]), float(file.attrs["upper"]))
    grid = np.linspace(0.0, float(sys.argv[3]), POINTS)
    with h5py.File(sys.argv[2], "w") as file:
        file["grid"] = grid
        file["density"] = pdf.density(np.tile(grid, (len(pdf), 1)))


if __name__ == "__main__":
    main()
