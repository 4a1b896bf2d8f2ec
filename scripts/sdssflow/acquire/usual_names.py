"""Names that SDSS and its users give to columns: those that leave no doubt about what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sdssflow.acquire.column_names import Magnitude, Name, is_dereddened
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.readers import format_of, read_blocks, read_source
from sdssflow.acquire.files.text import read_layout
from sdssflow.acquire.schema import BANDS
from sdssflow.configuration.declared import SHIPPED
from sdssflow.configuration.file_sources import FileSource

SHORT_DUST = re.compile(r"(^|\.)([Aa]_[ugrizUGRIZ]|A[ugriz])(\[\d\])?$")
ZERR = re.compile(r"^z(_?[Ee][Rr][Rr])$")
NOWHERE = "no column of any file"
IDS = {
    "objid": ("objid", "photoobjid", "bestobjid"),
    "ra": ("ra", "radeg", "raj2000", "raicrs", "alpha", "alphaj2000", "rightascension"),
    "dec": ("dec", "dedeg", "decdeg", "dej2000", "decj2000", "deicrs", "delta", "deltaj2000",
            "declination"),
}  # fmt: skip


class UnclearError(ValueError):
    """The names of the columns leave open what is what; the message says what to say."""


def columns_in(path: str, **stated: Any) -> list[str]:
    """Return the names of the columns of a file of any format; `stated` are keys of its source.

    A column that no file has is asked for: whichever reader it is, it says which there are.
    """
    names = {f"model_mag_{band}": NOWHERE + band for band in BANDS}
    nowhere = FileSource(kind="file", path=path, columns=names, declared={}, **stated)
    try:
        if Path(path).is_dir():
            read_source(path, nowhere.model_copy(update={"columns": names | {"zspec": NOWHERE}}))
        elif Path(path).exists() and format_of(path, nowhere.format) == "csv":
            return read_layout(path, {}, nowhere.header).names
        else:
            next(read_blocks(path, nowhere))
    except CatalogueError as error:
        if error.present:
            return error.present
        raise
    raise AssertionError


def identifiers(present: Iterable[str]) -> dict[str, str]:
    """Return which of the columns are ids and positions, these both or neither."""
    found = {name: column for name, words in IDS.items() if (column := called(words, present))}
    if ("ra" in found) != ("dec" in found):
        found = {name: column for name, column in found.items() if name not in ("ra", "dec")}
    return found


def dust(present: Iterable[str]) -> dict[str, str]:
    """Return which of the columns are extinctions."""
    names = (f"extinction_{band}" for band in BANDS)
    return {name: column for name in names if (column := column_of(name, present, False))}


def called(words: Iterable[str], present: Iterable[str]) -> str | None:
    """Return the one column with one of these names, whatever their case and signs; else None."""
    found = [c for c in present if re.sub(r"[^a-z0-9]", "", c.lower()) in words]
    return found[0] if len(found) == 1 else None


def extinction_state(
    corrected: bool, beside: Mapping[str, str], stated: bool | None
) -> tuple[bool, str]:
    """Return whether magnitudes are corrected for extinction, and how that is known.

    `corrected` is what their names say, `beside` the columns of extinction, `stated` what the user
    says.
    """
    if stated is not None:
        if corrected and not stated:
            raise UnclearError(
                "the names of the columns say that magnitudes are corrected for extinction, "
                "--extinction raw says that they are not: leave it out, or name other columns"
            )
        return stated, "you say so"
    if corrected:
        return True, "their names say so"
    if beside:
        return False, f"{', '.join(beside.values())} beside them"
    raise UnclearError(
        "nothing tells whether the magnitudes are corrected for Galactic extinction: say "
        "--extinction corrected or --extinction raw (make: EXTINCTION=raw)"
    )


def column_of(name: str, present: Iterable[str], corrected: bool) -> str | None:
    """Return the one column that is what a catalogue name says; None without one, or with several.

    `corrected` asks for magnitudes whose names say that they are corrected for extinction.
    """
    wanted = Magnitude.of(name)
    if wanted is None:
        in_sdss = SHIPPED[name].sdss if name in SHIPPED else None
        plain = {re.sub(r"^.*\.|[^a-z0-9]", "", word.lower()) for word in (name, in_sdss or name)}
        return called(plain, present)
    exact = [column for column in present if column == name]
    if exact and not (corrected and not wanted.is_error and wanted.kind != "extinction"):
        return exact[0]
    known = [column for column in present if _is(wanted, column, corrected)]
    if wanted.is_error and wanted.band == "z":
        # zErr is the error of a redshift too, where the other bands are written otherwise
        known = [c for c in known if not (zerr := ZERR.search(c)) or "u" + zerr[1] in present]
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
        # AR is a right ascension in some languages, and AZ an azimuth
        dust = ("extinction", "ext", "a")[: 3 if SHORT_DUST.search(column) else 2]
        return any(plain == f"{word}{end}" for word in dust for end in ends)
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
