"""Recognise the columns of a table by the names that are usual for SDSS.

Only unambiguous names are accepted. Whether magnitudes are corrected for Galactic extinction
follows only from their names (``dered_u``), from extinction columns in the table, or from the user.
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
    """The recognised columns of a table.

    Attributes
    ----------
    columns : dict of str to str
        Catalogue name to name in the file.
    extinction_applied : bool
        Whether the magnitudes are corrected.
    because : str
        The reason for that.
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
        Manifests of the models.
    extinction_applied : bool, optional
        Whether the magnitudes are corrected, as stated by the user.

    Raises
    ------
    UnclearError
        If a column is not found or ambiguous, or it is unknown whether magnitudes are corrected.
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
            f"no column of the file is certainly {missing[0]}"
            + (f" (nor {', '.join(missing[1:])})" if missing[1:] else "")
            + f"; it has {', '.join(present)}. Name them: --columns map.yaml "
            f"(make: COLUMNS=map.yaml), with lines like "
            f"{missing[0]}: NAME IN THE FILE, or NAME[0] for a vector. If the file has none, apply "
            "a model that was trained without it"
        )
    columns = {name: str(column) for name, column in found.items()}
    extinctions = dust(present)
    applied, because = extinction_state(corrected, extinctions, extinction_applied)
    if not applied:
        columns |= extinctions
    return Guess(columns | identifiers(present), applied, because)


def _is_magnitude(name: str) -> bool:
    found = Magnitude.of(name)
    return found is not None and not found.is_error
