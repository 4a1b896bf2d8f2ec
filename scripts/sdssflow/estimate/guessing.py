"""Which columns of a table are which, by the names that SDSS and its users give them.

Only names that leave no doubt are taken. Whether magnitudes are corrected for Galactic extinction
is told by their names (``dered_u``), by columns of extinction beside them, or by the user; nothing
else is taken for an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdssflow.acquire.column_names import Magnitude, Name, is_dereddened
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.readers import read_blocks
from sdssflow.acquire.schema import BANDS
from sdssflow.bundle import BundleError, Manifest
from sdssflow.configuration.declared import SHIPPED
from sdssflow.configuration.sources import FileSource
from sdssflow.prepare.extinction import CORRECTED

NOWHERE = "no column of any file"
IDS = {
    "objid": ("objid", "photoobjid", "bestobjid"),
    "ra": ("ra", "radeg", "raj2000", "alphaj2000", "rightascension"),
    "dec": ("dec", "decdeg", "dej2000", "decj2000", "deltaj2000", "declination"),
}


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


def columns_in(path: str) -> list[str]:
    """Return the names of the columns of a file of any format.

    A column that no file has is asked for: whichever reader it is, it says which there are.
    """
    names = {f"model_mag_{band}": NOWHERE + band for band in BANDS}
    try:
        next(read_blocks(path, FileSource(kind="file", path=path, columns=names)))
    except CatalogueError as error:
        if error.present:
            return error.present
        raise
    raise AssertionError


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
    BundleError
        If a column is not found, two could be meant, or nothing tells whether magnitudes are
        corrected.
    """
    manifests, present = list(manifests), list(present)
    needed = list(dict.fromkeys(name for one in manifests for name in one.columns))
    magnitudes = [name for name in needed if _is_magnitude(name)]
    wants = all(one.deredden in CORRECTED for one in manifests)
    corrected = wants and all(_only(name, present, True) for name in magnitudes)
    found = {name: _only(name, present, corrected) for name in needed}
    missing = [name for name, column in found.items() if column is None]
    if missing:
        raise BundleError(
            f"no column of the file is surely {missing[0]}"
            + (f" (nor {', '.join(missing[1:])})" if missing[1:] else "")
            + f"; it has {', '.join(present)}. Name them: --columns map.yaml "
            f"(make: COLUMNS=map.yaml), in it lines like "
            f"{missing[0]}: NAME IN THE FILE"
        )
    columns = {name: str(column) for name, column in found.items()}
    dust = {
        f"extinction_{band}": column
        for band in BANDS
        if (column := _only(f"extinction_{band}", present, False))
    }
    applied, because = _applied(corrected, dust, extinction_applied)
    if not applied:
        columns |= dust
    for name, words in IDS.items():
        of_name = [c for c in present if re.sub(r"[^a-z0-9]", "", c.lower()) in words]
        if len(of_name) == 1:
            columns[name] = of_name[0]
    if ("ra" in columns) != ("dec" in columns):
        columns = {name: column for name, column in columns.items() if name not in ("ra", "dec")}
    return Guess(columns, applied, because)


def _is_magnitude(name: str) -> bool:
    found = Magnitude.of(name)
    return found is not None and not found.is_error


def _applied(corrected: bool, dust: Mapping[str, str], stated: bool | None) -> tuple[bool, str]:
    """Return whether magnitudes are corrected, and how that is known."""
    if stated is not None:
        if corrected and not stated:
            raise BundleError(
                "the names of the columns say that magnitudes are corrected for extinction, "
                "raw says that they are not: name other columns by --columns map.yaml"
            )
        return stated, "you say so"
    if corrected:
        return True, "their names say so"
    if dust:
        return False, f"{', '.join(dust.values())} beside them"
    raise BundleError(
        "nothing tells whether the magnitudes are corrected for Galactic extinction: say "
        "--extinction corrected or --extinction raw (make: EXTINCTION=raw)"
    )


def _only(name: str, present: Iterable[str], corrected: bool) -> str | None:
    """Return the one column that is what a catalogue name says; None without one, or with several.

    `corrected` asks for magnitudes whose names say that they are corrected for extinction.
    """
    wanted = Magnitude.of(name)
    if wanted is None:
        in_sdss = SHIPPED[name].sdss if name in SHIPPED else None
        plain = {re.sub(r"^.*\.|[^a-z0-9]", "", word.lower()) for word in (name, in_sdss or name)}
        known = [c for c in present if re.sub(r"[^a-z0-9]", "", c.lower()) in plain]
        return known[0] if len(known) == 1 else None
    exact = [column for column in present if column == name]
    if exact and not (corrected and not wanted.is_error and wanted.kind != "extinction"):
        return exact[0]
    known = [column for column in present if _is(wanted, column, corrected)]
    return known[0] if len(known) == 1 else None


def _is(wanted: Magnitude, column: str, corrected: bool) -> bool:
    """Say whether a column's name is one of the usual ones of a magnitude, error or extinction."""
    found = Name.of(column)
    band = wanted.band
    element = f"[{BANDS.index(band)}]" if found.element is not None else ""
    if found.element is not None and found.element != BANDS.index(band):
        return False
    plain = re.sub(r"[^a-z0-9]", "", found.lower)
    ends = ("",) if element else (band,)
    if wanted.kind == "extinction":
        return any(plain == f"{word}{end}" for word in ("extinction", "ext", "a") for end in ends)
    kinds = {wanted.kind} | ({""} if wanted.kind == "model" else set())
    if wanted.is_error:
        words = {f"{kind}{word}" for kind in kinds for word in ("magerr", "err", "errmag")}
        words |= {"e"} if wanted.kind == "model" else set()
        after = {f"{kind}{e}{word}" for kind in kinds for e in ends for word in ("err", "magerr")}
        after |= {f"{kind}mag{e}err" for kind in kinds for e in ends}
        return any(plain == f"{word}{end}" for word in words for end in ends) or plain in after
    if corrected:
        if not is_dereddened(found):
            return False
        words = {"dered", "deredmag"} if wanted.kind == "model" else set()
        words |= {f"{wanted.kind}mag{w}" for w in ("dered", "corr")}
        words |= {f"dered{wanted.kind}mag", f"dered{wanted.kind}"}
        return any(plain == f"{word}{end}" for word in words for end in ends)
    words = {f"{kind}mag" for kind in kinds} | (
        {""} if wanted.kind == "model" and not element else set()
    )
    return any(plain == f"{word}{end}" for word in words for end in ends)
