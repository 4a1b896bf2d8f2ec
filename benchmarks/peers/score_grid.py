"""Score redshift densities on a grid against zspec: the same code for every method.

    python benchmarks/peers/score_grid.py DENSITY.hdf5 TEST.hdf5

prints one JSON object. A density is taken as linear between the points of the grid, zero outside,
and normalised to 1; negative values count as zero. One without any mass on the grid, or that is
not finite, becomes uniform over the grid and is counted in ``without_density``.

With d = (zphot - zspec) / (1 + zspec) and F the cumulative distribution:

==============  ==================================================================================
``sigma_nmad``  1.4826 median |d - median d|
``rms``         square root of the mean of d^2
``r2``          1 - sum (zphot - zspec)^2 / sum (zspec - mean zspec)^2
``bias``        mean d
``crps``        mean of the integral of (F(z) - [z >= zspec])^2 dz
``cde_loss``    mean of the integral of p(z)^2 dz - 2 p(zspec) (Izbicki & Lee 2017,
                arXiv:1704.08095)
``pit_ks``      largest distance between the distribution of PIT = F(zspec) and the uniform one
``cov_68``      fraction of objects with PIT in [0.16, 0.84]: zspec within the central interval
``cov_95``      fraction of objects with PIT in [0.025, 0.975]
==============  ==================================================================================

The first four are of one point estimate: the mean of p(z) or one that the method itself gives,
whichever has the lower ``sigma_nmad`` (``point`` names it).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

MAD_TO_SIGMA = 1.4826


def normalised(grid: np.ndarray, density: np.ndarray) -> tuple[np.ndarray, int]:
    """Return densities that integrate to 1 and how many had nothing to normalise.

    Parameters
    ----------
    grid : (m,) float64 array
        Redshifts, ascending.
    density : (n, m) float64 array
        Values at the grid, in any unit.
    """
    density = np.maximum(density, 0)
    mass = np.trapezoid(density, grid, axis=1)
    empty = ~(np.isfinite(mass) & (mass > 0))
    density[empty], mass[empty] = 1.0, grid[-1] - grid[0]
    return density / mass[:, None], int(empty.sum())


def cumulative(grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (n, m) integrals of (n, m) values from the first point of the grid to each point."""
    cells = (values[:, 1:] + values[:, :-1]) / 2 * np.diff(grid)
    return np.pad(np.cumsum(cells, axis=1), ((0, 0), (1, 0)))


def at(grid: np.ndarray, values: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return (n,) values of row i of (n, m) `values` at z[i], linear between the grid's points."""
    cell = np.clip(np.searchsorted(grid, z, side="right") - 1, 0, len(grid) - 2)
    share = (z - grid[cell]) / (grid[cell + 1] - grid[cell])
    row = np.arange(len(z))
    return (1 - share) * values[row, cell] + share * values[row, cell + 1]


def crps(grid: np.ndarray, cdf: np.ndarray, zspec: np.ndarray) -> np.ndarray:
    """Return (n,) integrals of (F - [z >= zspec])^2: F^2 up to zspec and (1 - F)^2 beyond it."""
    below, above = cumulative(grid, cdf**2), cumulative(grid, (1 - cdf) ** 2)
    return at(grid, below, zspec) + above[:, -1] - at(grid, above, zspec)


def cde_terms(grid: np.ndarray, density: np.ndarray, zspec: np.ndarray) -> np.ndarray:
    """Return (n,) integral p^2 dz - 2 p(zspec), exact for a density linear between grid points."""
    low, high = density[:, :-1], density[:, 1:]
    squared = np.sum((low**2 + low * high + high**2) / 3 * np.diff(grid), axis=1)
    return squared - 2 * at(grid, density, zspec)


def pit_distance(pit: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of (n,) PIT values from the uniform distribution.

    >>> pit_distance(np.array([0.25, 0.75]))
    0.25
    """
    ordered, n = np.sort(pit), len(pit)
    steps = np.arange(n + 1) / n
    return float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))


def point_scores(zphot: np.ndarray, zspec: np.ndarray) -> dict[str, float]:
    """Return the scores of (n,) point estimates; r2 is NaN if all zspec are equal."""
    d = (zphot - zspec) / (1 + zspec)
    spread = np.sum((zspec - zspec.mean()) ** 2)
    return {
        "sigma_nmad": float(MAD_TO_SIGMA * np.median(np.abs(d - np.median(d)))),
        "rms": float(np.sqrt(np.mean(d**2))),
        "r2": float(1 - np.sum((zphot - zspec) ** 2) / spread) if spread else np.nan,
        "bias": float(np.mean(d)),
    }


def density_points(grid: np.ndarray, density: np.ndarray, cdf: np.ndarray) -> dict[str, np.ndarray]:
    """Return mean, median and mode, (n,) each, of normalised densities."""
    # of p linear in a cell: integral z p dz = width (z_low (2 p_low + p_high) + ...) / 6
    low, high = density[:, :-1], density[:, 1:]
    first = grid[:-1] * (2 * low + high) + grid[1:] * (low + 2 * high)
    return {
        "mean": np.sum(first / 6 * np.diff(grid), axis=1),
        "median": np.array([np.interp(0.5, row, grid) for row in cdf]),
        "mode": grid[np.argmax(density, axis=1)],
    }


def grid_scores(
    grid: np.ndarray, density: np.ndarray, zspec: np.ndarray, given: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Return all scores of densities on a grid; see the module.

    Parameters
    ----------
    grid : (m,) float64 array
        Redshifts, ascending; they must include all zspec.
    density : (n, m) float64 array
        Not necessarily normalised.
    zspec : (n,) float64 array
        True redshifts.
    given : dict of str to (n,) array
        Point estimates that the method itself gives; may be empty.

    Raises
    ------
    ValueError
        If a zspec is outside the grid, or a shape is wrong.
    """
    if density.shape != (len(zspec), len(grid)):
        raise ValueError(f"density is {density.shape}, not {(len(zspec), len(grid))}")
    if np.any((zspec < grid[0]) | (zspec > grid[-1])):
        raise ValueError(f"a zspec is outside the grid, {grid[0]:g} to {grid[-1]:g}")
    density, empty = normalised(grid, density)
    cdf = cumulative(grid, density)
    pit = at(grid, cdf, zspec)
    own = density_points(grid, density, cdf)
    scored = {
        name: point_scores(zphot, zspec)
        for name, zphot in {**own, **given}.items()
        if np.isfinite(zphot).all()
    }
    point = min(["mean", *given], key=lambda name: scored.get(name, {}).get("sigma_nmad", np.inf))
    return {
        "n": len(zspec),
        "point": point,
        **scored[point],
        "crps": float(np.mean(crps(grid, cdf, zspec))),
        "cde_loss": float(np.mean(cde_terms(grid, density, zspec))),
        "pit_ks": pit_distance(pit),
        "cov_68": float(np.mean((pit >= 0.16) & (pit <= 0.84))),
        "cov_95": float(np.mean((pit >= 0.025) & (pit <= 0.975))),
        "without_density": empty,
        "points": scored,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("density", type=Path)
    parser.add_argument("test", type=Path)
    options = parser.parse_args()
    with h5py.File(options.density) as file:
        grid, density = file["grid"][()], file["density"][()]
        given = {name: column[()] for name, column in file.get("points", {}).items()}
    with h5py.File(options.test) as file:
        zspec = file["truth/zspec"][()]
    print(json.dumps(grid_scores(grid, density, zspec, given)))


if __name__ == "__main__":
    main()
