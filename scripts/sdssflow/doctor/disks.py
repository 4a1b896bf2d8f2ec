"""Room, rights and locks of the file systems that a run writes to."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Room:
    """What is left on a file system."""

    free: float
    """Bytes for an ordinary user."""
    inodes: int | None
    """Files that may still be made; None if the file system does not count them."""


def room_of(folder: Path) -> Room:
    """Measure the file system of a folder, or of what will be its parent."""
    status = os.statvfs(existing(folder))
    return Room(status.f_bavail * status.f_frsize, status.f_favail if status.f_files else None)


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    for place in (folder, *folder.absolute().parents):
        if place.exists():
            return place
    return Path("/")


def temporary_folder(environment: Mapping[str, str]) -> Path:
    """Return where jobs put temporary files: TMPDIR even if it is not there, else /tmp."""
    return Path(environment.get("TMPDIR") or tempfile.gettempdir())


def check_room(check: str, folder: Path, room: Room) -> Finding:
    """Check for free bytes and free inodes."""
    found = f"{folder}: {room.free / 1e9:.1f} GB free"
    if room.inodes is not None and room.inodes < 10 * FEW_INODES:
        found += f", {room.inodes} files"
    empty = room.inodes is not None and room.inodes < FEW_INODES / 10
    few = room.inodes is not None and room.inodes < FEW_INODES
    if room.free < TOO_LITTLE or empty:
        return Finding(check, FAULT, found, "make room, or run elsewhere (snakemake --directory)")
    if room.free < LITTLE or few:
        return Finding(check, WARNING, found, "enough for a default run, not for a large sample")
    return Finding(check, OK, found)


def check_temporary_folder(folder: Path) -> Finding | None:
    """Return a fault if TMPDIR is no folder; Python would silently take another one."""
    if folder.is_dir():
        return None
    return Finding(
        "temporary disk",
        FAULT,
        f"TMPDIR={folder} is no folder",
        "make it, or unset TMPDIR",
    )


def file_system_type(folder: Path, mounts: str) -> str:
    """Return the type of the file system of a folder.

    Parameters
    ----------
    folder : pathlib.Path
        It need not be there yet.
    mounts : str
        Text of /proc/mounts; of two mounts at one place the later one counts.
    """
    place = existing(folder).resolve()
    found, longest = "unknown", -1
    for line in mounts.splitlines():
        cells = line.split()
        if len(cells) < 3:
            continue
        point = Path(cells[1].encode().decode("unicode_escape"))  # a space is \040
        if place.is_relative_to(point) and len(point.parts) >= longest:
            found, longest = cells[2], len(point.parts)
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
    wrong = []
    folders = list(folders)
    for folder in folders:
        place = existing(folder)
        try:
            with tempfile.NamedTemporaryFile(dir=place, prefix=".doctor.") as stream:
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
    return Finding(
        "writing", OK, f"{listed([_short(folder) for folder in folders])} can be written"
    )


def _short(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


def check_flock(folder: Path, environment: Mapping[str, str]) -> Finding:
    """Check that one process sees the lock of another on a file in `folder`.

    Every output is written under a lock (`sdssflow.files`). Two processes, because some file
    systems show a lock to other processes only.
    """
    import fcntl

    try:
        with tempfile.NamedTemporaryFile(dir=existing(folder), prefix=".doctor.") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            answer = ask([sys.executable, "-S", "-c", _LOCKING, stream.name], environment)
    except OSError as error:
        return Finding(
            "file locks",
            FAULT,
            f"no lock on a file in {folder}: {error.strerror}",
            "run on a file system with flock (snakemake --directory); on Lustre, mount with flock",
        )
    if not answer.good:
        return Finding(
            "file locks",
            WARNING,
            f"{folder}: {answer.trouble.removeprefix(f'{sys.executable}: ')}",
            "start one run at a time in this folder",
        )
    return Finding("file locks", OK, "flock works")
