"""Estimates as tables for users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sdssflow.acquire.schema import CLASSES
from sdssflow.classify.decisions import CLASS_SET, SETS
from sdssflow.prepare.feature_columns import band_texts

if TYPE_CHECKING:
    import pandas as pd


def as_table(columns: Mapping[str, np.ndarray]) -> pa.Table:
    """Return estimates as a table: codes as text, numbers as float32, NaN as null."""
    words = {"class_code": ("class", list(CLASSES)), "class_set_code": (CLASS_SET, SETS)}
    made: dict[str, pa.Array] = {}
    for name, values in columns.items():
        if name in words:
            name, known = words[name]
            coded = pa.array(values, mask=values == 255).cast(pa.int8(), safe=False)
            made[name] = pa.DictionaryArray.from_arrays(coded, known).cast(pa.string())
        elif name == "missing_bands":
            made[name] = band_texts(values)
        elif name == "tomographic_bin":
            made[name] = pa.array(values, pa.uint8(), mask=values == 255)
        elif name == "outside_training":
            made[name] = pa.array(values == 1, pa.bool_(), mask=values.astype(np.uint8) == 255)
        else:
            made[name] = pa.array(values, pa.float32(), from_pandas=True)
    return pa.table(made)


def as_frame(made: pa.Table, like: pd.DataFrame) -> pd.DataFrame:
    """Return estimates as a frame with the index of another, with Arrow types if it has any."""
    import pandas as pd

    # Arrow types have nulls, so that types do not depend on whether a part has any
    arrow = any(isinstance(kind, pd.ArrowDtype) for kind in like.dtypes)
    return made.to_pandas(types_mapper=pd.ArrowDtype if arrow else None).set_index(like.index)
