"""The columns of a catalogue that figures show: magnitudes, classes, redshifts, positions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdssflow.acquire.schema import BANDS, CLASSES
from sdssflow.configuration.explored import EXPLORED
from sdssflow.configuration.features import Features
from sdssflow.prepare.columns import numbers, strings
from sdssflow.prepare.extinction import CORRECTED, extinction_to_subtract
from sdssflow.tables import metadata, read_parquet

UNKNOWN = "no class"
COLORS = tuple(f"{blue} − {red}" for blue, red in pairwise(BANDS))


@dataclass(frozen=True)
class Objects:
    """Columns of a sample to draw.

    Attributes
    ----------
    sample : str
        Name of the sample.
    magnitudes : (n, 5) float array or None
        Magnitudes in u, g, r, i, z in mag, NaN where missing; None if the figure needs none.
    magnitude_label : str
        Kind of magnitude, unit, system and whether it is corrected for extinction.
    classes : (n,) array of str or None
        GALAXY, QSO, STAR or `UNKNOWN`; None if no object has a class.
    zspec : (n,) float array or None
        Spectroscopic redshift, NaN where missing; None if no object has one.
    ra, dec : (n,) float array or None
        ICRS position in degrees, NaN where missing; None if no object has one.
    """

    sample: str
    magnitudes: np.ndarray | None
    magnitude_label: str
    classes: np.ndarray | None
    zspec: np.ndarray | None
    ra: np.ndarray | None
    dec: np.ndarray | None

    @property
    def colors(self) -> np.ndarray:
        """The colours u-g, g-r, r-i, i-z: (n, 4) array in mag."""
        return -np.diff(needed(self.magnitudes), axis=1)

    def groups(self) -> list[tuple[str, np.ndarray]]:
        """Return name and row mask of each class that occurs, the most frequent first.

        A sample without classes is one group called ''.
        """
        if self.classes is None:
            return [("", np.ones(self.length, dtype=bool))]
        masks = [(name, self.classes == name) for name in (*CLASSES, UNKNOWN)]
        return sorted((pair for pair in masks if pair[1].any()), key=lambda pair: -pair[1].sum())

    @property
    def length(self) -> int:
        """Number of objects."""
        columns = (self.magnitudes, self.zspec, self.ra)
        return next(len(column) for column in columns if column is not None)


def needed(values: np.ndarray | None) -> np.ndarray:
    """Return `values`; ValueError if they were not read because the figure doesn't need them."""
    if values is None:
        raise ValueError("a figure draws values that its record in EXPLORED does not list in needs")
    return values


def read_objects(path: str | Path, sample: str, features: Features, figure: str) -> Objects:
    """Read the columns that a figure of ``explore.figures`` shows from a clean catalogue.

    `features` says which magnitudes, and whether to correct them for extinction.

    ValueError if a column that the figure needs is absent (MissingColumnError) or has no values, or
    the catalogue has no rows.
    """
    kind, by = features.magnitudes, f"explore.figures: {figure}"
    needs = EXPLORED[figure].needs
    magnitudes = [f"{kind}_mag_{band}" for band in BANDS]
    extinction = [f"extinction_{band}" for band in BANDS]
    wanted = ["spec_class", "zspec", "ra", "dec"]
    if "magnitudes" in needs:
        wanted += magnitudes + extinction
    present = pq.read_schema(path).names
    table = read_parquet(path, [name for name in wanted if name in present])
    if table.num_rows == 0:
        raise ValueError(f"{path}: no rows, so there is nothing to draw in figure {figure!r}")

    required = [name for name in needs if name != "magnitudes"]
    required += magnitudes if "magnitudes" in needs else []
    values = {name: numbers(table, name, by) for name in required}
    for name, column in values.items():
        if not np.isfinite(column).any():
            raise ValueError(
                f"{path}: column {name!r} has no value, but figure {figure!r} needs it; "
                f"remove {figure!r} from explore.figures of sample {sample!r}"
            )
    drawn, label = None, ""
    if "magnitudes" in needs:
        drawn, label = _magnitudes(table, features, by)
    return Objects(
        sample=sample,
        magnitudes=drawn,
        magnitude_label=label,
        classes=_classes(table),
        zspec=_optional(table, "zspec"),
        ra=_optional(table, "ra"),
        dec=_optional(table, "dec"),
    )


def _magnitudes(table: pa.Table, features: Features, by: str) -> tuple[np.ndarray, str]:
    kind = features.magnitudes
    provenance = metadata(table.schema)
    system = {"asinh": "asinh", "pogson": "logarithmic"}[
        provenance.get("magnitude_system", "asinh")
    ]
    extinction, decision = extinction_to_subtract(table, features)
    note = "corrected" if decision in CORRECTED else "not corrected"
    name = {"model": "model", "psf": "PSF", "petro": "Petrosian", "cmodel": "cmodel"}[kind]
    label = f"{name} magnitudes ({system}, AB, {note} for Galactic extinction)"
    columns = [numbers(table, f"{kind}_mag_{band}", by) - extinction[band] for band in BANDS]
    return np.column_stack(columns), label


def _optional(table: pa.Table, name: str) -> np.ndarray | None:
    if name not in table.column_names:
        return None
    values = numbers(table, name, "explore")
    return values if np.isfinite(values).any() else None


def _classes(table: pa.Table) -> np.ndarray | None:
    if "spec_class" not in table.column_names:
        return None
    values = strings(table, "spec_class", "explore")
    known = np.array([value is not None for value in values], dtype=bool)
    return np.where(known, values, UNKNOWN).astype(str) if known.any() else None
