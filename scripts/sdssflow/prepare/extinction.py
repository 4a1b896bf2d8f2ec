"""The Galactic extinction to subtract from the magnitudes of a catalogue."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.features import Features
from sdssflow.photometry import scale_extinction
from sdssflow.prepare.columns import numbers
from sdssflow.tables import metadata

CORRECTED = ("applied here", "applied in source")


def extinction_to_subtract(
    catalogue: pa.Table, settings: Features
) -> tuple[dict[str, np.ndarray], str]:
    """Return the (n,) extinction to subtract in each band, in mag, and the decision.

    A band without its own column gets that of r (or of the first available band), scaled by the
    coefficients of one dust law; zeros if nothing is to be subtracted. The decision is 'applied
    here', 'applied in source', 'unknown' (no extinction in the catalogue) or 'no'.
    """
    none = {band: np.zeros(catalogue.num_rows) for band in BANDS}
    if metadata(catalogue.schema).get("extinction_applied", False):
        return none, "applied in source"
    if not settings.deredden:
        return none, "no"
    known = [band for band in BANDS if f"extinction_{band}" in catalogue.column_names]
    if not known:
        return none, "unknown"
    extinction = {
        band: numbers(catalogue, f"extinction_{band}", "features.deredden: extinction")
        for band in known
    }
    source = "r" if "r" in known else known[0]
    for band in BANDS:
        if band not in known:
            extinction[band] = scale_extinction(extinction[source], source, band)
    return extinction, "applied here"
