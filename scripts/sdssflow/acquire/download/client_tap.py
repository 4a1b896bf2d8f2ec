"""Query a TAP service through pyvo: one query, one complete answer, within a time limit.

pyvo sends the query; the bytes of the answer are stored unchanged, so that a verified answer can be
read again without a query. pyvo's own `run_sync` only warns of a truncated answer, sends no MAXREC
by default (services then truncate at their own limit, often 20,000) and has no time-out.

VOTable has no unsigned integers: ids beyond 2^63 are text, or negative integers with the same bits.
Both are read; ids in floating point have lost digits and are refused. Before astropy reads an
answer, its elements are scanned for the status of the query, before or after the rows, and for
references to rows stored elsewhere.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.parsers import expat

import numpy as np
import pyarrow as pa
import requests

from sdssflow.acquire.download.errors import (
    BUSY,
    TOO_SLOW,
    DownloadError,
    TooMuchError,
    TransientError,
    one_line,
)
from sdssflow.acquire.download.keys import PLATES
from sdssflow.acquire.download.sql import AdqlQueries
from sdssflow.acquire.download.transport import CLOCK, Clock, Server
from sdssflow.acquire.download.verify import Language
from sdssflow.acquire.schema import PLATE_SHIFT, columns_of
from sdssflow.acquire.units import check_unit, votable_unit
from sdssflow.acquire.votable_nulls import TEXTS, document, masked, null_flags
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import TapSource

# errors for which repeating the query is useless, whatever their HTTP status
OUR_MISTAKE = re.compile(
    r"does not exist|not found|unknown|undefined|no such|unresolved|syntax|parse|incorrect|invalid|"
    r"encountered|ambiguous|permission denied|not allowed|is not supported",
    re.IGNORECASE,
)
FLOAT_EXACT = 1 << 53
MOST_TEXT = 1000  # characters in a fixed-width text column; the longest of SDSS has 64
OUR_ROWS_ONLY = "Contact the operators of the service, or use another mirror."


class TapServer(Server):
    """A TAP service; `url` has no ``/sync``, `most_rows` is MAXREC."""

    def __init__(self, url: str, most_rows: int, network: Downloads, clock: Clock = CLOCK) -> None:
        from pyvo.dal import TAPService

        session = requests.Session()
        super().__init__(url, "source.url", session, network, clock)
        self._most_rows = most_rows
        self._service = TAPService(url, session=session)

    def send(self, query: str) -> requests.Response:
        """See `Server`."""
        job = self._service.create_query(query, maxrec=self._most_rows, responseformat="votable")
        return job.submit()

    def said(self, response: requests.Response) -> str | None:
        """See `Server`.

        TAP reports errors in a VOTable, with a status of 200, 400 or 500 depending on the service.
        """
        content, good = response.content, response.status_code == 200
        # an error after the rows of a good answer is found when they are read
        if _is_votable(content) and (not good or b"ERROR" in content[:4000]):
            try:
                return look_through(content).error()
            except DownloadError:
                return None  # the reader of the rows will raise it
        if good or _is_votable(content):
            return None
        text = re.sub(r"<[^>]*>", " ", content[:2000].decode("utf-8", "replace"))
        return one_line(text, 300) or None

    def mistake(self, response: requests.Response, said: str, message: str) -> DownloadError | None:
        """See `Server`."""
        code = response.status_code
        if code == 404 and not _is_votable(response.content):
            return DownloadError(
                f"{self.url}: HTTP 404, there is no TAP service",
                "Correct source.url: it does not include /sync.",
            )
        if said and (code in (200, 400) or OUR_MISTAKE.search(said)):
            return _refused(f"{said} ({self.url}, HTTP {code})")
        return None


def _is_votable(content: bytes) -> bool:
    return b"VOTABLE" in content[:1000]


class TapLanguage(Language):
    """A TAP service: ADQL and VOTable, unordered since signed keys would sort differently."""

    ordered = False

    def __init__(self, source: TapSource) -> None:
        self.queries = AdqlQueries(source)
        self.names = self.queries.names
        self.key = source.key
        self.key_name = source.columns[self.key]
        self.complete = (self.key,)
        by_plate = self.key == "specobjid" and "plate" in source.columns
        self.groups = PLATES if by_plate else None
        # other keys have no known structure
        self.narrow_shift = PLATE_SHIFT if self.key == "specobjid" else 10
        # larger ranges are not queried
        self.most_rows = source.rows_per_query + 1
        self.signed = source.signed_key
        self._source = source

    def read(self, body: bytes, types: dict[str, pa.DataType]) -> pa.Table:
        """See `Language`."""
        table = parse_votable(body, types, self.most_rows)
        if list(types) == self.queries.headers:
            self._check_units(table.schema)
        return table

    def _check_units(self, schema: pa.Schema) -> None:
        known = columns_of(self._source.declared)
        for name, field in zip(self.names, schema, strict=True):
            if name not in self._source.confirmed and field.metadata:
                stated = field.metadata[b"unit"].decode()
                advice = (
                    f"Map another column. If the unit is wrong, set source.confirmed: [{name}]."
                )
                check_unit(self._source.url, field.name, name, known[name], stated, advice)


def parse_votable(body: bytes, types: dict[str, pa.DataType], most_rows: int) -> pa.Table:
    """Parse an answer that has these columns in this order, ignoring case.

    `most_rows` was sent as MAXREC: an answer with as many rows may be truncated. Stated units are
    in the metadata of the table's fields, under ``unit``.

    Raises
    ------
    TransientError
        If it is not a complete VOTable with these columns, or a value does not fit.
    TooMuchError
        If the service says OVERFLOW, or the answer has MAXREC rows.
    DownloadError
        If the service refuses the query, sends ids as floating point, or refers to rows stored
        elsewhere.
    """
    from pyvo.dal import DALFormatError
    from pyvo.dal.tap import TAPResults

    said = look_through(body)
    _check_said(said, most_rows)
    votable = _document(body)
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
        raise TransientError(f"the answer states {said.rows} rows, but has {len(array)}")
    if len(array) >= most_rows:
        raise TooMuchError(f"the answer has {most_rows:,} rows, as many as MAXREC allows")
    flags = None
    if b"BINARY2" in body and any(field.datatype in TEXTS for field in fields):
        flags = null_flags(io.BytesIO(body), list(votable.iter_tables()).index(table), fields)
        if flags is not None and len(flags) != len(array):
            raise TransientError("the null flags of its texts don't match its rows")
    arrays = [
        _column(name, masked(table, place, flags), kind)
        for place, (name, kind) in enumerate(types.items())
    ]
    units = [{"unit": unit} if (unit := votable_unit(field)) else None for field in fields]
    described = zip(types.items(), units, strict=True)
    schema = pa.schema([pa.field(name, kind, metadata=unit) for (name, kind), unit in described])
    return pa.table(arrays, schema=schema)


class Said(NamedTuple):
    """The status of a VOTable."""

    statuses: list[tuple[str, str]]  # value, in upper case, and text of every QUERY_STATUS
    rows: int | None  # stated number of rows

    def error(self) -> str | None:
        """Return the text of the first ERROR."""
        return next((text or value for value, text in self.statuses if value == "ERROR"), None)


def look_through(body: bytes) -> Said:
    """Scan the elements of a VOTable, without its rows, before it is parsed.

    Incomplete XML, references to rows stored elsewhere and absurdly long columns are errors.
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

    def doctype(name: str, system: str | None, public: str | None, own: bool) -> None:
        if own:
            raise DownloadError("the answer declares XML entities", OUR_ROWS_ONLY)

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
            f"the answer refers to rows at {one_line(href, 200)!r}, which are not fetched: they "
            "could not be verified",
            OUR_ROWS_ONLY,
        )
    size = attributes.get("arraysize", "") if kind == "FIELD" else ""
    if size and re.fullmatch(r"[0-9x ]+", size):
        many = math.prod(int(length[:9]) for length in size.split("x") if length.strip())
        if many > MOST_TEXT:
            name = one_line(attributes.get("name", "?"), 60)
            raise DownloadError(
                f"column {name} of the service has {one_line(size, 40)} values per row, more than "
                f"{MOST_TEXT:,}",
                "Map another column in source.columns.",
            )


def _check_said(said: Said, most_rows: int) -> None:
    """Refuse an answer whose status is an error or truncation."""
    if (text := said.error()) is not None:
        if TOO_SLOW.search(text):
            raise TooMuchError(text, slow=True)
        raise TransientError(text) if BUSY.search(text) else _refused(text)
    for value, text in said.statuses:
        if value == "OVERFLOW":
            more = f": {text}" if text else ""
            raise TooMuchError(
                f"the service truncated its answer (OVERFLOW, MAXREC {most_rows:,}){more}"
            )
        if value not in ("OK", ""):
            raise TransientError(f"the service says QUERY_STATUS {one_line(value, 40)}: {text}")
    if said.rows is not None and said.rows > most_rows:
        raise TransientError(
            f"the answer states {said.rows:,} rows, more than MAXREC {most_rows:,} allows"
        )


def _refused(reason: object) -> DownloadError:
    return DownloadError(
        f"the service refuses the query: {one_line(reason)}",
        "Correct source.table, source.columns or source.selection: names are those of the "
        "service's table. If the service itself has a problem, run again later.",
    )


def _document(body: bytes) -> Any:
    try:
        return document(body)
    except Exception as error:  # expat, astropy and other errors
        raise _no_votable(body, error) from error


def _no_votable(body: bytes, error: Exception) -> TransientError:
    begin = body[:80].decode("utf-8", "replace")
    return TransientError(
        f"not a complete VOTable ({one_line(error, 200)}); it begins with {begin!r}"
    )


def _column(name: str, values: np.ma.MaskedArray, kind: pa.DataType) -> pa.Array:
    mask = np.ma.getmaskarray(values)
    data = np.ma.getdata(values)
    if data.ndim != 1:
        raise DownloadError(
            f"column {name} of the service holds several values per row",
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
        # negative ids: the same 64 bits as signed integers
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
            f"the service sends {name} as floating point, which can't hold 64-bit integers "
            f"({known[0]!r})",
            "Map a column with integers or text in source.columns.",
        )
    return pa.array(np.where(mask, 0, data).astype(np.int64), mask=mask).cast(kind)
