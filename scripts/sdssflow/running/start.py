"""Start a run on a cluster where an earlier one may have been killed.

    python -m sdssflow.running.start [--orphans adopt|cancel] [arguments of snakemake]

1. A run that lives in this folder: an error, nothing is touched.
2. Jobs that a killed run left in the queue: the running ones are waited for (`adopt`) or
   cancelled (`cancel`); those that have not begun are cancelled.
3. The lock of the killed run is removed, then this process becomes `snakemake`.
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
    """Leave `folder` without a run, a job in the queue or a lock; `mode` is 'adopt' or 'cancel'.

    Raises StartError if a run lives here, or may live on another host.
    """
    locked, last = runs.locked(folder), runs.last_run(folder)
    if locked and (last is None or last.alive() is not False):
        who = f"process {last.pid} on {last.host}" if last else "a run that left no record"
        raise StartError(
            f"{folder} is locked by {who}. If that run is dead: snakemake --unlock, then start "
            "again. If it lives: let it end, or interrupt it (Ctrl-C there)."
        )
    if runs.available() and (left := runs.jobs_of(folder)):
        say = {"adopt": "waiting for those that run", "cancel": "cancelling them"}[mode]
        print(f"Jobs of an earlier run: {', '.join(map(str, left))}; {say}.", flush=True)
        {"adopt": runs.adopt_orphans, "cancel": runs.cancel_orphans}[mode](folder)
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
