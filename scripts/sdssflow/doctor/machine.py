"""GPUs of this machine, file systems that a run writes to, and locks left by earlier runs."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, ask, listed
from sdssflow.doctor.profiles import Demand
from sdssflow.running.runs import QueueError, available, jobs_of, last_run

SECONDS = 300.0  # torch from a network folder, on a busy machine
_TORCH = """
import json, torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({"version": torch.__version__, "built_for": torch.version.cuda, "seen": names}))
"""
LITTLE, TOO_LITTLE = 5e9, 1e9  # bytes; a run of three small samples writes 0.01 GB
FEW_INODES = 10_000
NETWORKED = ("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "glusterfs",
             "fuse.glusterfs", "fuse.sshfs", "panfs", "orangefs", "afs", "wekafs")  # fmt: skip
LATENCY = 30
_LOCKING = """
import fcntl, sys
with open(sys.argv[1]) as stream:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit()
sys.exit("two processes hold an exclusive lock of one file")
"""
NAMES = {"snakemake", "sdssflow.running.snakemake"}  # on the command line of Snakemake
UNLOCK = "then snakemake --unlock"


@dataclass(frozen=True)
class Devices:
    """GPUs as seen by torch and by the driver."""

    version: str = ""  # of torch
    built_for: str | None = None  # its CUDA version; None for a CPU-only build
    seen: Sequence[str] = ()  # names according to torch
    driver: Sequence[str] = ()  # names according to nvidia-smi, which ignores CUDA_VISIBLE_DEVICES
    visible: str | None = None  # CUDA_VISIBLE_DEVICES, if set
    trouble: str = ""  # why torch could not be queried


def find_devices(python: str = sys.executable) -> Devices:
    """Query torch, in a separate process, because a broken driver may hang it, and nvidia-smi."""
    smi = ask(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    names = [line.strip() for line in smi.out.splitlines() if line.strip()]
    driver, visible = names if smi.good else [], os.environ.get("CUDA_VISIBLE_DEVICES")
    answer = ask([python, "-c", _TORCH], SECONDS)
    found = json.loads(answer.out.splitlines()[-1]) if answer.good else {"trouble": answer.trouble}
    return Devices(driver=driver, visible=visible, **found)


def check_gpus(devices: Devices, asking: Sequence[Demand], executor: str) -> Finding:
    """Check that this machine has the GPUs that rules request; compute nodes are left to SLURM."""
    if devices.trouble:
        found = f"torch can't be queried: {devices.trouble}"
        advice = "if torch is installed, run nvidia-smi: a driver may be broken"
        return Finding("gpu", FAULT, found, advice)
    found, here = _description(devices), len(devices.seen)
    rules = listed(list(dict.fromkeys(demand.rule for demand in asking)))
    if executor != "local":
        note = f"; {rules} use those of compute nodes" if asking else ""
        return Finding("gpu", OK, f"here: {found}{note}")
    most = max((demand.gpu for demand in asking), default=0)
    if most > here:
        if all(demand.without_gpu == "cpu" for demand in asking):
            return Finding("gpu", OK, f"{found}; {rules} run on the CPU, as the profile allows")
        found += f"; with this profile {rules} request {most}"
        otherwise = "--workflow-profile profiles/default, which trains on the CPU"
        return Finding("gpu", FAULT, found, _remedy(devices, otherwise))
    if devices.driver and not here:
        return Finding("gpu", WARNING, found, _remedy(devices, "ignore this: none is requested"))
    if here and not asking:
        found += "; not used with this profile"
        return Finding("gpu", OK, found, "profiles/gpu trains on it")
    return Finding("gpu", OK, found)


def _description(devices: Devices) -> str:
    built = f"CUDA {devices.built_for}" if devices.built_for else "CPU only"
    seen = listed(devices.seen) if devices.seen else "no GPU"
    text = f"torch {devices.version.split('+')[0]} (built for {built}) sees {seen}"
    if devices.driver != devices.seen:
        text += f"; nvidia-smi: {listed(devices.driver) if devices.driver else 'none'}"
    if devices.visible is not None:
        text += f"; CUDA_VISIBLE_DEVICES={devices.visible!r}"
    return text


def _remedy(devices: Devices, otherwise: str) -> str:
    """Return how to make torch see a GPU that the driver has."""
    if not devices.driver:
        return otherwise
    if not devices.built_for:
        return f"install a build of torch for CUDA, or {otherwise}"
    if devices.visible is not None and len(devices.seen) < len(devices.driver):
        return f"unset CUDA_VISIBLE_DEVICES, or {otherwise}"
    return f"update the driver to one for CUDA {devices.built_for}, or {otherwise}"


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest existing one above it."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def check_room(check: str, folder: Path) -> Finding:
    """Check free bytes and inodes on the file system of a folder, which need not exist yet."""
    status = os.statvfs(existing(folder))
    free = status.f_bavail * status.f_frsize
    inodes = status.f_favail if status.f_files else float("inf")  # not all file systems count them
    found = f"{folder}: {free / 1e9:.1f} GB free"
    if inodes < 10 * FEW_INODES:
        found += f", {inodes} files"
    if free < TOO_LITTLE or inodes < FEW_INODES / 10:
        advice = "free some space, or run elsewhere (snakemake --directory)"
        return Finding(check, FAULT, found, advice)
    if free < LITTLE or inodes < FEW_INODES:
        return Finding(check, WARNING, found, "enough for a default run, not for a large sample")
    return Finding(check, OK, found)


def check_temporary_folder() -> Finding:
    """Check the space for temporary files; Python silently ignores a TMPDIR that does not exist."""
    folder = Path(os.environ.get("TMPDIR") or tempfile.gettempdir())
    if folder.is_dir():
        return check_room("temporary disk", folder)
    found = f"TMPDIR={folder} is not a folder"
    return Finding("temporary disk", FAULT, found, "create it, or unset TMPDIR")


def file_system_type(folder: Path) -> str:
    """Return the type of the file system of a folder, which need not exist yet."""
    place = existing(folder).resolve()
    found, longest = "unknown", -1
    for mount in psutil.disk_partitions(all=True):  # of two at one place the later one is visible
        point = Path(mount.mountpoint)
        if place.is_relative_to(point) and len(point.parts) >= longest:
            found, longest = mount.fstype, len(point.parts)
    return found


def check_file_system(kind: str, latency: int, executor: str) -> Finding:
    """Check that Snakemake waits long enough for a network file system that other nodes write."""
    check, local = "file system", executor == "local"
    if kind not in NETWORKED:
        return Finding(check, OK, kind + ("" if local else "; compute nodes must see it too"))
    found = f"{kind}, over a network; latency-wait is {latency} s"
    if not local and latency < LATENCY:
        found += ": outputs of other nodes may appear later than that"
        advice = f"write `latency-wait: {LATENCY}` or more in the profile"
        return Finding(check, WARNING, found, advice)
    return Finding(check, OK, found)


def check_writing(folders: Iterable[Path]) -> Finding:
    """Write and remove a file in each folder, or where it will be created."""
    wrong, shown = [], []
    for folder in folders:
        inside = folder.is_relative_to(Path.cwd())
        shown.append(str(folder.relative_to(Path.cwd()) if inside else folder))
        try:
            with tempfile.NamedTemporaryFile(dir=existing(folder), prefix=".doctor.") as stream:
                stream.write(b"written and removed")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            wrong.append(f"{folder}: {error.strerror}")
    if wrong:
        advice = "get write permission, or run in another folder (snakemake --directory)"
        return Finding("writing", FAULT, listed(wrong), advice)
    return Finding("writing", OK, f"{listed(shown)} can be written")


def check_flock(folder: Path) -> Finding:
    """Check that one process sees the lock of another on a file in `folder`.

    Every output is written under a lock (`sdssflow.files`). Some file systems enforce locks only
    between processes, so the check uses two.
    """
    check = "file locks"
    try:
        with tempfile.NamedTemporaryFile(dir=existing(folder), prefix=".doctor.") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            answer = ask([sys.executable, "-S", "-c", _LOCKING, stream.name])
    except OSError as error:
        found = f"no lock on a file in {folder}: {error.strerror}"
        advice = (
            "run on a file system with flock (snakemake --directory); on Lustre, mount with flock"
        )
        return Finding(check, FAULT, found, advice)
    if not answer.good:
        found, advice = f"{folder}: {answer.trouble}", "start one run at a time in this folder"
        return Finding(check, WARNING, found, advice)
    return Finding(check, OK, "flock works")


@dataclass(frozen=True)
class Runs:
    """Snakemake processes of this machine."""

    here: tuple[int, ...] = ()  # ids of those that work in this folder
    orphans: tuple[int, ...] = ()  # ids of jobs in this folder whose run was killed
    unknown: int = 0  # number of those of other users, whose folder can't be seen


def snakemake_runs(folder: Path) -> Runs:
    """Find the Snakemake processes that work in `folder`, and jobs that outlived theirs."""
    here: list[int] = []
    jobs: list[int] = []
    unknown = 0
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        command, place = process.info["cmdline"] or [], process.info["cwd"]
        program = [Path(word).name for word in command[:6]] or [""]
        is_job = any("/.snakemake/scripts/" in word for word in command[:6])
        is_run = program[0].startswith(("python", "snakemake")) and NAMES & {*program}
        if not is_job and (not is_run or "--mode" in command):  # --mode: it runs a single job
            continue
        if not place:
            unknown += not is_job
        elif Path(place) == folder.resolve():
            (jobs if is_job else here).append(process.info["pid"])
    return Runs(tuple(sorted(here)), () if here else tuple(sorted(jobs)), unknown)


def check_locks(folder: Path, runs: Runs, now: float | None = None) -> Finding:
    """Check whether the working directory is locked, and whether the run that locked it lives."""
    locks = sorted((folder / ".snakemake/locks").glob("*.lock"))
    if not locks:
        return Finding("locks", OK, "none")
    oldest = min(locks, key=lambda path: path.stat().st_mtime)
    found = f"locked by {_owner(oldest)} {_age((now or time.time()) - oldest.stat().st_mtime)} ago"
    if runs.here:
        found += f"; that run is alive: process {listed(list(map(str, runs.here)))}"
        advice = "wait for it, or stop it with Ctrl-C; never unlock during a run"
        return Finding("locks", WARNING, found, advice)
    return Finding("locks", FAULT, *_left_behind(folder, runs, found))


def _left_behind(folder: Path, runs: Runs, found: str) -> tuple[str, str]:
    """Return what is known of a lock without a live run, and what to do."""
    if runs.orphans:
        ids = [str(number) for number in runs.orphans]
        return (
            f"{found}; its run was killed, but its jobs still write: process {listed(ids)}",
            f"wait for them, or kill {' '.join(ids)}; {UNLOCK}",
        )
    run = last_run(folder)
    if run is not None and run.alive() is None:
        return (
            f"{found}; the last run began on {run.host} (process {run.pid}), which can't be seen "
            "from here",
            "check there whether it is alive; if not, make cluster there adopts or cancels its "
            f"jobs, {UNLOCK}",
        )
    found += "; no Snakemake of this machine runs in this folder"
    if runs.unknown:
        found += f" ({runs.unknown} of other users in unknown folders)"
    try:
        left = jobs_of(folder) if available() else []
    except QueueError as error:
        found += f"; whether SLURM still has jobs of it is unknown ({error})"
        left = []
    if left:
        by_hand = " ".join(job.jobid for job in left)
        return (
            f"{found}; SLURM still has its jobs {listed([str(job) for job in left])}",
            f"make cluster adopts or cancels them (by hand: scancel {by_hand}), {UNLOCK}",
        )
    return (
        found,
        "if no run is alive on another machine either, make cluster adopts or cancels the jobs "
        f"that a killed run left on a cluster; {UNLOCK}",
    )


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"user number {path.stat().st_uid}"


def _age(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"


def check_incomplete(folder: Path, runs: Runs, rerun_incomplete: bool) -> Finding:
    """Check for outputs of jobs that never finished, which Snakemake marks.

    It refuses to start unless the profile lets it make them again.
    """
    check = "incomplete outputs"
    marks = (folder / ".snakemake/incomplete").rglob("*")
    count = sum(path.is_file() and path.name != "migration_underway" for path in marks)
    if not count:
        return Finding(check, OK, "none")
    if runs.here:
        return Finding(check, OK, f"{count}; a run is making them")
    if rerun_incomplete:
        return Finding(check, OK, f"{count}; the next run makes them again")
    found = f"{count}; Snakemake lists those that exist and stops"
    return Finding(check, WARNING, found, "write `rerun-incomplete: true` in the profile")
