"""The archive that a sample's definition names: SkyServer, a mirror, a stand-in on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.client_skyserver import SkyServer
from sdssflow.acquire.download.client_tap import TapLanguage, TapServer
from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.store import Store
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource, TapSource
from sdssflow.files import file_digest

SCRIPTS = Path(__file__).parents[3]
SKY_TABLES = ("specobj.parquet", "photoobj.parquet")


class OpenArchive(NamedTuple):
    """An archive that can be asked, and its name: the same in each run, so no port in it."""

    archive: Archive
    name: str


@contextmanager
def open_archive(
    source: SkyServerSource | TapSource, network: Downloads, sky: str | Path | None = None
) -> Iterator[OpenArchive]:
    """Open the archive of a sample for the time of the block.

    Parameters
    ----------
    source : SkyServerSource or TapSource
        The sample's source.
    network : Downloads
        How it is asked.
    sky : path-like, optional
        Folder of the simulated sky, if the source has one: the stand-in serves it meanwhile.

    Raises
    ------
    DownloadError
        If the store can't be written or the stand-in does not start.
    """
    if isinstance(source, TapSource):
        yield _opened(source, source.url, _name(source.url), network)
        return
    if source.simulated is None:
        yield _opened(source, source.server, _name(source.server), network)
        return
    if sky is None:
        raise DownloadError(
            "a simulated source needs its sky", "Let the workflow run simulate_sky first."
        )
    digests = "".join(file_digest(Path(sky) / table) for table in SKY_TABLES)
    name = f"simulated sky {digests[:6]}{digests[64:70]}"
    with loopback(sky) as url:
        # nobody else asks our own stand-in: no need to spare it
        yield _opened(source, url, name, network.model_copy(update={"pause_s": 0.0}))


def _name(url: str) -> str:
    return f"{urlsplit(url).netloc}{urlsplit(url).path}"


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
    """Serve a simulated sky on 127.0.0.1 for the time of the block.

    A process of its own, as a real server would be. It ends when its standard input closes: with
    the block, or with us, however we end.

    Yields
    ------
    str
        Its address.

    Raises
    ------
    DownloadError
        If it does not start.
    """
    command = [sys.executable, "-m", "skyserver_standin.server", "--sky", str(sky)]
    paths = [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [*command, "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
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
