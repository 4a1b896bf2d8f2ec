"""Which plates a simulated survey observes, and how many spectra each gives.

=========== ============= ====== ======== ======================= ===================
programme   plates        fibres run2d    nights (MJD)            share of spectra
=========== ============= ====== ======== ======================= ===================
legacy      266 to 2699   640    26       51600 to 54600          0.28
segue1      2700 to 2999  640    103      53200 to 54650          0.04
segue2      3000 to 3480  640    104      54700 to 55050          0.04
boss        3586 to 7579  1000   v5_13_2  55100 to 56850          0.40
eboss       7580 to 12547 1000   v5_13_2  56900 to 58900          0.24
=========== ============= ====== ======== ======================= ===================

Plates are numbered as in the SDSS, in order of time. The share of spectra is a round number, and
so is the border between the programmes (real SEGUE plates lie among the legacy ones).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sdssflow.simulate.footprint import plate_centers
from sdssflow.simulate.identifiers import run2d_code

# a small sample still has many plates to group by, yet not so few spectra on each that repeats are
# never seen
FEWEST_SPECTRA = 100


class Programme(NamedTuple):
    """A survey programme.

    Attributes
    ----------
    survey, programname : str
        As in the SpecObj table.
    run2d : str
        Version of the spectroscopic pipeline.
    first_plate, last_plate : int
        Range of plate numbers, both included.
    first_mjd, last_mjd : int
        Range of nights.
    fibers : int
        Fibres on a plate.
    share : float
        Fraction of all spectra.
    """

    survey: str
    programname: str
    run2d: str
    first_plate: int
    last_plate: int
    first_mjd: int
    last_mjd: int
    fibers: int
    share: float


PROGRAMMES = (
    Programme("sdss", "legacy", "26", 266, 2699, 51600, 54600, 640, 0.28),
    Programme("segue1", "segue", "103", 2700, 2999, 53200, 54650, 640, 0.04),
    Programme("segue2", "segue2", "104", 3000, 3480, 54700, 55050, 640, 0.04),
    Programme("boss", "boss", "v5_13_2", 3586, 7579, 55100, 56850, 1000, 0.40),
    Programme("eboss", "eboss", "v5_13_2", 7580, 12547, 56900, 58900, 1000, 0.24),
)


class Plates(NamedTuple):
    """The plates of a survey, one entry each, in order of plate number.

    Attributes
    ----------
    plate, mjd, run2d : (n,) int64 arrays
        Plate number, night it was first observed, pipeline version as a number.
    programme : (n,) int64 array
        Index into `PROGRAMMES`.
    fibers, spectra : (n,) int64 arrays
        Fibres on the plate; spectra to take. More spectra than fibres means several nights.
    ra, dec : (n,) float64 arrays
        Centre in degrees.
    """

    plate: np.ndarray
    mjd: np.ndarray
    run2d: np.ndarray
    programme: np.ndarray
    fibers: np.ndarray
    spectra: np.ndarray
    ra: np.ndarray
    dec: np.ndarray


def plan_plates(spectra: int, rng: np.random.Generator) -> Plates:
    """Choose the plates that take a number of spectra.

    Parameters
    ----------
    spectra : int
        Spectra in all, at least 1.
    rng : numpy.random.Generator
        Places the plates on the sky.

    Returns
    -------
    Plates
        At most one entry per plate number, so its size has a bound whatever `spectra` is.
    """
    share = np.array([programme.share for programme in PROGRAMMES])
    edges = np.rint(np.cumsum(share) / share.sum() * spectra).astype(int)
    parts = []
    for index, count in enumerate(np.diff(edges, prepend=0)):
        if count:
            parts.append(_plan_programme(index, int(count)))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    ra, dec = plate_centers(len(columns[0]), rng)
    return Plates(*columns, ra, dec)


def blocks_of_plates(plates: Plates, rows: int) -> list[slice]:
    """Split plates into runs of neighbours with about `rows` spectra each (at least one plate)."""
    block = (np.cumsum(plates.spectra) - 1) // rows
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    return [slice(*ends) for ends in zip(starts, [*starts[1:], len(block)], strict=True)]


def _plan_programme(index: int, count: int) -> tuple[np.ndarray, ...]:
    programme = PROGRAMMES[index]
    numbers = programme.last_plate - programme.first_plate + 1
    n = min(numbers, -(-count // FEWEST_SPECTRA))
    position = (np.arange(n) + 0.5) / n  # evenly spread: the whole range whatever the sample
    spectra = np.full(n, count // n)
    spectra[: count % n] += 1
    nights = programme.last_mjd - programme.first_mjd
    return (
        programme.first_plate + (position * numbers).astype(int),
        programme.first_mjd + (position * nights).astype(int),
        np.full(n, run2d_code(programme.run2d)),
        np.full(n, index),
        np.full(n, programme.fibers),
        spectra,
    )
