"""Plates of a simulated survey: programmes, nights, positions, and Galactic reddening.

Plates are numbered as in the SDSS, in order of time. The fractions of spectra are round numbers,
and so are the limits between programmes (real SEGUE plates are numbered among the legacy ones).

The footprint is roughly that of the SDSS: the northern Galactic cap, and in the south the region of
BOSS, which includes most of the three southern stripes of the first survey. Limits are round
numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from astropy.coordinates import SkyCoord

from skyserver_standin.sky.conventions import run2d_code

# so that a small sample has many plates to group by, and enough spectra on each for repeats
FEWEST_SPECTRA = 100
PLATE_RADIUS = 1.49  # deg
NORTH_SHARE = 0.75  # of the plates, and of objects without spectra; a round number


class Programme(NamedTuple):
    """A survey programme: names as in SpecObj, inclusive ranges, fraction of all spectra."""

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
    """The plates of a survey, in order of plate number: arrays (n,), centres in degrees.

    `mjd` is the night of the first observation, `run2d` the version of the pipeline as a number,
    `programme` an index into `PROGRAMMES`. More spectra than fibres means several nights.
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
    """Choose plates for a number of spectra, at least 1, and their positions on the sky.

    There is at most one entry per plate number, so the size is bounded whatever `spectra` is.
    """
    share = np.array([programme.share for programme in PROGRAMMES])
    edges = np.rint(np.cumsum(share) / share.sum() * spectra).astype(int)
    parts = []
    for index, count in enumerate(np.diff(edges, prepend=0)):
        if count:
            parts.append(_plan_programme(index, int(count)))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    ra, dec = footprint_positions(len(columns[0]), rng)
    return Plates._make([*columns, ra, dec])


def blocks_of_plates(plates: Plates, rows: int) -> list[slice]:
    """Split plates into runs of neighbours with about `rows` spectra each (at least one plate)."""
    block = (np.cumsum(plates.spectra) - 1) // rows
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    return [slice(*ends) for ends in zip(starts, [*starts[1:], len(block)], strict=True)]


def _plan_programme(index: int, count: int) -> tuple[np.ndarray, ...]:
    programme = PROGRAMMES[index]
    numbers = programme.last_plate - programme.first_plate + 1
    n = min(numbers, -(-count // FEWEST_SPECTRA))
    position = (np.arange(n) + 0.5) / n  # evenly over the whole range, whatever the size
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


def galactic_latitude(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Galactic latitude in degrees of positions in degrees (ICRS)."""
    return np.degrees(np.arcsin(np.clip(_vectors(ra, dec) @ _galactic_axes()[2], -1, 1)))


def in_footprint(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which positions (degrees) are in the northern and in the southern part."""
    b = galactic_latitude(ra, dec)
    north = (b > 25) & (dec > -3) & (dec < 68) & (ra > 108) & (ra < 265)
    south = (b < -20) & (dec > -11) & (dec < 36) & ((ra > 310) | (ra < 58))
    return north, south


def footprint_positions(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw n positions (ra, dec in degrees, ICRS), uniform in each part of the footprint."""
    southern = rng.random(n) >= NORTH_SHARE
    ra, dec = np.empty(n), np.empty(n)
    todo = np.arange(n)
    while len(todo):
        ra[todo] = rng.uniform(0, 360, len(todo))
        dec[todo] = np.degrees(np.arcsin(rng.uniform(-1, 1, len(todo))))
        north, south = in_footprint(ra[todo], dec[todo])
        todo = todo[~np.where(southern[todo], south, north)]
    return ra, dec


def positions_on_plate(
    ra: np.ndarray, dec: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a position on the plate of each object, whose centre is given; all in degrees."""
    n = len(ra)
    # uniform in the area of the spherical cap, not in radius
    cosine = 1 - rng.random(n) * (1 - np.cos(np.radians(PLATE_RADIUS)))
    radius, angle = np.arccos(cosine), rng.uniform(0, 2 * np.pi, n)
    dec0 = np.radians(dec)
    sine = np.sin(dec0) * cosine + np.cos(dec0) * np.sin(radius) * np.cos(angle)
    shift = np.arctan2(np.sin(angle) * np.sin(radius) * np.cos(dec0), cosine - np.sin(dec0) * sine)
    return (ra + np.degrees(shift)) % 360, np.degrees(np.arcsin(np.clip(sine, -1, 1)))


def reddening(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """E(B-V) of the Galaxy, in mag: more towards the plane, in smooth clouds.

    A plane layer of dust, E(B-V) = 0.020 / sin|b|, times clouds: the exponential of a sum of waves
    on the sphere, with a scatter of 0.45 in the logarithm. It does not depend on the seed. The
    numbers are chosen by hand to be similar in size to the map of Schlegel, Finkbeiner & Davis
    (1998) at these latitudes; no structure of that map is used.
    """
    vectors = _vectors(ra, dec)
    waves = np.random.default_rng(1998)
    directions = waves.normal(size=(24, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    number = np.geomspace(4, 150, 24)[:, None]  # radians per radian: from 90 deg to 2.4 deg
    phase = waves.uniform(0, 2 * np.pi, 24)
    clouds = np.cos(vectors @ (directions * number).T + phase).sum(axis=1) / np.sqrt(12)
    sine = np.abs(vectors @ _galactic_axes()[2])
    return 0.020 / np.maximum(sine, 0.1) * np.exp(0.45 * clouds)


def _galactic_axes() -> np.ndarray:
    """Rotation from ICRS to Galactic vectors, (3, 3)."""
    return SkyCoord([0, 90, 0], [0, 0, 90], unit="deg").galactic.cartesian.xyz.value


def _vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
