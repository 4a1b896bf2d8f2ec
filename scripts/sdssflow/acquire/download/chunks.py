"""Open an archive, split a sample into chunks, and download one of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from sdssflow.acquire.column_names import contradiction
from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.client_skyserver import SkyServer
from sdssflow.acquire.download.client_tap import TapLanguage, TapServer
from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.plan import Plan, Range, split_groups
from sdssflow.acquire.download.store import Store
from sdssflow.acquire.schema import field
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource, TapSource
from sdssflow.files import file_digest
from sdssflow.project import LIBRARY
from sdssflow.tables import write_parquet_blocks

SKY_TABLES = {
    "spectra": ("specobj.parquet", "photoobj.parquet", "wise.parquet"),
    "photometry": ("photoobj.parquet", "wise.parquet"),
}


class OpenArchive(NamedTuple):
    """An open archive and its name, which is the same in each run and so contains no port."""

    archive: Archive
    name: str


@contextmanager
def open_archive(
    source: SkyServerSource | TapSource, network: Downloads, sky: str | Path | None = None
) -> Iterator[OpenArchive]:
    """Open the archive of a sample for the duration of the block.

    `sky` is the folder of the simulated sky, if the source has one, which is served by the
    stand-in. DownloadError if the store can't be written or the stand-in does not start.
    """
    if isinstance(source, TapSource) or source.simulated is None:
        url = source.url if isinstance(source, TapSource) else source.server
        yield _opened(source, url, f"{urlsplit(url).netloc}{urlsplit(url).path}", network)
        return
    if sky is None:
        raise DownloadError(
            "a simulated source needs its sky",
            "Let the workflow run simulate_sky, or simulate_photometry, first.",
        )
    digests = [file_digest(Path(sky) / table)[:6] for table in SKY_TABLES[source.rows]]
    name = f"simulated sky {''.join(digests)}"
    with loopback(sky) as url:
        # our own stand-in needs no pauses
        yield _opened(source, url, name, network.model_copy(update={"pause_s": 0.0}))


def _opened(
    source: SkyServerSource | TapSource, url: str, name: str, network: Downloads
) -> OpenArchive:
    folder = name.replace("/", "_").replace(":", "_").replace(" ", "_")
    store = Store(Path(network.store) / folder / f"dr{source.release}")
    try:
        if isinstance(source, TapSource):
            language = TapLanguage(source)
            ask = TapServer(url, language.most_rows, network).ask
            return OpenArchive(Archive(source, ask, network, store, language), name)
        ask = SkyServer(url, source.release, network).ask
        return OpenArchive(Archive(source, ask, network, store), name)
    except OSError as error:
        raise store.unwritable(error) from error


@contextmanager
def loopback(sky: str | Path) -> Iterator[str]:
    """Serve a simulated sky on 127.0.0.1 for the duration of the block, and yield its URL.

    The server is a separate process that ends when its standard input closes, with the block or
    with this process.
    """
    command = [sys.executable, "-m", "skyserver_standin.server", "--sky", str(sky)]
    paths = [str(LIBRARY), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [*command, "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert process.stdin and process.stdout, "pipes"
    try:
        url = process.stdout.readline().strip()
        if not url.startswith("http://127.0.0.1:"):
            raise DownloadError(
                "the stand-in for SkyServer did not start", f"Try: {' '.join(command)}"
            )
        yield url
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def make_plan(archive: Archive, source: SkyServerSource | TapSource, name: str) -> Plan:
    """Count a sample on the server, called `name`, and split it into chunks.

    DownloadError if a mapping contradicts its column names, no row meets the conditions, or the
    server can't be queried.
    """
    if isinstance(source, TapSource) and (doubt := contradiction(source)):
        raise DownloadError(*doubt)
    split = _split_by_group if archive.language.groups else _split_by_width
    ranges, members = split(archive, source)
    whole = Range(ranges[0].low, ranges[-1].high)
    rows = archive.count(whole).n
    if rows == 0:
        raise DownloadError(
            f"{name} has no row that meets all conditions "
            f"({sum(members):,} {_members(archive)} meet those on {_members(archive)})",
            "Loosen source.selection.",
        )
    return Plan(
        archive=name,
        release=source.release,
        query=archive.queries.rows(whole),
        spectra=sum(members),
        rows=rows,
        limit=source.limit,
        bounds=[(part.low, part.high) for part in ranges],
        chunk_spectra=members,
        key=archive.language.key,
    )


def _members(archive: Archive) -> str:
    groups = archive.language.groups
    return groups.members if groups else "rows"


def _split_by_group(
    archive: Archive, source: SkyServerSource | TapSource
) -> tuple[list[Range], list[int]]:
    group, members = archive.groups()
    groups, whole = archive.language.groups, archive.language.whole
    assert groups is not None, "the key has groups"
    if source.limit is not None:
        # find the number of groups with `limit` rows that meet all conditions
        number = int(np.searchsorted(np.cumsum(members), source.limit)) + 1
        while number < len(group):
            if archive.count(groups.keys(0, int(group[number - 1]))).n >= source.limit:
                break
            number *= 2
        if number < len(group):
            group, members = group[:number], members[:number]
            whole = groups.keys(0, int(group[-1]))
    ranges = split_groups(group, members, source.chunks, whole, groups.shift)
    within = [
        int(members[(group >= low >> groups.shift) & (group < high >> groups.shift)].sum())
        for low, high in ranges
    ]
    return ranges, within


def _split_by_width(
    archive: Archive, source: SkyServerSource | TapSource
) -> tuple[list[Range], list[int]]:
    """Split the key into ranges of equal width; ranges after `limit` rows are empty."""
    halves = [Range(0, 1 << 63), Range(1 << 63, 1 << 64)]  # where signed keys become negative
    ends = []
    for tally in map(archive.count, halves):
        ends += [end % (1 << 64) for end in (tally.lo, tally.hi) if end is not None]
    low, high = (min(ends), max(ends) + 1) if ends else (0, 1)
    step = -(-(high - low) // source.chunks)
    bounds = [0, *(low + step * chunk for chunk in range(1, source.chunks)), 1 << 64]
    ranges = [Range(*pair) for pair in pairwise(bounds)]
    rows: list[int] = []
    for chunk, within in enumerate(ranges):
        if source.limit is not None and sum(rows) >= source.limit:
            end = ranges[chunk - 1].high
            ranges[chunk], within = Range(end, end), Range(end, end)
        rows.append(archive.count(within).n)
    return ranges, rows


def download_chunk(archive: Archive, plan: Plan, chunk: int, path: str | Path) -> int:
    """Write the rows of a chunk of a plan to a Parquet file atomically; return their number.

    DownloadError if the server can't be queried, or has changed since the plan was made.
    """
    within = plan.within(chunk)
    members = archive.members(within)
    if members != plan.chunk_spectra[chunk]:
        raise DownloadError(
            f"chunk {chunk} had {plan.chunk_spectra[chunk]:,} {_members(archive)} when the plan "
            f"was made and has {members:,} now: the server has changed, or lost rows",
            "Make a new plan: snakemake --forcerun plan_chunks.",
        )
    about: dict[str, Any] = {
        "low": str(within.low),
        "high": str(within.high),
        "spectra_planned": plan.chunk_spectra[chunk],
        "spectra": members,
        "counted": 0,
    }

    def tables() -> Iterator[pa.Table]:
        for piece in archive.rows(within):
            about["counted"] += piece.tally.n
            yield piece.table

    schema = pa.schema([field(name, archive.known) for name in archive.names])
    write_parquet_blocks(tables(), schema, path, about)
    return about["counted"]
