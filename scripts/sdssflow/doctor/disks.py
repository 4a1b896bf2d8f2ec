"""Space, rights and locks of the file systems that a run writes to."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psutil

from sdssflow.doctor.commands import ask
from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, listed

LITTLE = 5e9
"""Bytes. A run of three small samples leaves 0.01 GB behind; docs/skyserver.md has downloads."""
TOO_LITTLE = 1e9
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


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def temporary_folder() -> Path:
    """Return where jobs put temporary files: TMPDIR even if it is not there, else /tmp."""
    return Path(os.environ.get("TMPDIR") or tempfile.gettempdir())


def check_room(check: str, folder: Path) -> Finding:
    """Check for free bytes and free inodes on the file system of a folder that may come to be."""
    status = os.statvfs(existing(folder))
    free = status.f_bavail * status.f_frsize
    inodes = status.f_favail if status.f_files else float("inf")  # some don't count them
    found = f"{folder}: {free / 1e9:.1f} GB free"
    if inodes < 10 * FEW_INODES:
        found += f", {inodes} files"
    if free < TOO_LITTLE or inodes < FEW_INODES / 10:
        advice = "free some space, or run elsewhere (snakemake --directory)"
        return Finding(check, FAULT, found, advice)
    if free < LITTLE or inodes < FEW_INODES:
        return Finding(check, WARNING, found, "enough for a default run, not for a large sample")
    return Finding(check, OK, found)


def check_temporary_folder(folder: Path) -> Finding:
    """Check the room for temporary files; of a TMPDIR that is none Python would silently go on."""
    if folder.is_dir():
        return check_room("temporary disk", folder)
    found = f"TMPDIR={folder} is no folder"
    return Finding("temporary disk", FAULT, found, "make it, or unset TMPDIR")


def file_system_type(folder: Path) -> str:
    """Return the type of the file system of a folder that need not be there yet."""
    place = existing(folder).resolve()
    found, longest = "unknown", -1
    for mount in psutil.disk_partitions(all=True):  # of two at one place the later one counts
        point = Path(mount.mountpoint)
        if place.is_relative_to(point) and len(point.parts) >= longest:
            found, longest = mount.fstype, len(point.parts)
    return found


def check_file_system(kind: str, latency: int, executor: str) -> Finding:
    """Check that Snakemake waits for a slow file system, where other machines write to it."""
    if kind not in NETWORKED:
        note = "" if executor == "local" else "; compute nodes have to see it too"
        return Finding("file system", OK, f"{kind}{note}")
    found = f"{kind}, over a network; latency-wait is {latency} s"
    if executor != "local" and latency < LATENCY:
        return Finding(
            "file system",
            WARNING,
            f"{found}: outputs of other nodes may appear later than that",
            f"write `latency-wait: {LATENCY}` or more in the profile",
        )
    return Finding("file system", OK, found)


def check_writing(folders: Iterable[Path]) -> Finding:
    """Write and remove a file in each folder, or where it will be made."""
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
        return Finding(
            "writing",
            FAULT,
            listed(wrong),
            "let yourself write there, or run in another folder (snakemake --directory)",
        )
    return Finding("writing", OK, f"{listed(shown)} can be written")


def check_flock(folder: Path) -> Finding:
    """Check that one process sees the lock of another on a file in `folder`.

    Every output is written under a lock (`sdssflow.files`). Two processes, because some file
    systems show a lock to other processes only.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=existing(folder), prefix=".doctor.") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            answer = ask([sys.executable, "-S", "-c", _LOCKING, stream.name])
    except OSError as error:
        return Finding(
            "file locks",
            FAULT,
            f"no lock on a file in {folder}: {error.strerror}",
            "run on a file system with flock (snakemake --directory); on Lustre, mount with flock",
        )
    if not answer.good:
        found, advice = f"{folder}: {answer.trouble}", "start one run at a time in this folder"
        return Finding("file locks", WARNING, found, advice)
    return Finding("file locks", OK, "flock works")
