"""WISE magnitudes of the sources, and the shapes that the SDSS fits to their images.

Both are drawn last, from separate random streams. No spectra are used: the colours between r (AB)
and W1 to W4 (Vega) are interpolated between round numbers chosen by hand, by class, redshift and
optical colour. They are roughly those of Wright et al. 2010 (AJ 140, 1868, figure 12: stars near 0
in all colours, quasars at W1 - W2 near 1.1, spirals at W2 - W3 of 3 to 4, ellipticals below 2).

The noise is that of the 5 sigma limits of the All-Sky catalogue, 0.08, 0.11, 1 and 6 mJy (same
paper). A source is in the catalogue if it has 5 sigma in one band. A band below 2 sigma has a 95 %
limit instead of a magnitude and no error, as in the catalogue. SkyServer's table has no NULL; -9999
is used here, and the value used there is unknown to us.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sdssflow.photometry import POGSON
from skyserver_standin.sky.instruments import GALAXY, MISSING, PSF_FWHM, QSO, Sources

LIMIT = np.array([16.5, 15.5, 11.2, 7.9])  # W1 to W4, Vega, 5 sigma
CALIBRATION = 0.03  # mag
IN_CATALOGUE, DETECTED = 5.0, 2.0  # signal over noise
UNMATCHED_SHARE = 0.03  # of sources in the catalogue: blends, masks
CROWDED_SHARE = 0.01  # of matched objects: a second, more distant source is matched too
OFFSET = 0.3  # arcsec in each coordinate
WISE = pa.schema(
    [
        *(("sdss_objid", pa.int64()), ("cntr", pa.int64()), ("match_dist", pa.float32())),
        *((f"w{k}{what}", pa.float32()) for k in (1, 2, 3, 4) for what in ("mpro", "sigmpro")),
    ]
)
# of stars: r - W1 at g - i
STARS = (
    [-0.6, -0.3, 0.3, 0.6, 1.0, 1.5, 2.0, 2.5, 3.2],
    [-0.3, 0.2, 1.0, 1.4, 2.0, 2.6, 3.3, 4.0, 5.2],
)
# of galaxies with old stars: W1 - W2 at redshifts
GALAXIES = ([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.1], [-0.02, 0.08, 0.22, 0.28, 0.25, 0.15, 0.10])
# of quasars at redshifts: r - W1, and W1 - W2
QUASARS = ([0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0], [3.6, 3.7, 4.0, 4.1, 3.9, 4.3, 4.9])
QUASARS_12 = (
    [0.1, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0],
    [0.85, 1.0, 1.15, 1.25, 1.2, 0.85, 0.5, 0.55],
)
POINT_CONCENTRATION, EARLY_CONCENTRATION, LATE_CONCENTRATION = 1.95, 3.1, 2.35
THICKNESS = 0.2  # axis ratio of a disk seen edge-on


def infrared_magnitudes(sources: Sources, rng: np.random.Generator) -> np.ndarray:
    """Draw the true magnitudes W1 to W4 (Vega) of n sources, (n, 4)."""
    n = len(sources.redshift)
    _, g, r, i, _ = -2.5 * np.log10(sources.flux.T)
    z, noise = sources.redshift, rng.standard_normal((4, n))
    galaxy, quasar = sources.spec_class == GALAXY, sources.spec_class == QSO
    active = np.isin(sources.subclass, ("AGN", "BROADLINE"))
    kinds, early = [galaxy, quasar], sources.early
    color = np.clip(g - r, 0, 2)
    r_w1 = (
        np.select(
            kinds,
            [2.3 + 0.5 * color + 2.8 * z / (1 + z), np.interp(z, *QUASARS) + 0.5 * (g - i - 0.25)],
            np.interp(g - i, *STARS),
        )
        + np.select(kinds, [0.25, 0.35], 0.08) * noise[0]
    )
    w1_w2 = np.select(
        kinds,
        [np.interp(z, *GALAXIES) + np.where(early, 0, 0.12) + 0.35 * active,
         np.interp(z, *QUASARS_12)],
        np.where(g - i > 2, 0.15, -0.03),
    ) + np.select(kinds, [0.06, 0.12], 0.03) * noise[1]  # fmt: skip
    w2_w3 = np.select(
        kinds, [np.where(early, 0.8, 3.3) + 0.5 * noise[2], 3.0 + 0.35 * noise[2]],
        0.05 + 0.05 * noise[2],
    )  # fmt: skip
    w3_w4 = np.select(kinds, [2.1 + 0.3 * noise[3], 2.5 + 0.3 * noise[3]], 0.05 * noise[3])
    return r[:, None] - np.cumsum(np.stack([r_w1, w1_w2, w2_w3, w3_w4], axis=1), axis=1)


def wise_table(
    objid: np.ndarray, sources: Sources, primary: np.ndarray, rng: np.random.Generator
) -> pa.Table:
    """Return the WISE sources that are matched to n objects, with the matches.

    Only objects that are `primary`, (n,) bool, have a match.
    """
    true = infrared_magnitudes(sources, rng)
    n = len(objid)
    noise = 10 ** (-0.4 * LIMIT) / IN_CATALOGUE
    flux = 10 ** (-0.4 * (true + CALIBRATION * rng.standard_normal((n, 4))))
    flux = flux + noise * rng.standard_normal((n, 4))
    signal = flux / noise
    found = (signal >= IN_CATALOGUE).any(axis=1) & (rng.random(n) >= UNMATCHED_SHARE) & primary
    crowded = np.flatnonzero(found & (rng.random(n) < CROWDED_SHARE))
    offset = np.hypot(*rng.normal(0, OFFSET, (2, n)))
    shift = rng.uniform(-1, 2, (len(crowded), 4))  # of the other source, in mag
    seen = signal >= DETECTED
    magnitude = -2.5 * np.log10(np.where(seen, flux, np.maximum(flux, 0) + DETECTED * noise))
    error = np.where(seen, np.hypot(POGSON / np.maximum(signal, 1), 0.02), MISSING)
    rows = np.concatenate([np.flatnonzero(found), crowded])
    other = np.repeat([False, True], [found.sum(), len(crowded)])
    magnitude = magnitude[rows]
    magnitude[other] += shift
    columns = {
        "sdss_objid": objid[rows],
        # a number for each source; in the real catalogue it encodes the position
        "cntr": objid[rows] - (1 << 60) + np.where(other, 1 << 58, 0),
        "match_dist": offset[rows] + np.where(other, 1.5, 0.0),
    }
    for k in range(4):
        columns[f"w{k + 1}mpro"], columns[f"w{k + 1}sigmpro"] = magnitude[:, k], error[rows, k]
    arrays = [pa.array(columns[field.name]).cast(field.type, safe=False) for field in WISE]
    return pa.table(arrays, schema=WISE).sort_by("sdss_objid")


def shapes(sources: Sources, petro_r50: np.ndarray, rng: np.random.Generator) -> dict:
    """Draw the shape parameters of n sources in r: columns of PhotoObjAll, (n,) each.

    Missing radii (`petro_r50`, arcsec) stay missing. The image of a small galaxy is round and as
    concentrated as the PSF; fits to a point source are meaningless.
    """
    n = len(petro_r50)
    seeing = PSF_FWHM[2] / 2
    resolved = sources.half_light**2 / (sources.half_light**2 + seeing**2)
    true = np.where(sources.early, EARLY_CONCENTRATION, LATE_CONCENTRATION)
    concentration = POINT_CONCENTRATION + resolved * (true - POINT_CONCENTRATION)
    r = -2.5 * np.log10(sources.flux[:, 2])
    faint = 0.05 + 0.05 * 10 ** (0.3 * np.clip(r - 20, -3, 2))
    concentration *= np.exp(faint * rng.standard_normal(n))
    face_on = rng.random(n)  # cosine of the inclination
    disk = np.sqrt(face_on**2 * (1 - THICKNESS**2) + THICKNESS**2)
    ratio = np.where(sources.early, np.clip(rng.normal(0.75, 0.15, n), 0.3, 1), disk)
    point = sources.half_light == 0
    spread = np.where(
        point, 1.0, 0.03 + 0.05 * 10 ** (0.3 * np.clip(r - 19, -4, 3)) / (0.3 + resolved)
    )
    made = {
        name: np.where(point, rng.uniform(0.05, 1, n), ratio + spread * rng.standard_normal(n))
        for name in ("deVAB_r", "expAB_r")
    }
    weight = np.where(
        sources.early, 1 - np.abs(rng.normal(0, 0.15, n)), np.abs(rng.normal(0, 0.15, n))
    )
    weight = np.where(point, rng.choice([0.0, 1.0], n), weight + spread * rng.standard_normal(n))
    return {
        "petroR90_r": np.where(petro_r50 == MISSING, MISSING, petro_r50 * concentration),
        **{name: np.clip(values, 0.05, 1) for name, values in made.items()},
        "fracDeV_r": np.clip(weight, 0, 1),
    }
