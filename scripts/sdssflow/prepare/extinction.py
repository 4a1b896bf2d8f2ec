"""How much Galactic extinction to subtract from a catalogue's magnitudes."""

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
    """Return the extinction of n objects per band, in mag, and what was decided.

    A band without its own column gets that of r (or of the first band there is) by the coefficients
    of one dust law; zeros where nothing is to be done. The decision is 'applied here', 'applied in
    source', 'unknown' (no extinction in the catalogue) or 'no'.
    """
    none = {band: np.zeros(catalogue.num_rows) for band in BANDS}
    if metadata(catalogue.schema).get("extinction_applied", False):
        return none, "applied in source"
    if not settings.deredden:
        return none, "no"
    known = [band for band in BANDS if f"extinction_{band}" in catalogue.column_names]
    if not known:
        return none, "unknown"
    known_values = {
        band: numbers(catalogue, f"extinction_{band}", "features.deredden: extinction")
        for band in known
    }
    source = "r" if "r" in known else known[0]
    return {
        band: known_values[band]
        if band in known
        else scale_extinction(known_values[source], source, band)
        for band in BANDS
    }, "applied here"
