"""Where plates and objects lie on the sky, and how much dust of the Galaxy is before them.

The footprint is that of the SDSS in outline: the northern Galactic cap, and in the south the region
of BOSS with the three southern stripes of the first survey inside it or beside it. Limits are round
numbers:

====== ==================================================================
north  b > 25 deg, -3 < dec < 68 deg, 108 < ra < 265 deg
south  b < -20 deg, -11 < dec < 36 deg, ra > 310 or ra < 58 deg
====== ==================================================================
"""

from __future__ import annotations

import numpy as np
from astropy.coordinates import SkyCoord

PLATE_RADIUS = 1.49  # deg
NORTH_SHARE = 0.75  # of the plates; a round number


def galactic_latitude(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Galactic latitude in degrees of positions in degrees (ICRS)."""
    return np.degrees(np.arcsin(np.clip(_vectors(ra, dec) @ _galactic_axes()[2], -1, 1)))


def in_footprint(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which positions (degrees) lie in the northern and in the southern part."""
    b = galactic_latitude(ra, dec)
    north = (b > 25) & (dec > -3) & (dec < 68) & (ra > 108) & (ra < 265)
    south = (b < -20) & (dec > -11) & (dec < 36) & ((ra > 310) | (ra < 58))
    return north, south


def plate_centers(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw plate centres evenly over the footprint.

    Returns
    -------
    ra, dec : (n,) arrays
        Degrees (ICRS).
    """
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
    """Draw positions evenly over plates.

    Parameters
    ----------
    ra, dec : (n,) arrays
        Centre of each object's plate in degrees.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    ra, dec : (n,) arrays
        Degrees, within `PLATE_RADIUS` of the centres; ra in [0, 360).
    """
    n = len(ra)
    # even in the area of the spherical cap, not in the radius
    cosine = 1 - rng.random(n) * (1 - np.cos(np.radians(PLATE_RADIUS)))
    radius, angle = np.arccos(cosine), rng.uniform(0, 2 * np.pi, n)
    dec0 = np.radians(dec)
    sine = np.sin(dec0) * cosine + np.cos(dec0) * np.sin(radius) * np.cos(angle)
    shift = np.arctan2(np.sin(angle) * np.sin(radius) * np.cos(dec0), cosine - np.sin(dec0) * sine)
    return (ra + np.degrees(shift)) % 360, np.degrees(np.arcsin(np.clip(sine, -1, 1)))


def reddening(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """E(B-V) of the Galaxy, in mag: more towards the plane, in smooth clouds.

    A plane layer of dust, E(B-V) = 0.020 / sin|b|, times clouds: the exponential of a sum of waves
    on the sphere, with a scatter of 0.45 in the logarithm. The same for every seed, as the sky is.
    Numbers by hand, of the size of the map of Schlegel, Finkbeiner & Davis (1998) at these
    latitudes; no structure of that map is in it.
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
    axes = SkyCoord([0, 90, 0], [0, 0, 90], unit="deg").galactic.cartesian.xyz.value
    return axes


def _vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
