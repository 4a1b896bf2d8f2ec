"""Verified answers on disk: what was proven whole is never asked again.

One folder per server and release; in it, for each query, the raw answer (zstd) and a record of
what it answers, when it was asked and its digest. The record is written last, so an answer without
record is none. Both are written beside their place and renamed. Several users may share the folder:
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
    """What is known of a stored answer.

    Attributes
    ----------
    sql : str
        The query. SQL and server together name the answer.
    sha256 : str
        Of the answer as the server sent it; '' if the query is only known to ask for too much.
    rows, size : int
        Rows and bytes of it.
    asked : str
        When, UTC, ISO 8601, by this machine's clock.
    seconds : float
        How long it took, the last attempt alone.
    attempts : int
        How often it was asked.
    too_much : str
        Why the query has to be split; '' for an answer.
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
    """The answers of one archive.

    Parameters
    ----------
    folder : path-like
        Made when something is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, sql: str) -> tuple[bytes, Record] | None:
        """Return the stored answer to a query, checked against its digest, or None.

        An answer that is damaged counts as none: it is asked again.
        """
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
        if hashlib.sha256(body).hexdigest() != record.sha256:
            logger.warning("%s is damaged; it is asked again", self._answer(sql))
            return None
        return body, record

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

    def put(self, body: bytes, record: Record) -> None:
        """Keep a verified answer.

        Raises
        ------
        DownloadError
            If the folder can't be written or the disk is full; nothing half-written stays.
        """
        try:
            packed = pa.Codec("zstd", ZSTD_LEVEL).compress(body, asbytes=True)
            with replacing(self._answer(record.sql), shared=True) as path:
                path.write_bytes(packed)
            write_json(self._record(record.sql), asdict(record), shared=True)
        except OSError as error:
            raise self.unwritable(error) from error

    def put_too_much(self, record: Record) -> None:
        """Remember that a query has to be split, so that a later run doesn't try it again."""
        try:
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
        return self.folder / f"{self._key(sql)}.csv.zst"

    def _record(self, sql: str) -> Path:
        return self.folder / f"{self._key(sql)}.json"

    @staticmethod
    def _key(sql: str) -> str:
        return hashlib.sha256(sql.encode()).hexdigest()[:24]


def sha256(body: bytes) -> str:
    """Return the SHA-256 of an answer as 64 hexadecimal digits."""
    return hashlib.sha256(body).hexdigest()
