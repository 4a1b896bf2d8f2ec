"""The kind and bands of a feature column: a magnitude, a colour, an error.

Each feature group declares its columns as `Feature`. The name of a column is made of its quantity
and bands, so a model can read from the name which bands a feature needs: no column can be declared
with a name that reads as something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa

from sdssflow.bands import BANDS, FURTHER_BANDS

ALL_BANDS = (*BANDS, *FURTHER_BANDS)
_BAND = "|".join(sorted(ALL_BANDS, key=len, reverse=True))
Kind = Literal["magnitude", "color", "error", "other"]
_KINDS: dict[tuple[str, int], Kind] = {  # end of the quantity, number of bands
    ("mag", 1): "magnitude",
    ("luptitude", 1): "magnitude",
    ("color", 2): "color",
    ("err", 1): "error",
    ("err", 2): "error",
}


class Feature(NamedTuple):
    """A column of features.

    Attributes
    ----------
    quantity : str
        The measured quantity, such as `model_color`.
    kind : {'magnitude', 'color', 'error', 'other'}
        A magnitude in one band, the difference of two, the error of either, or anything else.
    bands : tuple of str
        The bands it needs. A colour is the first minus the second.
    """

    quantity: str
    kind: Kind
    bands: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the column; ValueError if it would be read as another kind or other bands."""
        name = f"{self.quantity}_{''.join(self.bands)}" if self.bands else self.quantity
        if (read := Feature.named(name)) != self:
            raise ValueError(f"{self} is named {name!r}, which reads as {read}")
        return name

    @classmethod
    def named(cls, name: str) -> Feature:
        """Return the feature of this name; one that does not end in bands has none.

        >>> Feature.named("psf_minus_model_u")
        Feature(quantity='psf_minus_model', kind='other', bands=('u',))
        >>> Feature.named("model_color_rw1").bands, Feature.named("model_color_err_gr").kind
        (('r', 'w1'), 'error')
        """
        quantity, _, end = name.rpartition("_")
        if not quantity or not re.fullmatch(f"({_BAND})+", end):
            return cls(name, "other")
        bands = tuple(re.findall(_BAND, end))
        of, _, end = quantity.rpartition("_")
        return cls(quantity, _KINDS.get((end, len(bands)), "other") if of else "other", bands)


def bands_among(names: Iterable[str]) -> tuple[str, ...]:
    """Return u, g, r, i, z and the further bands of features or columns of these names.

    >>> bands_among(["model_color_gr", "wise_color_w1w2"])
    ('u', 'g', 'r', 'i', 'z', 'w1', 'w2')
    """
    found = {band for name in names for band in Feature.named(name).bands}
    return tuple(band for band in ALL_BANDS if band in BANDS or band in found)


def bands_of(names: Iterable[str]) -> np.ndarray:
    """Return (k, f) bool: the features that need each band of `bands_among`.

    >>> bands_of(["model_color_gr", "model_mag_r", "petro_rad_r"])[1:3].tolist()
    [[True, False, False], [True, True, True]]
    """
    names = list(names)
    features = [Feature.named(name) for name in names]
    needs = [[band in feature.bands for feature in features] for band in bands_among(names)]
    return np.array(needs, dtype=bool)


def missing_bands(catalogue: pa.Table, columns: Iterable[str]) -> np.ndarray:
    """Return (n,) uint16 with a bit per band of `ALL_BANDS`: bands with a missing value."""
    found = np.zeros(catalogue.num_rows, np.uint16)
    for name in columns:
        for band in Feature.named(name).bands:
            missing = catalogue[name].is_null(nan_is_null=True).to_numpy()
            found |= missing.astype(np.uint16) << ALL_BANDS.index(band)
    return found


def band_texts(codes: np.ndarray) -> pa.Array:
    """Return the (n,) codes of `missing_bands` as text.

    >>> band_texts(np.array([0, 33], np.uint16)).to_pylist()
    ['', 'uw1']
    """
    different, numbers = np.unique(codes, return_inverse=True)
    texts = [
        "".join(band for bit, band in enumerate(ALL_BANDS) if code >> bit & 1)
        for code in different.tolist()
    ]
    return pa.array(texts, pa.string()).take(pa.array(numbers))
