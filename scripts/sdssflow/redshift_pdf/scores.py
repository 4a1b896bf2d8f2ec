"""Scores of each density p(z) against the spectroscopic redshift."""

from __future__ import annotations

import numpy as np

from sdssflow.redshift_pdf.integrals import ranked_probability_scores, squared_integrals
from sdssflow.redshift_pdf.mixture import Mixture

SMALLEST_DENSITY = 1e-300  # smaller densities count as this in the logarithm


def pdf_scores(pdf: Mixture, zspec: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of each of n densities.

    Parameters
    ----------
    pdf : Mixture
        The n densities.
    zspec : (n,) array
        Spectroscopic redshifts, finite; they may lie outside the range of the densities.

    Returns
    -------
    dict of str to (n,) float64 array
        `pit`: the cdf at zspec, 0 below the range and 1 above it (Dawid 1984). `crps`: the
        continuous ranked probability score, integral of (cdf - [z >= zspec])^2 over all z, in
        redshift, lower is better (Gneiting & Raftery 2007, JASA 102, 359). `cde`: the loss of a
        conditional density estimate up to a constant, integral of p^2 minus 2 p(zspec), lower is
        better (Izbicki & Lee 2017, EJS 11, 2800). `log_density`: ln p(zspec), at least
        ln(1e-300) = -690.8.

    Raises
    ------
    ValueError
        If there is not one finite zspec for each density.
    """
    zspec = np.asarray(zspec, dtype=np.float64)
    if zspec.shape != (len(pdf),):
        raise ValueError(f"zspec of shape {zspec.shape}: must be ({len(pdf)},), one per density")
    if not np.isfinite(zspec).all():
        row = int(np.flatnonzero(~np.isfinite(zspec))[0])
        raise ValueError(f"zspec of object {row} is {zspec[row]}; scores need known redshifts")
    density = pdf.density(zspec)
    return {
        "pit": pdf.cdf(zspec),
        "crps": ranked_probability_scores(pdf, zspec),
        "cde": squared_integrals(pdf) - 2 * density,
        "log_density": np.log(np.maximum(density, SMALLEST_DENSITY)),
    }
