"""Estimate the cost of downloads without contacting a server."""

from __future__ import annotations

import math

import pandas as pd

from sdssflow.acquire.download.plan import BYTES_PER_ROW
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource, TapSource

CSV_BYTES_PER_COLUMN = 9  # of an answer, measured on simulated rows: docs/skyserver.md
TRANSFER_BYTES_PER_S = 2e6  # assumed
QUERIES_OF_PLAN = 3
QUERIES_OF_CHUNK = 2  # plates and total
QUERIES_OF_PIECE = 2  # count and rows


def estimate(sources: dict[str, SkyServerSource | TapSource], network: Downloads) -> pd.DataFrame:
    """Estimate rows, queries, time and disk of downloads, from sources by name of the sample.

    Returns
    -------
    pandas.DataFrame
        ``sample, rows, according_to, queries, waiting_min, transfer_min, disk_gb``; unknown numbers
        are missing. `waiting_min` is the minimum duration of the pauses, `transfer_min` that of the
        transfer at 2 MB/s; the time that the server takes to answer comes on top.
    """
    return pd.DataFrame(
        [{"sample": name, **_row(source, network)} for name, source in sources.items()]
    )


def _row(source: SkyServerSource | TapSource, network: Downloads) -> dict[str, object]:
    if source.expected is None:
        return {"rows": None, "according_to": "not known: the plan counts them"}
    rows = min(source.expected.rows, source.limit or source.expected.rows)
    pieces = max(source.chunks, math.ceil(rows / source.rows_per_query))
    sent = rows * len({*source.columns, *source.declared}) * CSV_BYTES_PER_COLUMN
    queries = QUERIES_OF_PLAN + QUERIES_OF_CHUNK * source.chunks + QUERIES_OF_PIECE * pieces
    return {
        "rows": rows,
        "according_to": source.expected.according_to,
        "queries": queries,
        "waiting_min": round(queries * network.pause_s / 60, 1),
        "transfer_min": round(sent / TRANSFER_BYTES_PER_S / 60, 1),
        "disk_gb": round(rows * BYTES_PER_ROW / 1e9, 2),
    }
