"""Store verified answers on disk, so that their queries are never repeated.

There is one folder per server and release; for each query, it has the raw answer (zstd) and a
record with the query, its time and the answer's digest. The record is written last, so that an
answer without a record is ignored. Both are written atomically. Several users may share the folder:
unreadable and invalid files are ignored.
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
Count = Annotated[int, Field(ge=0, le=MOST_BYTES)]  # answers have no more bytes, let alone rows


@dataclass(frozen=True)
class Record:
    """Record of a stored answer, or of why its query has to be split (`too_much`).

    `sha256` and `size`, in bytes, are those of the answer as sent by the server; '' and 0 if none
    is stored. `asked` is the time of the query (UTC, ISO 8601), `seconds` the duration of the last
    attempt.
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
    """The answers of one archive, in a folder that is created by the first write."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, sql: str) -> bytes | None:
        """Return the stored answer to a query, checked against its digest, or None."""
        record = self.record(sql)
        if record is None or record.too_much:
            return None
        try:
            # incompressible data grow slightly
            packed = read_bounded(self._answer(sql), MOST_BYTES + (1 << 20))
            body = pa.decompress(packed, record.size, codec="zstd", asbytes=True)
        except (OSError, ValueError) as error:
            self._distrust(self._answer(sql), error)
            return None
        if sha256(body) != record.sha256:
            logger.warning("%s is damaged; repeating its query", self._answer(sql))
            return None
        return body

    def record(self, sql: str) -> Record | None:
        """Return the record of a query, or None."""
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
        logger.warning("%s is invalid (%s); repeating its query", path, reason)

    def put(self, record: Record, body: bytes | None = None) -> None:
        """Store a record with its answer, or alone for a query that has to be split.

        DownloadError if the folder can't be written or the disk is full; incomplete files are
        removed.
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
        """Delete the record of a query, so that it is repeated."""
        try:
            self._record(sql).unlink(missing_ok=True)
        except OSError as error:
            raise self.unwritable(error) from error

    def forget_too_much(self, sql: str) -> None:
        """Delete the record of a query that was split; answers are kept."""
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
