"""Verified answers on disk: what was proven whole is never asked again.

One folder per server and release; in it, for each query, the raw answer (zstd) and a record of
what it answers, when it was asked and its digest. The record is written last, so an answer without
record is none. Both are written under another name and renamed. Several users may share the folder:
a file that can't be read, or is not what we would write, counts as none.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import Field, TypeAdapter

from sdssflow.acquire.download.errors import DownloadError, one_line
from sdssflow.acquire.download.transport import MOST_BYTES
from sdssflow.files import read_bounded, replacing, write_json

logger = logging.getLogger("sdssflow")
ZSTD_LEVEL = 1
MOST_RECORD_BYTES = 1 << 20
Count = Annotated[int, Field(ge=0, le=MOST_BYTES)]  # no answer has more bytes, let alone rows


@dataclass(frozen=True)
class Record:
    """What is known of a stored answer, or why its query has to be split (`too_much`).

    `sha256` is of the answer as the server sent it, '' if it is not stored; `size` its bytes;
    `asked` the time (UTC, ISO 8601) by this machine's clock; `seconds` that of the last attempt.
    """

    __pydantic_config__ = {"extra": "forbid", "strict": True}

    sql: str
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    rows: Count
    size: Count
    asked: str
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    attempts: Annotated[int, Field(ge=0)]
    too_much: str = ""


RECORD = TypeAdapter(Record)


class Store:
    """The answers of one archive, in a folder that is made when something is written."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, sql: str) -> bytes | None:
        """Return the stored answer to a query, checked against its digest, or None."""
        record = self.record(sql)
        if record is None or record.too_much:
            return None
        try:
            # what does not compress grows a little
            packed = read_bounded(self._answer(sql), MOST_BYTES + (1 << 20))
            body = pa.decompress(packed, record.size, codec="zstd", asbytes=True)
        except (OSError, ValueError) as error:
            self._distrust(self._answer(sql), error)
            return None
        if sha256(body) != record.sha256:
            logger.warning("%s is damaged; it is asked again", self._answer(sql))
            return None
        return body

    def record(self, sql: str) -> Record | None:
        """Return what is known of a query; None if nothing is."""
        try:
            record = RECORD.validate_json(read_bounded(self._record(sql), MOST_RECORD_BYTES))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._distrust(self._record(sql), error)
            return None
        return record if record.sql == sql else None

    def _distrust(self, path: Path, error: Exception) -> None:
        reason = one_line(error, 200)
        logger.warning("%s is no record of ours (%s); it is asked again", path, reason)

    def put(self, record: Record, body: bytes | None = None) -> None:
        """Keep a verified answer, or without one that a query has to be split in later runs too.

        A folder that can't be written or a full disk is a `DownloadError`; nothing half-written
        stays.
        """
        try:
            if body is not None:
                packed = pa.Codec("zstd", ZSTD_LEVEL).compress(body, asbytes=True)
                with replacing(self._answer(record.sql), shared=True) as path:
                    path.write_bytes(packed)
            write_json(self._record(record.sql), asdict(record), shared=True)
        except OSError as error:
            raise self.unwritable(error) from error

    def forget(self, sql: str) -> None:
        """Let the next run, or the next attempt, ask a query again."""
        try:
            self._record(sql).unlink(missing_ok=True)
        except OSError as error:
            raise self.unwritable(error) from error

    def forget_too_much(self, sql: str) -> None:
        """Let a query that was split be tried whole again; an answer is kept."""
        record = self.record(sql)
        if record and record.too_much:
            self.forget(sql)

    def unwritable(self, error: OSError) -> DownloadError:
        """Return the error for a folder that can't be written."""
        return DownloadError(
            f"{self.folder} can't be written: {error.strerror or error}",
            "Free some space or set downloads.store to another folder, then run again; what is "
            "complete is kept.",
        )

    def _answer(self, sql: str) -> Path:
        return self.folder / f"{sha256(sql.encode())[:24]}.csv.zst"

    def _record(self, sql: str) -> Path:
        return self.folder / f"{sha256(sql.encode())[:24]}.json"


def sha256(body: bytes) -> str:
    """Return a SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(body).hexdigest()
