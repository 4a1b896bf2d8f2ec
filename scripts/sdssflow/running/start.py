"""Start a run on a cluster where an earlier one may have been killed.

    python -m sdssflow.running.start [--orphans adopt|cancel] [arguments of snakemake]

1. If a run is alive in this folder, stop with an error and change nothing.
2. Of the jobs that a killed run left, wait for the running ones (`adopt`) or cancel them
   (`cancel`), and cancel the pending ones.
3. Remove the lock of the killed run, then become `snakemake`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from sdssflow import failures
from sdssflow.running import runs


class StartError(RuntimeError):
    """The run can't be started; the message says what to do."""


def settle(folder: Path, mode: str) -> None:
    """Clear `folder` of queued jobs and of a lock; `mode` is 'adopt' or 'cancel'.

    StartError if a run is alive here, or may be alive on another host.
    """
    locked, last = runs.locked(folder), runs.last_run(folder)
    if locked and (last is None or last.alive() is not False):
        owner = f"process {last.pid} on {last.host}" if last else "a run without a record"
        raise StartError(
            f"{folder} is locked by {owner}. If that run is dead: snakemake --unlock, then start "
            "again. If it is alive: let it end, or interrupt it (Ctrl-C there)."
        )
    if runs.available() and (left := runs.jobs_of(folder)):
        actions = {
            "adopt": ("waiting for those that run", runs.adopt_orphans),
            "cancel": ("cancelling them", runs.cancel_orphans),
        }
        words, settle_jobs = actions[mode]
        print(f"Jobs of an earlier run: {', '.join(map(str, left))}; {words}.", flush=True)
        settle_jobs(folder)
    if locked:
        print("Removing the lock of an earlier run that was killed.", flush=True)
        subprocess.run(
            [sys.executable, "-m", "snakemake", "--unlock", "--quiet", "all"],
            cwd=folder, check=True,
        )  # fmt: skip


def main(arguments: list[str]) -> None:
    """Settle the folder, then become Snakemake with the other arguments."""
    parser = argparse.ArgumentParser(prog="sdssflow.running.start", add_help=False)
    parser.add_argument("--orphans", choices=["adopt", "cancel"], default="adopt")
    parser.add_argument("--directory", "-d", type=Path, default=Path())
    known, rest = parser.parse_known_args(arguments)
    try:
        settle(known.directory, known.orphans)
    except (StartError, runs.QueueError) as error:
        raise SystemExit(f"Not started: {error}") from None
    except KeyboardInterrupt:
        failures.refuse("Interrupted: nothing was started.", failures.INTERRUPTED)
    if known.directory != Path():
        rest += ["--directory", str(known.directory)]
    os.execv(sys.executable, [sys.executable, "-m", "sdssflow.running.snakemake", *rest])


if __name__ == "__main__":
    main(sys.argv[1:])
