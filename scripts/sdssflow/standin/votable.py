"""VOTables as TAP answers with them."""

from __future__ import annotations

from io import BytesIO
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
from astropy.io.votable import from_table
from astropy.io.votable.tree import Info
from astropy.table import MaskedColumn, Table

_ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">{message}</INFO></RESOURCE>
</VOTABLE>
"""


def write_votable(table: pa.Table, status: str, tabledata: bool = False) -> bytes:
    """Return a table as a VOTable.

    Parameters
    ----------
    table : pyarrow.Table
        The rows.
    status : str
        QUERY_STATUS: OK or OVERFLOW.
    tabledata : bool
        Whether the cells are written as text, else as BINARY2.
    """
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
    """Return a VOTable that holds an error and no table."""
    return _ERROR.format(message=escape(message)).encode()


def _column(name: str, values: pa.ChunkedArray) -> MaskedColumn:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        data = np.array(values.fill_null("").to_pylist(), dtype=str)
    else:
        data = values.fill_null(0).to_numpy()
    return MaskedColumn(data, name=name, mask=values.is_null().to_numpy())
