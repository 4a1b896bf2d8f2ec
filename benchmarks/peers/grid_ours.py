"""Bring what `run_ours.py` wrote onto the grid on which all methods are scored.

PYTHONPATH=scripts python benchmarks/peers/grid_ours.py OUT.hdf5 DENSITY.hdf5
"""

from __future__ import annotations

import sys

import h5py
import numpy as np

from sdssflow.redshift_pdf.mixture import Mixture

GRID = np.linspace(0.0, 0.4, 2001)  # that of grid_peer.py


def main() -> None:
    with h5py.File(sys.argv[1]) as file:
        parts = (file[name][()] for name in ("weights", "means", "scales"))
        pdf = Mixture(*parts, float(file.attrs["lower"]), float(file.attrs["upper"]))
    with h5py.File(sys.argv[2], "w") as file:
        file["grid"] = GRID
        file["density"] = pdf.density(np.tile(GRID, (len(pdf), 1)))


if __name__ == "__main__":
    main()
