"""Many runs of Snakemake in one process, which imports it once: half of a short run is that.

What one run has read or loaded serves the next: what Snakemake made of the rules, and the process
from which jobs are forked (`sdssflow.preload`), which takes longer to start than a short run.

Jobs run as they always do, or only pretend to: then each output of a job holds a digest of what was
asked (rule, wildcards, parameters, code) and of what stands in its inputs, so a result tells all
that went into it. Jobs, their outputs and records are handled by Snakemake's and the project's own
code; only the scripts are not run.

``python -m tests.workflow.snakemakes`` reads lines of JSON, ``[FOLDER, ARGUMENTS, ENVIRONMENT,
PRETEND]``, runs Snakemake in each folder and answers each with a line of JSON: ``status``,
``stdout``, ``stderr`` and ``jobs``, rule and first output of each job that a dry run would start
or that pretended.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]


class Server:
    """The process, asked for one run after the other."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.workflow.snakemakes"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.process.communicate)  # ends it, and waits for that

    def run(self, folder: Path, arguments: Sequence[str], pretend: bool = False) -> dict[str, Any]:
        """Run Snakemake in a folder; return what came of it."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTEST_CURRENT_TEST", None)  # else no two runs have the same
        request = json.dumps([str(folder), list(arguments), environment, pretend])
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@cache
def server() -> Server:
    """Return the one server of this session; it ends with it."""
    return Server()


def main() -> None:
    """Answer requests until there are no more."""
    from snakemake import cli, workflow
    from snakemake.jobs import get_script_mtime
    from snakemake.scheduling.job_scheduler import JobScheduler

    from sdssflow import preload

    schedule, started, pretend = JobScheduler.schedule, [], False

    def schedule_here(self) -> bool:
        if not (pretend or self.workflow.dryrun):
            return schedule(self)
        dag = self.workflow.dag
        jobs = [job for level in dag.toposorted() for job in level if dag.needrun(job)]
        named = [job for job in jobs if job.rule.name != "all"]
        started.extend((job.rule.name, str(job.output[0] if job.output else "")) for job in named)
        if not self.workflow.dryrun:
            self.workflow.async_run(_pretend_all(jobs))
        return True

    JobScheduler.schedule = schedule_here
    workflow.parse = _once_per_text(workflow.parse)
    preload.Preload = _lasting(preload.Preload)
    answers = os.fdopen(os.dup(1), "w")
    for number, line in enumerate(sys.stdin):
        folder, arguments, environment, pretend = json.loads(line)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        if not Path("Snakefile").exists():
            arguments = ["--snakefile", str(ROOT / "Snakefile"), *arguments]
        started.clear()
        with _captured() as texts:
            status = _status(lambda arguments=arguments: cli.main(arguments))
        answer = {"status": status, "jobs": started} | texts
        print(json.dumps(answer), file=answers, flush=True)
        get_script_mtime.cache_clear()
        if number % 8 == 7:
            gc.unfreeze()  # the Snakefile freezes what it has, to which the run before belongs now
            gc.collect()


def _once_per_text(parse):
    """Make Snakemake's parser remember what it made of a file of rules."""
    known: dict[tuple, tuple] = {}

    def parse_once(path, workflow, linemap, rulecount):
        name = path.get_path_or_uri(secret_free=True)
        key = name, Path(name).read_text(), rulecount
        if key not in known:
            lines: dict[int, int] = {}
            known[key] = *parse(path, workflow, linemap=lines, rulecount=rulecount), lines
        code, rulecount, lines = known[key]
        linemap.update(lines)
        return code, rulecount

    return parse_once


def _lasting(start):
    """Keep the first server that forks jobs for all runs: jobs of other environments refuse it."""
    python, kept = sys.executable, []

    def lasting(scripts, memory):
        if kept:
            sys.executable = kept[1]
        elif (made := start(scripts, memory)).folder:
            kept.extend([made, sys.executable])
        return SimpleNamespace(end=lambda: setattr(sys, "executable", python))

    return lasting


def _status(call) -> int:
    """Return the exit status of a program; a reason is printed as Python would."""
    try:
        call()
    except SystemExit as end:
        if say := getattr(end, "say", None):
            say()  # now, not as this process ends
        if isinstance(end.code, int | None):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def _captured():
    """Catch what this process and its children print; it is there after the block."""
    texts = {}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            yield texts
        finally:
            for stream, file, number, old in (
                (sys.stdout, out, 1, kept[0]), (sys.stderr, err, 2, kept[1]),
            ):  # fmt: skip
                stream.flush()
                os.dup2(old, number)
                os.close(old)
                file.seek(0)
                texts[f"std{'out' if number == 1 else 'err'}"] = file.read().decode()


async def _pretend_all(jobs) -> None:
    for job in jobs:
        await job.prepare()
        if job.output:
            _pretend(job)
        await job.postprocess()


def _pretend(job) -> None:
    from sdssflow.provenance import records

    for name in ("environment", "machine", "batch_system"):
        setattr(records, name, dict)
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


if __name__ == "__main__":
    main()
