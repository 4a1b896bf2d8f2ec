import itertools

import pandas as pd
import pyarrow as pa
import pytest

from skyserver_standin.sky.simulation import sky_blocks

BANDS = list("ugriz")


@pytest.fixture(scope="package")
def sky():
    """40,000 spectra, their objects and their matches in WISE, as Arrow tables."""
    blocks = list(sky_blocks(40_000, 7))
    return tuple(pa.concat_tables(tables) for tables in zip(*blocks, strict=True))


@pytest.fixture(scope="package")
def frame(sky):
    """First spectra of objects without defects, with magnitudes corrected for extinction."""
    spec, photo, _ = (table.to_pandas() for table in sky)
    spec = spec[(spec["sciencePrimary"] == 1) & (spec["zWarning"] == 0)]
    spec = spec.rename(columns={"z": "redshift"}).drop(columns=["ra", "dec"])
    both = spec.merge(photo, left_on="bestObjID", right_on="objID")
    both = both[(both[BANDS] > 0).all(axis=1)]
    for band in BANDS:
        both[band] -= both[f"extinction_{band}"]
    colors = {f"{a}-{b}": both[a] - both[b] for a, b in itertools.pairwise(BANDS)}
    return pd.concat([both, pd.DataFrame(colors)], axis=1).reset_index(drop=True)
