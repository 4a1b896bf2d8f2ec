"""The plan of a download: which ranges, and what the server says they hold."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.ranges import Range
from sdssflow.files import write_json

# stored answer, chunk and catalogue: 205 measured (docs/skyserver.md), and temporary files
BYTES_PER_ROW = 300


@dataclass(frozen=True)
class Plan:
    """What is to be downloaded.

    Attributes
    ----------
    archive : str
        Name of the server, the same in each run.
    release : int
        Data release.
    query : str
        The query of the whole sample.
    spectra : int
        Spectra that meet the conditions on spectra.
    rows : int
        Rows that meet all conditions and have photometry, counted by the server.
    limit : int or None
        How many of them the catalogue takes, the first ones.
    bounds : list of (int, int)
        Half-open ranges of the key, one for each chunk.
    chunk_spectra : list of int
        Spectra in each.
    key : str
        Column of the catalogue by whose ranges the archive is asked.
    """

    archive: str
    release: int
    query: str
    spectra: int
    rows: int
    limit: int | None
    bounds: list[tuple[int, int]]
    chunk_spectra: list[int]
    key: str = "specobjid"

    def within(self, chunk: int) -> Range:
        """Return the range of a chunk."""
        return Range(*self.bounds[chunk])

    def write(self, path: str | Path) -> None:
        """Write as JSON; ids as text, since other readers of JSON take them for floats."""
        content = asdict(self)
        content["bounds"] = [[str(low), str(high)] for low, high in self.bounds]
        write_json(path, content)

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read what `write` wrote."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        content["bounds"] = [(int(low), int(high)) for low, high in content["bounds"]]
        return cls(**content)


def check_space(folder: str | Path, rows: int) -> None:
    """Refuse to begin a download that can't fit on the disk.

    Raises
    ------
    DownloadError
        If there is less space than `BYTES_PER_ROW` for each row.
    """
    folder = Path(folder)
    while not folder.exists():
        folder = folder.parent
    need, free = rows * BYTES_PER_ROW, shutil.disk_usage(folder).free
    if need > free:
        raise DownloadError(
            f"{rows:,} rows need about {need / 1e6:,.0f} MB, "
            f"{folder} has {free / 1e6:,.0f} MB left",
            "Free some space, set downloads.store to another disk, or set source.limit.",
        )
