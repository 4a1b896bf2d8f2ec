"""What each rule's log holds: time-stamped lines, library versions and, on failure, the traceback.

Scripts end with ``run(main, snakemake)``; nothing else in the project touches logging handlers. A
job that has succeeded leaves its record (`sdssflow.provenance.records`).
"""

from __future__ import annotations

import errno
import logging
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from sdssflow.provenance.records import Inputs, write_record
from sdssflow.writers import sole_writer

logger = logging.getLogger("sdssflow")
UNWRITABLE = {
    errno.ENOSPC: "The disk is full: make room, then run again; what is finished is kept.",
    errno.EDQUOT: "Your quota is used up: make room, then run again; what is finished is kept.",
    errno.EACCES: "Let yourself write there, or run in another folder (snakemake --directory).",
    errno.EROFS: "Run in a folder that can be written (snakemake --directory).",
}
Item = TypeVar("Item")


def run(main: Callable[[Any], None], snakemake: Any) -> None:
    """Run a rule's `main` with log file, thread limit and traceback in place; record the job.

    Parameters
    ----------
    main : callable
        Takes the `snakemake` object.
    snakemake : snakemake.script.Snakemake
        What Snakemake hands to a script.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if snakemake.log:
        handlers.append(logging.FileHandler(snakemake.log[0], mode="w", encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=handlers,
        force=True,
    )
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    started, begun = time.monotonic(), datetime.now(UTC)
    logger.info("%s %s", snakemake.rule, dict(snakemake.wildcards.items()))
    try:
        random.seed(0)  # a library that draws from the global generator must not draw the clock
        with sole_writer(snakemake.output), threadpool_limits(limits=snakemake.threads):
            inputs = Inputs(snakemake)
            main(snakemake)
            finished = time.monotonic()
            record = write_record(snakemake, main.__globals__.get("__file__"), begun, inputs)
    except OSError as error:
        logger.exception("rule %s failed", snakemake.rule)
        if error.errno in UNWRITABLE:
            logger.error("%s. %s", error, UNWRITABLE[error.errno])
        raise
    except BaseException:
        logger.exception("rule %s failed", snakemake.rule)
        raise
    logger.info("recorded in %.3f s: %s", time.monotonic() - finished, record)
    logger.info("done in %.2f s", time.monotonic() - started)


def progress(
    items: Iterable[Item], total: int, label: str, every_seconds: float = 10.0
) -> Iterator[Item]:
    """Yield `items` while telling how far we are.

    On a terminal a tqdm bar; elsewhere (a log, a cluster job) one line each `every_seconds`.
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
