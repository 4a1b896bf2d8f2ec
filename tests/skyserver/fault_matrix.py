"""Every fault of the switchboard in every phase of a download: what becomes of it.

    PYTHONPATH=scripts python -m tests.skyserver.fault_matrix

prints the matrix. `healed`: the same run ended with the catalogue of an undisturbed one, byte by
byte. `refused`: the run stopped with a message and left no catalogue, and the next one, without the
fault, ended with that catalogue. `counted`: a value that SDSS itself writes (a sentinel) stands in
the table of defects. `LOST` would be a wrong catalogue: none is allowed. For each fault two cases:
it strikes once, and it never stops.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from sdssflow.acquire.download.errors import DownloadError
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.sources import SkyServerSource
from skyserver_standin.server import SkyServer
from skyserver_standin.sky.simulation import simulate_sky
from tests.acquire.download.walk import download
from tests.skyserver.clocks import OWN
from tests.skyserver.faults import FAULTS, PHASES, Switchboard

ALWAYS = None
# by the tests' own clock, so that a fault that never stops takes no time
NETWORK = Downloads(
    pause_s=0, wait_s=1.0, timeout_s=60.0, deadline_s=600.0, attempts=3, give_up_s=3600.0
)


class Case(NamedTuple):
    """A fault, the phase in which it strikes and how often (None: always)."""

    fault: str
    phase: str
    times: int | None


CASES = [
    Case(fault.name, phase, times)
    for fault in FAULTS.values()
    for phase in fault.phases
    for times in (1, ALWAYS)
]


def outcome(
    case: Case,
    url: str,
    board: Switchboard,
    folder: Path,
    clean: dict[str, bytes],
    asked: SkyServerSource | None = None,
) -> tuple[str, str]:
    """Run a download with a fault and, if it was refused, one without; return verdict and error.

    By default the sample of `tests.acquire.download.walk` is asked for.
    """
    folder.mkdir(exist_ok=True)
    board.clear()
    board.log.clear()
    board.order(case.fault, match=PHASES[case.phase], times=case.times)
    try:
        found = download(url, folder, asked, network=NETWORK)
    except DownloadError as error:
        board.clear()
        if (folder / "catalogue.parquet").exists():
            return "LOST", str(error)
        again = download(url, folder, asked, network=NETWORK)
        return ("refused" if again == clean else "LOST"), str(error)
    finally:
        board.clear()
    if not board.log:
        return "LOST", "the fault did not strike"
    if found == clean:
        return "healed", ""
    sentinels = found["defects.csv"].count(b"sentinel") > clean["defects.csv"].count(b"sentinel")
    more = found["defects.csv"] != clean["defects.csv"]
    return ("counted" if FAULTS[case.fault].valid and (sentinels or more) else "LOST"), ""


def main() -> int:
    """Print the matrix; the exit status is 1 if anything was lost."""
    board, verdicts, messages = Switchboard(OWN), {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_sky(folder / "sky", objects=2000, seed=3)
        with SkyServer(folder / "sky", middleware=board) as server:
            (folder / "clean").mkdir()
            clean = download(server.url, folder / "clean")
            for number, case in enumerate(CASES):
                verdicts[case], messages[case] = outcome(
                    case, server.url, board, folder / str(number), clean
                )
    columns = [(phase, times) for phase in PHASES for times in (1, ALWAYS)]
    titles = [f"{phase}, {'once' if times else 'always'}" for phase, times in columns]
    print("| fault | " + " | ".join(titles) + " | message of the last refusal |")
    print("|---" * (len(columns) + 2) + "|")
    for fault in FAULTS.values():
        cases = [Case(fault.name, *column) for column in columns]
        told = [messages[case] for case in cases if messages.get(case)]
        cells = [verdicts.get(case, "") for case in cases]
        print(f"| {fault.name}: {fault.description} | {' | '.join(cells)} | {told[-1:] or ''} |")
    counts = {verdict: list(verdicts.values()).count(verdict) for verdict in set(verdicts.values())}
    print(f"\n{len(FAULTS)} faults, {len(CASES)} cases: {counts}")
    return int("LOST" in counts)


if __name__ == "__main__":
    sys.exit(main())
