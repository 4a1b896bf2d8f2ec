"""Snakemake with jobs that only pretend to work, many runs in one process.

Each output of a job holds a digest of what was asked (rule, wildcards, parameters, code) and
of what stands in its inputs, so a result tells all that went into it. Jobs, their outputs and
records are handled by Snakemake's and the project's own code; only the scripts are not run.

``python -m tests.workflow.pretending`` reads lines of JSON, ``[FOLDER, ARGUMENTS]``, runs Snakemake
in each folder and answers each with a line ``{"status": ..., "jobs": {RULE: COUNT}, "text": ...}``.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import json
import os
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler

from sdssflow.provenance import records

ROOT = Path(__file__).parents[2]
DONE: Counter[str] = Counter()


def schedule(self) -> bool:
    """Take the place of Snakemake's: run the jobs one after the other, in the order of the DAG."""
    self.workflow.async_run(_run_all(self.workflow))
    return True


async def _run_all(workflow) -> None:
    for level in workflow.dag.toposorted():
        for job in level:
            if workflow.dag.needrun(job):
                DONE[job.rule.name] += 1
                await job.prepare()
                if job.output:
                    _pretend(job)
                await job.postprocess()


def _pretend(job) -> None:
    inputs = records.Inputs(job)
    asked = [job.rule.name, dict(job.wildcards.items()), dict(job.params.items())]
    read = [content.sha256 for content in inputs.contents.values()]
    digest = hashlib.sha256(json.dumps([asked, read], sort_keys=True).encode()).hexdigest()
    for output in job.output:
        if output != job.output.record:
            path = Path(output) / "content" if output.is_directory else Path(output)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{output} {digest}\n")
    for path in (*job.log, *([job.benchmark] if job.benchmark else [])):
        Path(path).write_text("")
    records.write_record(_AsScript(job), None, datetime.now(UTC), inputs)


class _AsScript:
    """A job as Snakemake hands it to a script."""

    def __init__(self, job) -> None:
        self._job, self.rule = job, job.rule.name

    def __getattr__(self, name: str):
        return getattr(self._job, name)


def run(folder: str, arguments: list[str]) -> dict:
    """Run Snakemake in a folder; return what came of it."""
    os.chdir(folder)
    DONE.clear()
    printed = io.StringIO()
    snakefile = ["--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--quiet", "rules"]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            main([*snakefile, *arguments])
            status = 0
        except SystemExit as end:
            status = end.code or 0
            if isinstance(status, str):  # Python prints it and ends with 1
                print(status)
                status = 1
    DONE.pop("all", None)
    gc.unfreeze()  # the Snakefile freezes what it has, to which the run before belongs now
    gc.collect()
    return {"status": status, "jobs": dict(DONE), "text": printed.getvalue()}


if __name__ == "__main__":
    JobScheduler.schedule = schedule
    for name in ("environment", "machine", "batch_system"):
        setattr(records, name, dict)
    answers = sys.stdout
    for line in sys.stdin:
        print(json.dumps(run(*json.loads(line))), file=answers, flush=True)
