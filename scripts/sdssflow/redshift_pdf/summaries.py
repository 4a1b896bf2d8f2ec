"""Point estimates and intervals of p(z)."""

from __future__ import annotations

import numpy as np

from sdssflow.redshift_pdf.mixture import Mixture

POINTS = ("mean", "median", "mode", "best")
INTERVALS = {"z_low_68": 0.16, "z_high_68": 0.84, "z_low_95": 0.025, "z_high_95": 0.975}
ODDS_HALF_WIDTH = 0.05  # times 1 + zphot


def summarise(pdf: Mixture, point: str) -> dict[str, np.ndarray]:
    """Return the summaries of n densities.

    Parameters
    ----------
    pdf : Mixture
        The n densities.
    point : {"mean", "median", "mode", "best"}
        The point estimate used as zphot.

    Returns
    -------
    dict of str to (n,) float64 array
        `zphot`, `zphot_mean`, `zphot_median`, `zphot_mode`, `zphot_best`; the ends of the central
        intervals `z_low_68`, `z_high_68` (quantiles 0.16, 0.84), `z_low_95`, `z_high_95` (0.025,
        0.975); `odds`, the probability of |z - zphot| < 0.05 (1 + zphot) (Benitez 2000, ApJ 536,
        571).

    Raises
    ------
    ValueError
        If there is no such point estimate.
    """
    if point not in POINTS:
        raise ValueError(f"point estimate {point!r}: must be one of {', '.join(POINTS)}")
    median, *ends = pdf.quantiles([0.5, *INTERVALS.values()]).T.copy()
    points = {"mean": pdf.mean(), "median": median, "mode": pdf.mode(), "best": pdf.best(median)}
    zphot = points[point].copy()
    return {
        "zphot": zphot,
        **{f"zphot_{name}": values for name, values in points.items()},
        **dict(zip(INTERVALS, ends, strict=True)),
        "odds": pdf.probability_within(zphot, ODDS_HALF_WIDTH * (1 + zphot)),
    }
