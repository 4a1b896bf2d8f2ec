"""A VOTable as it came, into a table with types that don't depend on what stands in it.

VOTable knows no unsigned integers: ids beyond 2^63 come as text, or as negative numbers of the same
bits. Both are read; an id that came through floating point is another one, and is refused.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
import pyarrow as pa

from sdssflow.acquire.download.errors import DownloadError, TooMuchError, TransientError

FLOAT_EXACT = 1 << 53


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
        If the service says that the query is wrong, or sends ids as floating point.
    """
    from pyvo.dal import DALFormatError, DALQueryError
    from pyvo.dal.tap import TAPResults

    try:
        results = TAPResults(document(body))
    except DALQueryError as error:
        raise refused(error.reason) from error
    except DALFormatError as error:
        raise TransientError(f"a VOTable without its table ({error})") from error
    if str(results.query_status).upper() == "OVERFLOW":
        raise TooMuchError(f"the service cut its answer (OVERFLOW, MAXREC {most_rows:,})")
    array, fields = results.resultstable.array, results.resultstable.fields
    found = [field.name.lower() for field in fields]
    if found != [name.lower() for name in types]:
        raise TransientError(
            f"the columns of the answer are {', '.join(found)}, expected {', '.join(types)}"
        )
    if len(array) >= most_rows:
        raise TooMuchError(f"the answer is full: {most_rows:,} rows, as MAXREC allows")
    columns = {}
    for place, (name, kind) in zip(array.dtype.names, types.items(), strict=True):
        columns[name] = _column(name, np.ma.asarray(array[place]), kind)
    return pa.table(columns)


def refused(reason: object) -> DownloadError:
    """Return the error for a query that the service does not take."""
    said = " ".join(str(reason).split())[:500]
    return DownloadError(
        f"the service refuses the query: {said}",
        "Correct source.table, source.columns or source.selection: names are those of the "
        "service's table.",
    )


def document(body: bytes) -> object:
    """Parse a VOTable, or raise a TransientError that shows how it begins."""
    from astropy.io.votable import parse

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a VOTable that is not quite to the standard
            return parse(io.BytesIO(body))
    except Exception as error:  # expat, astropy and plain errors, whatever stood there
        begin = body[:80].decode("utf-8", "replace")
        raise TransientError(
            f"no whole VOTable ({str(error)[:200]}); it begins with {begin!r}"
        ) from error


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
        return pa.array(whole.fill_null(0).to_numpy().view(np.uint64), mask=_nulls(whole))
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


def _nulls(column: pa.Array) -> np.ndarray:
    return column.is_null().to_numpy(zero_copy_only=False)
