"""Recognise columns by the unambiguous names that SDSS and its users give them."""

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
    """Column names that are ambiguous; the message says what to specify."""


def columns_in(path: str, **stated: Any) -> list[str]:
    """Return the column names of a file in any format; `stated` holds further keys of its source.

    Requests a nonexistent column, since the error of every reader lists the existing ones.
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
    """Return the columns with ids and positions; ra and dec only together."""
    found = {name: column for name, words in IDS.items() if (column := called(words, present))}
    if ("ra" in found) != ("dec" in found):
        found = {name: column for name, column in found.items() if name not in ("ra", "dec")}
    return found


def dust(present: Iterable[str]) -> dict[str, str]:
    """Return the columns with extinctions."""
    names = (f"extinction_{band}" for band in BANDS)
    return {name: column for name in names if (column := column_of(name, present, False))}


def called(words: Iterable[str], present: Iterable[str]) -> str | None:
    """Return the only column with one of these names, ignoring case and punctuation, or None."""
    found = [c for c in present if re.sub(r"[^a-z0-9]", "", c.lower()) in words]
    return found[0] if len(found) == 1 else None


def extinction_state(
    corrected: bool, extinction: Mapping[str, str], stated: bool | None
) -> tuple[bool, str]:
    """Return whether magnitudes are corrected for extinction, and how that is known.

    `corrected` is what their names say, `extinction` the columns with extinctions, `stated` what
    the user says, if anything.
    """
    if stated is not None:
        if corrected and not stated:
            raise UnclearError(
                "the column names say that magnitudes are corrected for extinction, --extinction "
                "raw says that they are not: omit it, or name other columns"
            )
        return stated, "you say so"
    if corrected:
        return True, "their names say so"
    if extinction:
        return False, f"the file has {', '.join(extinction.values())}"
    raise UnclearError(
        "it is unknown whether the magnitudes are corrected for Galactic extinction: give "
        "--extinction corrected or --extinction raw (make: EXTINCTION=raw)"
    )


def column_of(name: str, present: Iterable[str], corrected: bool) -> str | None:
    """Return the only column recognised as a catalogue column; None if there are none or several.

    `corrected` selects magnitudes whose names say that they are corrected for extinction.
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
        # zErr is a redshift error unless the other bands are spelt like it
        known = [c for c in known if not (zerr := ZERR.search(c)) or "u" + zerr[1] in present]
    return known[0] if len(known) == 1 else None


def _is(wanted: Magnitude, column: str, corrected: bool) -> bool:
    """Return whether a column has a usual name of a magnitude, error or extinction."""
    found, band = Name.of(column), wanted.band
    if found.element not in (None, BANDS.index(band)):
        return False
    end = band if found.element is None else ""
    is_model = wanted.kind == "model"
    kinds = {wanted.kind, ""} if is_model else {wanted.kind}
    with_suffix = set()  # names that continue after the band
    if wanted.kind == "extinction":
        # AR is right ascension in some languages, AZ azimuth
        words = {"extinction", "ext"} | ({"a"} if SHORT_DUST.search(column) else set())
    elif wanted.is_error:
        words = {f"{kind}{word}" for kind in kinds for word in ("magerr", "err", "errmag")}
        words |= {"e"} if is_model else set()
        with_suffix = {f"{kind}{end}{word}" for kind in kinds for word in ("err", "magerr")}
        with_suffix |= {f"{kind}mag{end}err" for kind in kinds}
    elif corrected:
        if not is_dereddened(found):
            return False
        words = {f"{wanted.kind}mag{word}" for word in ("dered", "corr")}
        words |= {f"dered{wanted.kind}mag", f"dered{wanted.kind}"}
        words |= {"dered", "deredmag"} if is_model else set()
    else:
        words = {f"{kind}mag" for kind in kinds}
        words |= {""} if is_model and found.element is None else set()
    plain = re.sub(r"[^a-z0-9]", "", found.lower)
    return plain in {f"{word}{end}" for word in words} | with_suffix
