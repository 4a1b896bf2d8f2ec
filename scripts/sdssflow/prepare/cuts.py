"""Quality cuts and the flow of objects through them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.configuration import cuts as settings
from sdssflow.prepare.columns import class_masks, measurements, numbers, require
from sdssflow.prepare.duplicates import first_rows


def apply_cuts(table: pa.Table, cuts: list[settings.Cut]) -> tuple[pa.Table, pd.DataFrame]:
    """Apply the cuts of a sample to its catalogue in order and count what each removes.

    Returns
    -------
    kept : pyarrow.Table
        The rows that passed every cut, in their order.
    flow : pandas.DataFrame
        One row per step: ``step, cut, description, before, removed, after`` and, if classes are
        known, the remaining rows of each class.

    Raises
    ------
    ValueError
        If a cut removes the last row, or needs a column that the catalogue does not have
        (MissingColumnError).
    """
    classes = class_masks(table)
    keep = np.ones(table.num_rows, dtype=bool)
    flow = [_flow_row(0, "catalogue", "all rows of the source", keep, keep, classes)]
    for step, cut in enumerate(cuts, start=1):
        before, keep = keep, keep.copy()
        if isinstance(cut, settings.UniqueObjects):  # depends on the other remaining rows
            keep[keep] = _unique_objects(table.filter(pa.array(keep)), cut)
        else:
            keep &= rows_kept(table, cut)
        flow.append(_flow_row(step, cut.cut, describe(cut), before, keep, classes))
        if not keep.any():
            raise ValueError(
                f"cuts: cut {step} ({cut.cut}: {describe(cut)}) removes the last {before.sum()} "
                "rows; loosen or remove it"
            )
    return table.filter(pa.array(keep)), pd.DataFrame(flow)


def describe(cut: settings.Cut) -> str:
    """Describe in a few words what a cut keeps."""
    match cut:
        case settings.CompletePhotometry():
            what = " and ".join(cut.magnitudes) + " magnitudes"
            return f"{what} {'and errors ' if cut.errors else ''}in all five bands"
        case settings.CompleteColumns():
            return f"measured: {', '.join(cut.columns)}"
        case settings.MagnitudeRange():
            return _range(f"{cut.magnitudes} {cut.band}", cut.minimum, cut.maximum, " mag")
        case settings.MagnitudeError():
            return f"{cut.magnitudes} error in {', '.join(cut.bands)} ≤ {cut.maximum:g} mag"
        case settings.ColorRange():
            return _range(f"{cut.magnitudes} adjacent colours", cut.minimum, cut.maximum, " mag")
        case settings.RedshiftRange():
            return _range("zspec", cut.minimum, cut.maximum, "")
        case settings.NonzeroRedshift():
            return "zspec not exactly 0"
        case settings.ZWarning():
            return "zWarning = 0"
        case settings.Classes():
            return "class in " + ", ".join(cut.keep)
        case settings.UniqueObjects():
            return f"first row of each object (within {cut.radius_arcsec:g} arcsec)"


def _range(what: str, low: float | None, high: float | None, unit: str) -> str:
    left = "" if low is None else f"{low:g} ≤ "
    right = "" if high is None else f" ≤ {high:g}{unit}"
    return f"{left}{what}{right}"


def _flow_row(
    step: int,
    cut: str,
    description: str,
    before: np.ndarray,
    after: np.ndarray,
    classes: dict[str, np.ndarray],
) -> dict:
    return {
        "step": step,
        "cut": cut,
        "description": description,
        "before": int(before.sum()),
        "removed": int(before.sum() - after.sum()),
        "after": int(after.sum()),
        **{f"after_{name}": int((after & is_one).sum()) for name, is_one in classes.items()},
    }


def rows_kept(table: pa.Table, cut: settings.Cut) -> np.ndarray:
    """Return (n,) bool: rows that pass any cut but `UniqueObjects`."""
    if isinstance(cut, settings.Classes):
        return pc.is_in(require(table, "spec_class", _by(cut)), pa.array(cut.keep)).to_numpy()
    if isinstance(cut, settings.CompleteColumns):
        values = [measurements(table, name, _by(cut))[0] for name in settings.needed_by(cut)]
    else:
        values = [numbers(table, name, _by(cut)) for name in settings.needed_by(cut)]
    match cut:
        case settings.CompletePhotometry() | settings.CompleteColumns():
            passed = [np.isfinite(column) for column in values]
        case settings.MagnitudeRange():
            limits = map(_as_stored, (cut.minimum, cut.maximum))
            passed = [_between(values[0], *limits)]
        case settings.MagnitudeError():
            passed = [errors <= _as_stored(cut.maximum) for errors in values]
        case settings.ColorRange():
            passed = [_between(a - b, cut.minimum, cut.maximum) for a, b in pairwise(values)]
        case settings.RedshiftRange():
            passed = [_between(values[0], cut.minimum, cut.maximum)]
        case settings.NonzeroRedshift():
            passed = [values[0] != 0]
        case settings.ZWarning():
            passed = [values[0] == 0]
        case _:
            raise TypeError(f"a row does not pass or fail {cut.cut} by itself")
    return np.logical_and.reduce(passed)


def _unique_objects(table: pa.Table, cut: settings.UniqueObjects) -> np.ndarray:
    require(table, "row_id", _by(cut))
    return first_rows(table, cut.radius_arcsec) == np.arange(table.num_rows)


def _as_stored(limit: float | None) -> float | None:
    """Return a limit rounded to float32, as magnitudes are stored, so that it is included."""
    return None if limit is None else float(np.float32(limit))


def _between(values: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    keep = np.isfinite(values)
    if low is not None:
        keep &= values >= low
    if high is not None:
        keep &= values <= high
    return keep


def _by(cut: settings.Cut) -> str:
    return f"cuts: {cut.cut}"
