"""The whole road of a download without Snakemake: plan, chunks, catalogue."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.assembly import assemble
from sdssflow.acquire.download.chunks import download_chunk, make_plan
from sdssflow.acquire.download.client_skyserver import SkyServer
from sdssflow.acquire.download.plan import Plan
from sdssflow.acquire.download.store import Store
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource, TapSource
from sdssflow.tables import write_csv
from tests.skyserver.clocks import OWN

# by the tests' own clock: waiting takes no time, and a busy machine none of the limits
NETWORK = Downloads(
    pause_s=0, wait_s=1.0, timeout_s=60.0, deadline_s=600.0, attempts=5, give_up_s=7200.0
)
# besides the ids; the stand-in takes most of its time to write columns
COLUMNS = ["ra", "dec", "model_mag_u", "model_mag_r", "spec_class", "zspec", "science_primary"]
SELECTION = [
    {"column": "science_primary", "any_of": [1]},
    {"column": "model_mag_r", "minimum": 10, "maximum": 25},
]


def source(**changes: Any) -> SkyServerSource:
    """Return a sample of most of the sky, in two chunks; `changes` as in YAML."""
    content = {"kind": "skyserver", "chunks": 2, "selection": SELECTION, "columns": COLUMNS}
    return SkyServerSource.model_validate_json(json.dumps(content | changes))


PHOTOMETRY = {
    "rows": "photometry",
    "columns": ["ra", "dec", "model_mag_u", "model_mag_r", "mode", "rerun"],
    "selection": [
        {"column": "mode", "any_of": [1]},
        {"column": "model_mag_r", "minimum": 10, "maximum": 25},
    ],
}
"""Changes that make `source` a sample of objects without spectra."""


def open_at(
    url: str, folder: Path, asked: SkyServerSource, network: Downloads = NETWORK
) -> Archive:
    """Return the archive at `url`, its answers kept in ``folder/store``."""
    server = SkyServer(url, asked.release, network, OWN)
    return Archive(asked, server.ask, network, Store(folder / "store"), clock=OWN)


def download(
    url: str, folder: Path, asked: SkyServerSource | None = None, network: Downloads = NETWORK
) -> dict[str, bytes]:
    """Walk from the query to the catalogue and return what was written, by name.

    Files that are there already are kept, as Snakemake keeps finished outputs; so a call after one
    that failed goes on where it stopped.
    """
    asked = asked or source()
    fetch(lambda: open_at(url, folder, asked, network), folder, asked)
    return written(folder)


def written(folder: Path) -> dict[str, bytes]:
    """Return the plan and the outputs of a finished download, by name."""
    names = ("plan.json", "catalogue.parquet", "completeness.csv", "defects.csv")
    return {name: (folder / name).read_bytes() for name in names}


def fetch(opened: Callable[[], Archive], folder: Path, asked: SkyServerSource | TapSource) -> None:
    """Walk from the plan to the catalogue, each job with an archive that `opened` opens."""
    plan_path = folder / "plan.json"
    if not plan_path.exists():
        make_plan(opened(), asked, "stand-in").write(plan_path)
    plan = Plan.read(plan_path)
    paths = [folder / f"{chunk:04d}.parquet" for chunk in range(asked.chunks)]
    for chunk, path in enumerate(paths):
        if not path.exists():
            download_chunk(opened(), plan, chunk, path)
    catalogue = folder / "catalogue.parquet"
    completeness, defects = assemble(plan, list(map(str, paths)), catalogue, "test", True)
    write_csv(completeness, folder / "completeness.csv")
    write_csv(defects, folder / "defects.csv")


def as_nobody(folder: Path, work: Callable[[], bool]) -> None:
    """Let a user without rights do some work in a folder that is below those of the test."""
    if os.geteuid() != 0:
        pytest.skip("needs a second user")
    for path in list(folder.parents)[:3]:
        path.chmod(0o755)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            status = 0 if work() else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
