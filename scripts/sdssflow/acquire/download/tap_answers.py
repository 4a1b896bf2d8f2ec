"""A VOTable as it came, into a table with types that don't depend on what stands in it.

VOTable knows no unsigned integers: ids beyond 2^63 come as text, or as negative numbers of the same
bits. Both are read; an id that came through floating point is another one, and is refused. Before
astropy reads an answer, its elements are looked through: what the service says of the query, in
front of the rows or behind them, and whether it wants us to fetch the rows from somewhere else.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.parsers import expat

import numpy as np
import pyarrow as pa

from sdssflow.acquire.download.errors import (
    BUSY,
    TOO_SLOW,
    DownloadError,
    TooMuchError,
    TransientError,
    one_line,
)
from sdssflow.acquire.votable_nulls import TEXTS, masked, null_flags

FLOAT_EXACT = 1 << 53
MOST_TEXT = 1000  # letters of a text column of fixed width; the longest of SDSS has 64
OUR_ROWS_ONLY = "Ask the operators of the service; another mirror may answer in one piece."


def parse_votable(body: bytes, types: dict[str, pa.DataType], most_rows: int) -> pa.Table:
    """Read an answer of a TAP service.

    Parameters
    ----------
    body : bytes
        As the service sent it.
    types : dict of str to pyarrow.DataType
        Expected columns, in order, and their types. Case does not count.
    most_rows : int
        What was sent as MAXREC: an answer with as many rows may have been cut.

    Raises
    ------
    TransientError
        If it is no whole VOTable with these columns, or a value does not fit.
    TooMuchError
        If the service says OVERFLOW, or the answer is full.
    DownloadError
        If the service says that the query is wrong, sends ids as floating point, or tells us to
        fetch the rows from elsewhere.
    """
    from pyvo.dal import DALFormatError
    from pyvo.dal.tap import TAPResults

    said = look_through(body)
    check_said(said, most_rows)
    votable = document(body)
    try:
        table = TAPResults(votable).resultstable
    except DALFormatError as error:
        raise TransientError(f"a VOTable without its table ({one_line(error, 200)})") from error
    array, fields = table.array, table.fields
    found = [field.name.lower() for field in fields]
    if found != [name.lower() for name in types]:
        raise TransientError(
            f"the columns of the answer are {', '.join(found)}, expected {', '.join(types)}"
        )
    if said.rows not in (None, len(array)):
        raise TransientError(f"the answer says that it has {said.rows} rows, and has {len(array)}")
    if len(array) >= most_rows:
        raise TooMuchError(f"the answer is full: {most_rows:,} rows, as MAXREC allows")
    flags = None
    if b"BINARY2" in body and any(field.datatype in TEXTS for field in fields):
        flags = null_flags(io.BytesIO(body), list(votable.iter_tables()).index(table), fields)
        if flags is not None and len(flags) != len(array):
            raise TransientError("the null flags of its texts are not those of its rows")
    return pa.table(
        {
            name: _column(name, masked(table, place, flags), kind)
            for place, (name, kind) in enumerate(types.items())
        }
    )


class Said(NamedTuple):
    """What a VOTable says of itself.

    Attributes
    ----------
    statuses : list of (str, str)
        Value, in capitals, and text of every QUERY_STATUS, wherever it stands.
    rows : int or None
        How many rows its table has, if it says so.
    """

    statuses: list[tuple[str, str]]
    rows: int | None

    def error(self) -> str | None:
        """Return the text of the first ERROR."""
        return next((text or value for value, text in self.statuses if value == "ERROR"), None)


def look_through(body: bytes) -> Said:
    """Look through the elements of a VOTable, rows left aside, before anything acts on them.

    Raises
    ------
    TransientError
        If it is no whole XML.
    DownloadError
        If rows are to be fetched from another address, or a column has absurdly many values.
    """
    said = Said([], None)
    texts: list[str] = []
    parser = expat.ParserCreate()

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal said
        kind = tag.rpartition(":")[2]
        _check_element(kind, attributes)
        if kind == "INFO" and attributes.get("name", "").upper() == "QUERY_STATUS":
            said.statuses.append((attributes.get("value", "").strip().upper(), ""))
            texts.clear()
            parser.CharacterDataHandler = texts.append
        elif kind == "TABLE" and said.rows is None and attributes.get("nrows", "").isdecimal():
            said = said._replace(rows=int(attributes["nrows"][:20]))

    def end(tag: str) -> None:
        if tag.rpartition(":")[2] == "INFO" and parser.CharacterDataHandler:
            said.statuses[-1] = (said.statuses[-1][0], one_line("".join(texts)))
            parser.CharacterDataHandler = None

    def doctype(name: str, system: str, public: str, own: bool) -> None:
        if own:
            raise DownloadError("the answer declares XML entities of its own", OUR_ROWS_ONLY)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _no_votable(body, error) from error
    return said


def _check_element(kind: str, attributes: Mapping[str, str]) -> None:
    href = attributes.get("href", attributes.get("xlink:href")) if kind == "STREAM" else None
    if href is not None:
        raise DownloadError(
            f"the rows of the answer are to be fetched from {one_line(href, 200)!r}, which is not "
            "done: nothing says that they are those that were asked for",
            OUR_ROWS_ONLY,
        )
    size = attributes.get("arraysize", "") if kind == "FIELD" else ""
    if size and re.fullmatch(r"[0-9x ]+", size):
        many = math.prod(int(length[:9]) for length in size.split("x") if length.strip())
        if many > MOST_TEXT:
            name = one_line(attributes.get("name", "?"), 60)
            raise DownloadError(
                f"column {name} of the service has {one_line(size, 40)} values a row, more than "
                f"{MOST_TEXT:,}",
                "Map another column in source.columns.",
            )


def check_said(said: Said, most_rows: int) -> None:
    """Refuse an answer of which the service itself says that it is none, or not all.

    Raises
    ------
    TransientError, TooMuchError, DownloadError
        As what it says calls for.
    """
    if (text := said.error()) is not None:
        raise complaint(text)
    for value, text in said.statuses:
        if value == "OVERFLOW":
            more = f": {text}" if text else ""
            raise TooMuchError(f"the service cut its answer (OVERFLOW, MAXREC {most_rows:,}){more}")
        if value not in ("OK", ""):
            raise TransientError(f"the service says QUERY_STATUS {one_line(value, 40)}: {text}")
    if said.rows is not None and said.rows > most_rows:
        raise TransientError(
            f"the answer says that it has {said.rows:,} rows, more than MAXREC {most_rows:,} allows"
        )


def complaint(said: str) -> DownloadError:
    """Return the error for what a service says is wrong with a query."""
    if TOO_SLOW.search(said):
        return TooMuchError(said, slow=True)
    if BUSY.search(said):
        return TransientError(said)
    return refused(said)


def refused(reason: object) -> DownloadError:
    """Return the error for a query that the service does not take."""
    return DownloadError(
        f"the service refuses the query: {one_line(reason)}",
        "Correct source.table, source.columns or source.selection: names are those of the "
        "service's table. If it tells of a fault of its own, run again later.",
    )


def document(body: bytes) -> Any:
    """Parse a VOTable, or raise a TransientError that shows how it begins."""
    from astropy.io.votable import parse

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a VOTable that is not quite to the standard
            return parse(io.BytesIO(body))
    except Exception as error:  # expat, astropy and plain errors, whatever stood there
        raise _no_votable(body, error) from error


def _no_votable(body: bytes, error: Exception) -> TransientError:
    begin = body[:80].decode("utf-8", "replace")
    return TransientError(f"no whole VOTable ({one_line(error, 200)}); it begins with {begin!r}")


def _column(name: str, values: np.ma.MaskedArray, kind: pa.DataType) -> pa.Array:
    mask = np.ma.getmaskarray(values)
    data = np.ma.getdata(values)
    if data.ndim != 1:
        raise DownloadError(
            f"column {name} of the service holds several values a row",
            "Map another column in source.columns.",
        )
    try:
        if data.dtype.kind in "OSU":
            return _from_text(data, mask, kind)
        if pa.types.is_string(kind):
            raise TransientError(f"column {name} holds numbers, expected text")
        if data.dtype.kind == "f":
            return _from_floats(name, data, mask, kind)
        if kind == pa.uint64():
            return pa.array(data.astype(np.int64).view(np.uint64), mask=mask)
        return pa.array(data.astype(data.dtype.newbyteorder("=")), mask=mask).cast(kind)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise TransientError(f"column {name}: {str(error)[:200]}") from error


def _from_text(data: np.ndarray, mask: np.ndarray, kind: pa.DataType) -> pa.Array:
    words = [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in data]
    if pa.types.is_string(kind):
        words = [word.rstrip() for word in words]
        return pa.array(words, mask=mask)
    numbers = [word.strip() or None for word in words]
    signed = any(word and word.startswith("-") for word in numbers)
    text = pa.array(numbers, pa.string(), mask=mask)
    if kind == pa.uint64() and signed:
        # some below zero: the same 64 bits, read as signed
        whole = text.cast(pa.int64())
        mask = whole.is_null().to_numpy(zero_copy_only=False)
        return pa.array(whole.fill_null(0).to_numpy().view(np.uint64), mask=mask)
    return text.cast(kind)


def _from_floats(name: str, data: np.ndarray, mask: np.ndarray, kind: pa.DataType) -> pa.Array:
    data = data.astype(data.dtype.newbyteorder("="))
    mask = mask | np.isnan(data)
    if pa.types.is_floating(kind):
        return pa.array(data, mask=mask).cast(kind)
    known = data[~mask]
    if (np.abs(known) >= FLOAT_EXACT).any() or (known != np.floor(known)).any():
        raise DownloadError(
            f"the service sends {name} as floating point, which can't hold whole numbers of 64 "
            f"bits ({known[0]!r})",
            "Map a column with integers or text in source.columns.",
        )
    return pa.array(np.where(mask, 0, data).astype(np.int64), mask=mask).cast(kind)
