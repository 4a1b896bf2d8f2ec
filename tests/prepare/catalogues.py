"""Catalogues made for tests."""

import numpy as np
import pyarrow as pa

from sdssflow.acquire.schema import BANDS, COLUMNS
from sdssflow.tables import with_metadata


def make_catalogue(n=200, seed=0, kind="model", positions=True, **columns):
    """Return a catalogue of n random objects; `columns` replaces or adds columns."""
    rng = np.random.default_rng(seed)
    data = {"row_id": np.arange(n)}
    if positions:
        data |= {"ra": rng.uniform(0, 360, n), "dec": rng.uniform(-60, 60, n)}
    for band in BANDS:
        data[f"{kind}_mag_{band}"] = rng.uniform(16, 20, n)
        data[f"{kind}_mag_err_{band}"] = rng.uniform(0.01, 0.1, n)
    data |= {
        "plate": rng.integers(1, 12, n),
        "spec_class": rng.choice(["GALAXY", "QSO", "STAR"], n),
        "zspec": rng.uniform(0.01, 0.3, n),
    }
    data |= columns
    arrays = {
        name: pa.array(values, type=COLUMNS[name].type, from_pandas=True)
        for name, values in data.items()
        if values is not None
    }
    return with_metadata(
        pa.table(arrays), sample="made", magnitude_system="asinh", extinction_applied=False
    )
