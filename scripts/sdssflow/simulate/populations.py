"""Which kinds of objects the plates of each programme hold.

Shares are round numbers, chosen so that the classes of the whole survey, and of its bright part,
come out about as in the SDSS.
"""

from __future__ import annotations

import numpy as np

from sdssflow.simulate.galaxies import draw_galaxies
from sdssflow.simulate.quasars import draw_quasars
from sdssflow.simulate.sources import Sources
from sdssflow.simulate.stars import draw_stars

DRAW = {"galaxies": draw_galaxies, "quasars": draw_quasars, "stars": draw_stars}
# survey: (family, kind): share of its spectra
SHARES = {
    "sdss": {
        ("galaxies", "main"): 0.63,
        ("galaxies", "luminous"): 0.12,
        ("quasars", "legacy"): 0.06,
        ("quasars", "highz"): 0.015,
        ("stars", "legacy"): 0.175,
    },
    "segue1": {("stars", "segue"): 0.97, ("galaxies", "main"): 0.02, ("quasars", "legacy"): 0.01},
    "segue2": {("stars", "segue"): 0.97, ("galaxies", "main"): 0.02, ("quasars", "legacy"): 0.01},
    "boss": {
        ("galaxies", "lowz"): 0.19,
        ("galaxies", "cmass"): 0.49,
        ("quasars", "boss"): 0.10,
        ("quasars", "eboss"): 0.06,
        ("stars", "boss"): 0.16,
    },
    "eboss": {
        ("galaxies", "red"): 0.18,
        ("galaxies", "line"): 0.15,
        ("galaxies", "cmass"): 0.15,
        ("quasars", "eboss"): 0.33,
        ("quasars", "boss"): 0.06,
        ("stars", "boss"): 0.13,
    },
}


def draw_survey(survey: str, n: int, rng: np.random.Generator) -> Sources:
    """Draw the objects of n spectra of one survey, in random order.

    Parameters
    ----------
    survey : str
        A key of `SHARES`.
    n : int
        How many.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    Sources
    """
    shares = SHARES[survey]
    weights = np.array(list(shares.values()))
    counts = rng.multinomial(n, weights / weights.sum())
    drawn = [
        DRAW[family](kind, int(count), rng)
        for (family, kind), count in zip(shares, counts, strict=True)
        if count
    ]
    order = rng.permutation(n)
    return Sources(*(np.concatenate(column)[order] for column in zip(*drawn, strict=True)))
