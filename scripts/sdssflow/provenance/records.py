"""The record of a job: inputs, outputs, code, environment and times.

One JSON file per job: ``results/provenance/X.json`` for ``logs/X.log``. Nothing of it goes into a
table, so tables stay equal between runs. It never names the machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import resource
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sdssflow.files import file_digest, write_json
from sdssflow.project import PROJECT
from sdssflow.provenance.lineage import (
    FOLDER_MARK,
    RECORDS,
    Content,
    LineageError,
    content_of,
    is_result,
    names_in,
    read_record,
    record_of,
    stamp_of,
    write_card,
)

RESOURCES = ("mem_mb", "runtime", "gpu")
FACTS: dict[str, Any] = {}
PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "snakemake", "torch")
LOCK = PROJECT / "requirements.lock"
SLURM = (
    "SLURM_JOB_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_JOB_PARTITION",
    "SLURM_CLUSTER_NAME",
)


def note(**facts: Any) -> None:
    """Add facts that only the program knows to the record of the running job.

    ``device`` replaces the device that is detected otherwise; all other facts, which have to be
    JSON, are stored under ``notes``.
    """
    FACTS.update(facts)


def record_path(log: str | Path) -> Path | None:
    """Return the path of the record for a log; None if the log is not in ``logs/``.

    >>> str(record_path("logs/score_pdfs/mgs/published.log"))
    'results/provenance/score_pdfs/mgs/published.json'
    """
    log = Path(log)
    if log.parts[0] != "logs" or log.suffix != ".log":
        return None
    return RECORDS / Path(*log.parts[1:]).with_suffix(".json")


def read_by(job: Any) -> list[str]:
    """Return the paths that a job reads: first the user's files, which are parameters."""
    return list(dict.fromkeys(map(str, [*job.params.get("source_files", ()), *job.input])))


class Inputs:
    """The inputs of a job at its start, to be compared with those at its end.

    The parameters `source_files` and `source_digests` of the job have the sources that it reads
    and, in the same order, their SHA-256 when the run began.

    LineageError if a result differs from the record of its job, or a source has changed.
    """

    def __init__(self, snakemake: Any) -> None:
        self.contents: dict[str, Content] = {}
        self.stamps: dict[str, str] = {}
        given = [snakemake.params.get(name, ()) for name in ("source_files", "source_digests")]
        expected = dict(zip(*given, strict=True))
        for path in read_by(snakemake):
            self.stamps[path] = stamp_of(path)
            self.contents[path] = content_of(path)
            _check_maker(path, self.contents[path])
            if expected.get(path, self.contents[path].sha256) != self.contents[path].sha256:
                raise LineageError(f"{path}: it has changed since this run began; run again")

    def check_unchanged(self) -> None:
        """Raise LineageError for an input that has changed; a touched result has not."""
        for path, stamp in self.stamps.items():
            if stamp_of(path) != stamp and not (
                is_result(path) and content_of(path) == self.contents[path]
            ):
                raise LineageError(
                    f"{path}: it changed while it was read; nothing was kept, run again"
                )


def _check_maker(path: str, found: Content) -> None:
    """Refuse a result that was changed by hand."""
    maker = record_of(path)
    if maker is None:
        return
    made = read_record(maker)
    if made["outputs"][path]["sha256"] != found.sha256:
        raise LineageError(
            f"{path}: it has changed since {made['rule']} wrote it. "
            f"Make it again: snakemake --force {path}"
        )


def write_record(
    snakemake: Any, script: str | None, started: datetime, inputs: Inputs | None = None
) -> Path | None:
    """Write the record of a job that began at `started` (UTC) and has just succeeded.

    The record is written completely or not at all; a rule without a log in ``logs/`` has none.
    `inputs` are those at its start, read now if not given. Returns the path of the record.

    Raises
    ------
    LineageError
        If an input has changed.
    OSError
        If record or card can't be written. The job then counts as failed, because a result without
        a record can't be traced back.
    """
    path = record_path(snakemake.log[0]) if snakemake.log else None
    if path is None:
        return None
    inputs = inputs or Inputs(snakemake)
    inputs.check_unchanged()
    ended = datetime.now(UTC)
    record = {
        **_job(snakemake, script),
        "inputs": _contents(sorted(inputs.contents.items())),
        "environment": environment(),
        "device": FACTS.get("device") or device(),
        "machine": machine(),
        "batch_system": batch_system(),
        "notes": {key: value for key, value in FACTS.items() if key != "device"},
        "started": started.isoformat(timespec="milliseconds"),
        "ended": ended.isoformat(timespec="milliseconds"),
        "seconds": round((ended - started).total_seconds(), 3),
        **usage(),
    }
    made = sorted({str(output) for output in snakemake.output} - {str(path)})
    outputs = {name: write_card(name, str(path)) for name in made}
    folders = {name: names_in(name) for name in made if Path(name).is_dir()}
    write_json(path, {**record, "outputs": _contents(outputs.items()), "folders": folders})
    FACTS.clear()
    return path


def incomplete_folders(folders: Iterable[tuple[str, str]], prefix: str = "") -> Iterator[str]:
    """Yield output folders whose files are not those that their jobs wrote.

    Each is given with its record, whose paths lack the `prefix`. Snakemake considers an existing
    folder complete. The record is read only if a time stamp shows that a file was added or removed
    after the job.
    """
    for folder, record in folders:
        mark = Path(folder) / FOLDER_MARK
        try:
            done = mark.stat().st_mtime_ns
            changed = max(
                path.stat().st_mtime_ns for path in (Path(folder), *mark.parent.rglob("*/"))
            )
        except OSError:
            done, changed = 0, 1
        if changed <= done or not Path(folder).is_dir():
            continue
        if Path(record).is_file():
            known = read_record(record).get("folders", {})
            if known.get(folder.removeprefix(prefix)) != names_in(folder):
                yield folder


def check_still_asked_for(jobs: Iterable[Any]) -> None:
    """Check that the results of jobs that will not run are those that they would make now.

    Snakemake compares parameters, code and inputs too, unless it is told not to
    (``--rerun-triggers mtime``, ``--touch``) or its metadata are lost. LineageError names the
    results that differ, and says how to make them again.
    """
    outdated: dict[str, str] = {}
    for job in jobs:
        record = read_record(job.output.record)
        same = (
            record["parameters_sha256"] == digest_of(parameters_text(job.params))
            and record["code"]["modules"] == job.params.get("code")
            and record["inputs"].keys() == set(read_by(job))
        )
        if not same:
            outdated.setdefault(job.rule.name, str(job.output[0]))
    if outdated:
        raise LineageError(
            f"{', '.join(outdated.values())}: made with other parameters, code or inputs than this "
            "configuration has, so no report may include it. "
            f"Make it again: snakemake --forcerun {' '.join(outdated)}"
        )


def _job(snakemake: Any, script: str | None) -> dict[str, Any]:
    """Return rule, wildcards, parameters, code and resources of a job."""
    text = parameters_text(snakemake.params)
    resources = {
        name: snakemake.resources.get(name)
        for name in RESOURCES
        if snakemake.resources.get(name) is not None
    }
    return {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "parameters": json.loads(text),
        "parameters_sha256": digest_of(text),
        "code": {
            "modules": snakemake.params.get("code"),
            "script": Path(script).stem if script else None,
            "script_sha256": file_digest(script) if script and Path(script).is_file() else None,
        },
        "resources": {"threads": snakemake.threads, **resources},
        "log": snakemake.log[0],
    }


def parameters_text(params: Any) -> str:
    """Return the parameters of a job, except the code, as canonical JSON."""
    parameters = {name: value for name, value in params.items() if name != "code"}
    return json.dumps(parameters, sort_keys=True, default=str)


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _contents(contents: Iterable[tuple[str, Content]]) -> dict[str, dict[str, Any]]:
    return {name: content._asdict() for name, content in contents}


def environment() -> dict[str, Any]:
    """Return the versions of Python and the main packages, and the digest of the lock file."""
    return {
        "python": platform.python_version(),
        "lock_sha256": file_digest(LOCK) if LOCK.is_file() else None,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def device() -> str:
    """Return the GPU that this process has used, else ``cpu``, without importing torch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return str(torch.cuda.get_device_name())
    return "cpu"


def machine() -> dict[str, Any]:
    """Return the kind of machine, without naming it."""
    return {
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "logical_cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "operating_system": _operating_system(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def usage() -> dict[str, float]:
    """Return CPU seconds and peak memory of this process so far.

    Snakemake's benchmark samples a job at most twice a second and misses short jobs and short
    peaks, up to 40 % of the memory. The kernel misses nothing.
    """
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = spent[0].ru_maxrss * 1024
    try:  # in a forked process ru_maxrss includes the peak of its parent
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):
            peak = int(found[1]) * 1024
    except OSError:
        pass
    return {
        "cpu_seconds": round(sum(used.ru_utime + used.ru_stime for used in spent), 2),
        "peak_memory_mb": round(peak / 2**20),
    }


def batch_system() -> dict[str, str]:
    """Return the SLURM ids of the job and CUDA_VISIBLE_DEVICES, if set."""
    names = (*SLURM, "CUDA_VISIBLE_DEVICES")
    return {name: os.environ[name] for name in names if name in os.environ}
