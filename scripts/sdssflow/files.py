"""Write files whole or not at all, with bytes that depend on their content alone."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

logger = logging.getLogger("sdssflow")
# EBADF: NFS locks a file for one only if it was opened for writing
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF}
_told: set[str] = set()


@contextmanager
def replacing(path: str | Path, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block succeeds.

    It is of the same suffix; on an exception it is removed and `path` is left as it was. Missing
    parent folders are made. With `shared`, whoever may write into the folder may read and write the
    file, whatever our umask.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(path)
    handle, temporary = _locked_temporary(path)
    try:
        yield temporary
        # mkstemp makes private files; results are shared ones
        temporary.chmod(0o666 & ~_umask() | (_common(path.parent) & 0o666 if shared else 0))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _common(folder: Path) -> int:
    """Return the mode of a folder that several users share, 0 of one that is ours.

    Shared is where others may write, except in a sticky folder (/tmp): what is in there is not.
    """
    mode = folder.stat().st_mode
    return mode if mode & 0o022 and not mode & stat.S_ISVTX else 0


def _locked_temporary(path: Path) -> tuple[int, Path]:
    """Make a file that is locked as long as we live: a killed writer's is known by its lock."""
    while True:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix
        )
        try:
            lock(handle, fcntl.LOCK_SH)
            if os.fstat(handle).st_nlink:  # else taken for an orphan before it was locked
                return handle, Path(name)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            os.close(handle)
            raise
        os.close(handle)


def _remove_orphans(path: Path) -> None:
    """Remove what writers of `path` left that were killed outright."""
    for orphan in path.parent.glob(f".{glob.escape(path.stem)}.????????{path.suffix}"):
        try:
            with orphan.open("r+b") as stream:
                # without locks nobody can tell whether its writer lives: it stays
                if lock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB):
                    orphan.unlink(missing_ok=True)
        except OSError:
            continue  # its writer lives, or another one removed it


def lock(handle: int, operation: int) -> bool:
    """Lock an open file as `fcntl.flock` does; False, and one warning, where there are no locks.

    Raises
    ------
    OSError
        As `fcntl.flock`: BlockingIOError if another process holds the file and LOCK_NB is asked.
    """
    try:
        fcntl.flock(handle, operation)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warn_once(
            f"the file system has no locks ({error.strerror}): two jobs may write one file at "
            "once, and what killed jobs leave half-written (.NAME.*) is not removed; start one "
            "snakemake at a time here, or use a folder on another file system"
        )
        return False
    return True


def warn_once(message: str) -> None:
    """Warn, unless this process has said the same before."""
    if message not in _told:
        _told.add(message)
        logger.warning("%s", message)


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold a lock file alone for the time of the block, whoever of the folder's users made it.

    The file is made if it is missing, and left; its folder is there.
    """
    handle = _open_lock(Path(path))
    try:
        if handle is not None:
            lock(handle, fcntl.LOCK_EX)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _open_lock(path: Path) -> int | None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except PermissionError:
        if not path.exists():
            raise
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # another user's: enough to lock it
        except PermissionError:
            warn_once(f"{path} belongs to another user and can't be opened: nobody waits for it")
            return None
    share(handle, path.parent)
    return handle


def share(handle: int, folder: Path) -> None:
    """Let whoever may write into a folder read and write an open file of it, whatever our umask."""
    if common := _common(folder) & 0o666:
        with suppress(PermissionError):  # another user's is writable already
            os.fchmod(handle, common)


def make_shared_folder(path: str | Path) -> None:
    """Make a folder, and those above it, for the users that share the one that is there already."""
    path = Path(path)
    for folder in reversed([part for part in (path, *path.parents) if not part.exists()]):
        folder.mkdir(exist_ok=True)
        if common := _common(folder.parent) & 0o2777:
            with suppress(PermissionError):  # another user was faster
                folder.chmod(common)


def write_text(path: str | Path, text: str, shared: bool = False) -> None:
    """Write `text` as UTF-8, whole or not at all; `shared` as in `replacing`."""
    with replacing(path, shared) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any, shared: bool = False) -> None:
    """Write `content` as JSON with sorted keys, whole or not at all; `shared` as in `replacing`.

    ValueError if `content` holds NaN or an infinity, which JSON has no word for.
    """
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_text(path, text, shared)


def read_bounded(path: str | Path, most: int) -> bytes:
    """Read a file that others may have put there: a plain one, of at most `most` bytes.

    OSError if it is a pipe, a device or a folder, or larger.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would hold us indefinitely
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "no plain file", str(path))
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
    return content


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
