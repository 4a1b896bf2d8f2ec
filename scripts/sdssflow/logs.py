"""Run scripts with a log of time-stamped lines and, after a failure, traceback and reason.

Scripts end with ``run(main, snakemake)``; nothing else in the project changes logging handlers. A
successful job writes its record (`sdssflow.provenance.records`).

No output has two writers at a time: a job of a killed run, or one on a node that the scheduler gave
up, may still be running when its successor begins. A job therefore locks its outputs while it runs;
its successor waits. The kernel releases locks when a process dies and, on shared file systems (NFS
4, Lustre with -o flock), when a node dies.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import random
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from sdssflow.files import lock
from sdssflow.project import PROJECT
from sdssflow.provenance.prefixes import enter_prefix
from sdssflow.provenance.records import Inputs, write_record

logger = logging.getLogger("sdssflow")
UNWRITABLE = {
    errno.ENOSPC: "The disk is full: make room, then run again; what is finished is kept.",
    errno.EDQUOT: "Your quota is used up: make room, then run again; what is finished is kept.",
    errno.EACCES: "Make it writable, or run in another folder (snakemake --directory).",
    errno.EROFS: "Run in a writable folder (snakemake --directory).",
}
UNREADABLE = "Make it readable (chmod u+r)."
MORE_MEMORY = "Run fewer jobs at a time (--cores 1); on a cluster, give the rule more mem_mb."
MOST_CHARACTERS = 20_000  # of a reason, which is searched at the end of the log
OURS = (Path(__file__).resolve().parent, PROJECT / "scripts")
Item = TypeVar("Item")
WRITERS = Path(".snakemake/sdssflow_writers")
EVERY_SECONDS = 1.0


def run(main: Callable[[Any], None], snakemake: Any) -> None:
    """Run a rule's `main` on Snakemake's script object, with log file and thread limit.

    A successful job is recorded. If it fails, the log ends with the traceback and an entry with the
    reason; nothing is printed here, as the run ends with the reasons of all jobs
    (`sdssflow.failures`).
    """
    try:
        prefix = enter_prefix(snakemake)
        log = _start_logging(snakemake.log[0] if snakemake.log else None)
    except OSError as error:
        raise SystemExit(reason(error)) from None
    started, begun = time.monotonic(), datetime.now(UTC)
    logger.info("%s %s", snakemake.rule, dict(snakemake.wildcards.items()))
    try:
        random.seed(0)  # for libraries that use the global generator
        with sole_writer(snakemake.output), threadpool_limits(limits=snakemake.threads):
            inputs = Inputs(snakemake)
            main(snakemake)
            finished = time.monotonic()
            record = write_record(snakemake, main.__globals__.get("__file__"), begun, inputs)
    except BaseException as error:
        _fail(error, snakemake, log, prefix)
        raise
    logger.info("recorded in %.3f s: %s", time.monotonic() - finished, record)
    logger.info("done in %.2f s", time.monotonic() - started)


def reason(error: BaseException, inputs: Iterable[str] = ()) -> str:
    """Return why a job with these `inputs` failed: the error's own message if it is ours."""
    words = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted. The same command continues from here."
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        reads = error.errno == errno.EACCES and str(error.filename) in map(str, inputs)
        return f"{words}. {UNREADABLE if reads else UNWRITABLE[error.errno]}"
    if isinstance(error, MemoryError):
        return f"too little memory{': ' if words else ''}{words}. {MORE_MEMORY}"
    if words and _ours(error):
        return words
    said = f"{type(error).__name__}{': ' if words else ''}{words}"
    return f"{said}{_place(error)}. Unexpected: report it with the log, which has the traceback."


def _place(error: BaseException) -> str:
    """Return the innermost line of the library in an error's traceback, or ''."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        if path.is_relative_to(OURS[0]) and path != Path(__file__).resolve():
            return f" (sdssflow/{path.relative_to(OURS[0])}, line {frame.lineno})"
    return ""


def _ours(error: BaseException) -> bool:
    """Return whether class or `raise` statement of an error belong to this project."""
    if type(error).__module__.startswith("sdssflow."):
        return True
    frames = traceback.extract_tb(error.__traceback__)
    if not frames or not (frames[-1].line or "").startswith("raise "):
        return False
    path = Path(frames[-1].filename).resolve()
    here = any(path.is_relative_to(folder) for folder in OURS)
    return here or path.parent.parts[-2:] == (".snakemake", "scripts")


class _LogFile(logging.FileHandler):
    """A log file that records write errors instead of printing them."""

    complete = True

    def handleError(self, record: logging.LogRecord) -> None:
        self.complete = False

    def close(self) -> None:
        with contextlib.suppress(OSError):  # buffered entries can't be written either
            super().close()


def _start_logging(path: str | None) -> _LogFile | None:
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    log = None
    if path:
        log = _LogFile(path, mode="w", encoding="utf-8", errors="backslashreplace")
        handlers[0].addFilter(lambda record: not getattr(record, "only_log", False))
        handlers.append(log)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=handlers,
        force=True,
    )
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    return log


def _fail(error: BaseException, snakemake: Any, log: _LogFile | None, prefix: str) -> None:
    """Write traceback and reason to the log, and prevent Python from printing them."""
    why = reason(error, snakemake.input)[:MOST_CHARACTERS]
    if prefix:
        why += f"\nPaths are relative to {prefix}. For Snakemake, prepend {prefix} to results."
    extra = {"only_log": True}
    logger.error("rule %s failed", snakemake.rule, exc_info=error, extra=extra)
    logger.critical("%s", why, extra=extra)  # `failures` searches for it
    if log is None:
        return
    sys.excepthook = lambda *_: None
    if not log.complete:
        print(why, file=sys.stderr)


def progress(
    items: Iterable[Item], total: int, label: str, every_seconds: float = 10.0
) -> Iterator[Item]:
    """Yield `items` and report progress.

    On a terminal this is a tqdm bar; otherwise one log line every `every_seconds` seconds.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=label, leave=False)
        return
    started = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= every_seconds and done < total:
            last = now
            rest = (now - started) / done * (total - done)
            logger.info("%s: %d of %d, about %.0f s to go", label, done, total, rest)


@contextlib.contextmanager
def sole_writer(outputs: Iterable[str], folder: Path = WRITERS) -> Iterator[None]:
    """Lock the outputs of a job, waiting for other processes that hold the lock.

    All machines that run jobs of the workflow share the `folder` of the locks.
    """
    paths = sorted(map(str, outputs))
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:24]
    with (folder / f"{name}.lock").open("a") as stream:
        _wait(stream.fileno(), paths)
        yield


def _wait(handle: int, paths: list[str]) -> None:
    warned = False
    while True:
        try:
            lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not warned:
                logger.warning("waiting: another job is still writing %s", ", ".join(paths))
                warned = True
            time.sleep(EVERY_SECONDS)
