"""The record of a job: what went in, what came out, by which code, where and when.

One JSON file per job, beside the results: ``logs/X.log`` -> ``results/provenance/X.json``. Nothing
of it goes into a table, so tables stay equal between runs. It never names the machine.
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
    """Have the record of the running job state something that only its program knows.

    ``device`` takes the place of the device that is found without asking; all else that JSON can
    hold is kept under ``notes``.
    """
    FACTS.update(facts)


def record_path(log: str | Path) -> Path | None:
    """Return the path of the record beside a log; None if the log is not in ``logs/``.

    >>> str(record_path("logs/score_pdfs/mgs/published.log"))
    'results/provenance/score_pdfs/mgs/published.json'
    """
    log = Path(log)
    if log.parts[0] != "logs" or log.suffix != ".log":
        return None
    return RECORDS / Path(*log.parts[1:]).with_suffix(".json")


def read_by(job: Any) -> list[str]:
    """Return the paths that a job reads: files of the user first, which are parameters."""
    return list(dict.fromkeys(map(str, [*job.params.get("source_files", ()), *job.input])))


class Inputs:
    """What a job is about to read; compared with what it finds there when it is done.

    The parameters `source_files` and, in their order, `source_digests` of the job say which sources
    it reads and their SHA-256 when the run began.

    LineageError if a result is not what the job that made it recorded, or a source not what was
    expected.
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
                raise LineageError(f"{path}: it was changed since this run began; run again")

    def check_unchanged(self) -> None:
        """Raise LineageError for an input that was changed since; a touched result is none."""
        for path, stamp in self.stamps.items():
            if stamp_of(path) != stamp and not (
                is_result(path) and content_of(path) == self.contents[path]
            ):
                raise LineageError(
                    f"{path}: it was changed while it was read; nothing was kept, run again"
                )


def _check_maker(path: str, found: Content) -> None:
    """Refuse a result that was changed by hand, before anything is made of it."""
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

    Whole or not at all; a rule without a log in ``logs/`` has none. `inputs` are those that were
    seen when it began, read now if not given. Returns the path of the record.

    Raises
    ------
    LineageError
        If an input was changed meanwhile.
    OSError
        If record or card can't be written. The job then counts as failed: a result without a
        record could not be followed back.
    """
    path = record_path(snakemake.log[0]) if snakemake.log else None
    if path is None:
        return None
    inputs = inputs or Inputs(snakemake)
    inputs.check_unchanged()
    ended = datetime.now(UTC)
    record = {
        **_question(snakemake, script),
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
    """Yield output folders in which other files lie than their jobs have written.

    Each is given with its record; `prefix` stands before the names in there. Snakemake takes a
    folder that is there for whole. Only where a folder says by its time stamp that a name came or
    went since its job was done is the record looked at.
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
    """Check that results that are there were made as the workflow would make them now.

    Their jobs will not run. Snakemake compares parameters, code and inputs too, unless it was told
    not to (``--rerun-triggers mtime``, ``--touch``) or has lost its memory. Raises LineageError
    with the results that were made otherwise, and how to make them again.
    """
    other: dict[str, str] = {}
    for job in jobs:
        record = read_record(job.output.record)
        same = (
            record["parameters_sha256"] == digest_of(parameters_text(job.params))
            and record["code"]["modules"] == job.params.get("code")
            and record["inputs"].keys() == set(read_by(job))
        )
        if not same:
            other.setdefault(job.rule.name, str(job.output[0]))
    if other:
        raise LineageError(
            f"{', '.join(other.values())}: made with other parameters, code or inputs than this "
            "configuration asks for, so no report may state it. "
            f"Make it again: snakemake --forcerun {' '.join(other)}"
        )


def _question(snakemake: Any, script: str | None) -> dict[str, Any]:
    """Return what Snakemake asked of the job."""
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
    """Return the parameters of a job, but the code, as canonical JSON."""
    parameters = {name: value for name, value in params.items() if name != "code"}
    return json.dumps(parameters, sort_keys=True, default=str)


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _contents(contents: Iterable[tuple[str, Content]]) -> dict[str, dict[str, Any]]:
    return {name: content._asdict() for name, content in contents}


def environment() -> dict[str, Any]:
    """Return the version of Python, of the packages that decide, and the digest of the lock."""
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
    """Return the GPU that this process has used, else ``cpu``; imports nothing."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return str(torch.cuda.get_device_name())
    return "cpu"


def machine() -> dict[str, Any]:
    """Return the kind of machine: two of a kind give the same, and none is named."""
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

    Snakemake's benchmark looks at a job twice a second at most: short jobs and short peaks escape
    it, up to 40 % of the memory. The kernel misses nothing.
    """
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = spent[0].ru_maxrss * 1024
    try:  # a process that was forked counts its parent's peak there
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
    """Return the ids that SLURM gave the job and the GPUs that it may see, as far as set."""
    names = (*SLURM, "CUDA_VISIBLE_DEVICES")
    return {name: os.environ[name] for name in names if name in os.environ}
