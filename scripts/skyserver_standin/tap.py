"""A minimal TAP 1.1 service over the same tables, like that of a mirror.

Two tables: ``sdss_dr17.specobj``, spectra (if any) joined with their photometry, and
``sdss_dr17.photoobj``, photometry alone. Names are in lower case. VOTable has no unsigned integers,
so ids of 2^63 and above (plates from 8192) are missing; `z` is the magnitude and `zsp` the
redshift. Only synchronous queries, answered in BINARY2, as the client of this project uses them.
"""

from __future__ import annotations

from io import BytesIO
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
from astropy.io.votable import from_table
from astropy.io.votable.tree import Info
from astropy.table import MaskedColumn, Table

from skyserver_standin.database import ADQL, BANDS, Catalog, Database, SqlError
from skyserver_standin.loopback import Answer, Request, error_page
from skyserver_standin.translation import translate

DEFAULT_MAXREC = 20_000
VOTABLE = "application/x-votable+xml"
_SPECTRUM = (
    *("bestObjID", "plate", "mjd", "fiberID", "run2d", "class", "subClass", "zWarning"),
    *("sciencePrimary", "survey", "programname", "legacy_target1", "boss_target1", "ra", "dec"),
)
_RENAMED = {"specObjID::BIGINT": "specobjid", "z": "zsp", "zErr": "zsp_err"}
_PHOTOMETRY = (
    *("objID", "run", "rerun", "camcol", "field", "obj", "mode", "type", "clean"),
    *("petroRad_r", "petroR50_r"),
    *(f"{stem}{band}" for stem in ("", "err_", "psfMag_", "psfMagErr_") for band in BANDS),
    *(f"{stem}{band}" for stem in ("petroMag_", "petroMagErr_", "extinction_") for band in BANDS),
)

_ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">{message}</INFO></RESOURCE>
</VOTABLE>
"""


class TapService:
    """Answers requests below ``/tap``, with at most `row_limit` rows whatever MAXREC is."""

    def __init__(self, database: Database, row_limit: int, timeout: float) -> None:
        self.database = database
        self.row_limit = row_limit
        self.timeout = timeout
        photometry = [f'p."{name}" AS {name.lower()}' for name in _PHOTOMETRY]
        query = f"SELECT {', '.join(photometry)} FROM dbo.PhotoObjAll p"
        tables = [database.add_view(ADQL.schema, "photoobj", query)]
        if database.has_spectra:
            columns = [f"s.{name} AS {new}" for name, new in _RENAMED.items()]
            columns += [f's."{name}" AS {name.lower()}' for name in _SPECTRUM]
            query = (
                f"SELECT {', '.join([*columns, *photometry])} FROM dbo.SpecObjAll s "
                f"JOIN dbo.PhotoObjAll p ON p.objID = s.bestObjID WHERE s.specObjID < {2**63}"
            )
            tables.append(database.add_view(ADQL.schema, "specobj", query))
        self.catalog = Catalog(tables, ADQL)

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.path != "/tap/sync":
            return error_page(404, "404", "404 - no such resource.")
        try:
            return self._query(request.parameters)
        except SqlError as error:
            return Answer(400, VOTABLE, error_votable(str(error)))

    def _query(self, parameters: dict[str, str]) -> Answer:
        if not parameters.get("lang", "").upper().startswith("ADQL"):
            raise SqlError("LANG has to be ADQL.")

        maxrec = parameters.get("maxrec", str(DEFAULT_MAXREC))
        if not (maxrec.isascii() and maxrec.isdigit()):
            raise SqlError(f"MAXREC has to be a number, not '{maxrec}'.")
        most = min(int(maxrec), self.row_limit)
        translation = translate(parameters.get("query", ""), self.catalog)
        asked = translation.limit
        # one more row than may be sent shows whether the result was truncated
        limit = most + 1 if asked is None or asked > most else asked
        with self.database.cursor() as cursor:
            table = self.database.run(translation.limited(limit), cursor, self.timeout)
        overflow = table.num_rows > most
        rows = table.slice(0, most).rename_columns(translation.names)
        return Answer(200, VOTABLE, write_votable(rows, "OVERFLOW" if overflow else "OK"))


def write_votable(table: pa.Table, status: str, tabledata: bool = False) -> bytes:
    """Return a table as a VOTable, in text or in BINARY2, with a QUERY_STATUS (OK or OVERFLOW)."""
    columns = [_column(name, table.column(name)) for name in table.column_names]
    document = from_table(Table(columns, copy=False))
    document.version = "1.4"
    resource = document.resources[0]
    resource.type = "results"
    resource.infos.append(Info(name="QUERY_STATUS", value=status))
    stream = BytesIO()
    document.to_xml(stream, tabledata_format="tabledata" if tabledata else "binary2")
    return stream.getvalue()


def error_votable(message: str) -> bytes:
    """Return a VOTable with an error and no table."""
    return _ERROR.format(message=escape(message)).encode()


def _column(name: str, values: pa.ChunkedArray) -> MaskedColumn:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        data = np.array(values.fill_null("").to_pylist(), dtype=str)
    else:
        data = values.fill_null(0).to_numpy()
    return MaskedColumn(data, name=name, mask=values.is_null().to_numpy())
