"""Objects that are made odd in a simulated sky, to test searches for outliers.

The spectra are not changed: class and redshift are those of the original object. The kind of each
oddity is in a separate table, which the stand-in does not serve.

========  ==========================================================================================
kind      what was done to the true fluxes
========  ==========================================================================================
band      one band is brighter or fainter by 0.7 to 1.5 mag, as by a cosmic ray or a bad deblend
blend     another object of the sky, as bright in r within 0.5 mag, is at the same position
dust      the object is behind dust of A_V from 1.5 to 3 mag, which is not in the Galactic map
========  ==========================================================================================

All are round numbers, chosen by hand.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sdssflow.bands import SFD_COEFFICIENT
from skyserver_standin.sky.conventions import BANDS
from skyserver_standin.sky.instruments import Sources

ODDITIES = pa.schema([("objid", pa.int64()), ("kind", pa.string())])
KINDS = ("band", "blend", "dust")
BAND_OFFSET = (0.7, 1.5)  # mag, either way
BLEND_WITHIN = 0.5  # mag in r
DUST = (1.5, 3.0)  # A_V in mag
SFD_V = 2.742  # A_V in the unit of the coefficients, at R_V = 3.1 (Schlafly & Finkbeiner 2011)


class Oddities:
    """Makes `count` objects of one block odd, and keeps a list of them."""

    def __init__(self, count: int, rng: np.random.Generator) -> None:
        self.count, self.rng = count, rng
        self.objid = np.empty(0, dtype=np.int64)
        self.kind = np.empty(0, dtype=int)

    def inject(self, objid: np.ndarray, sources: Sources) -> Sources:
        """Return n sources, with these objids, some made odd; all kinds are equally frequent."""
        rng, n = self.rng, len(objid)
        count = min(self.count, n)
        rows = np.sort(rng.choice(n, count, replace=False))
        kind = rng.permutation(np.arange(count) % len(KINDS))
        flux = sources.flux.copy()
        for place, row in enumerate(rows):
            match KINDS[kind[place]]:
                case "band":
                    offset = rng.uniform(*BAND_OFFSET) * rng.choice([-1, 1])
                    flux[row, rng.integers(len(BANDS))] *= 10 ** (-0.4 * offset)
                case "blend":
                    flux[row] += _another(sources.flux, row, rng)
                case "dust":
                    curve = np.array([SFD_COEFFICIENT[band] for band in BANDS]) / SFD_V
                    flux[row] *= 10 ** (-0.4 * rng.uniform(*DUST) * curve)
        self.objid, self.kind = objid[rows], kind
        return sources._replace(flux=flux)

    def table(self) -> pa.Table:
        """Return the objid and the kind of each oddity."""
        names = np.array(KINDS)[self.kind].tolist()
        return pa.table([pa.array(self.objid), pa.array(names, pa.string())], schema=ODDITIES)


def _another(flux: np.ndarray, row: int, rng: np.random.Generator) -> np.ndarray:
    """Return the flux of another object of similar r magnitude; of any if there is none."""
    r = -2.5 * np.log10(flux[:, 2])
    near = np.flatnonzero(np.abs(r - r[row]) < BLEND_WITHIN)
    near = near[near != row]
    return flux[rng.choice(near) if len(near) else (row + 1) % len(flux)]
