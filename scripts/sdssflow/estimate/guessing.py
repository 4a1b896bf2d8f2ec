"""Which columns of a table are which, by the names that SDSS and its users give them.

Only names that leave no doubt are taken. Whether magnitudes are corrected for Galactic extinction
is told by their names (``dered_u``), by columns of extinction beside them, or by the user; nothing
else is taken for an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sdssflow.acquire.column_names import Magnitude
from sdssflow.acquire.usual_names import (
    UnclearError,
    column_of,
    dust,
    extinction_state,
    identifiers,
)
from sdssflow.bundle import Manifest
from sdssflow.prepare.extinction import CORRECTED


@dataclass(frozen=True)
class Guess:
    """What was decided about a table.

    Attributes
    ----------
    columns : dict of str to str
        Catalogue name to name in the file.
    extinction_applied : bool
        Whether the magnitudes are corrected.
    because : str
        How that is known.
    """

    columns: dict[str, str]
    extinction_applied: bool
    because: str


def guess(
    present: Iterable[str], manifests: Iterable[Manifest], extinction_applied: bool | None = None
) -> Guess:
    """Find the columns that models need among those of a file.

    Parameters
    ----------
    present : iterable of str
        Columns of the file.
    manifests : iterable of Manifest
        Of the models.
    extinction_applied : bool, optional
        What the user says of the magnitudes.

    Raises
    ------
    UnclearError
        If a column is not found, two could be meant, or nothing tells whether magnitudes are
        corrected.
    """
    manifests, present = list(manifests), list(present)
    needed = list(dict.fromkeys(name for one in manifests for name in one.columns))
    magnitudes = [name for name in needed if _is_magnitude(name)]
    wants = all(one.deredden in CORRECTED for one in manifests)
    corrected = wants and all(column_of(name, present, True) for name in magnitudes)
    found = {name: column_of(name, present, corrected) for name in needed}
    missing = [name for name, column in found.items() if column is None]
    if missing:
        raise UnclearError(
            f"no column of the file is surely {missing[0]}"
            + (f" (nor {', '.join(missing[1:])})" if missing[1:] else "")
            + f"; it has {', '.join(present)}. Name them: --columns map.yaml "
            f"(make: COLUMNS=map.yaml), in it lines like "
            f"{missing[0]}: NAME IN THE FILE, of a vector NAME[0]. If the file has none, apply a "
            "model that was trained without it"
        )
    columns = {name: str(column) for name, column in found.items()}
    beside = dust(present)
    applied, because = extinction_state(corrected, beside, extinction_applied)
    if not applied:
        columns |= beside
    return Guess(columns | identifiers(present), applied, because)


def _is_magnitude(name: str) -> bool:
    found = Magnitude.of(name)
    return found is not None and not found.is_error
