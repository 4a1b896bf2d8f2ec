"""Write files atomically, with locks and permissions for shared folders."""

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
# EBADF: NFS needs write access for an exclusive lock
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF}
_warned: set[str] = set()


@contextmanager
def replacing(path: str | Path, shared: bool = False) -> Iterator[Path]:
    """Yield a temporary path, in the folder of `path`, that replaces it if the block succeeds.

    It has the same suffix; on an exception it is removed and `path` is unchanged. Missing parent
    folders are created. With `shared`, everyone who may write to the folder may read and write the
    file, whatever our umask.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(path)
    handle, temporary = _locked_temporary(path)
    try:
        yield temporary
        # mkstemp creates private files
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
    """Return the mode of a folder that users share, 0 for a private one.

    Shared means writable by others and not sticky (as /tmp is).
    """
    mode = folder.stat().st_mode
    return mode if mode & 0o022 and not mode & stat.S_ISVTX else 0


def _locked_temporary(path: Path) -> tuple[int, Path]:
    """Create a temporary file that is locked while this process lives."""
    while True:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix
        )
        try:
            lock(handle, fcntl.LOCK_SH)
            if os.fstat(handle).st_nlink:  # else removed as an orphan before it was locked
                return handle, Path(name)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            os.close(handle)
            raise
        os.close(handle)


def _remove_orphans(path: Path) -> None:
    """Remove temporary files of killed writers of `path`, which are no longer locked."""
    for orphan in path.parent.glob(f".{glob.escape(path.stem)}.????????{path.suffix}"):
        try:
            with orphan.open("r+b") as stream:
                # without locks its writer may be alive
                if lock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB):
                    orphan.unlink(missing_ok=True)
        except OSError:
            continue  # its writer is alive, or it was removed meanwhile


def lock(handle: int, operation: int) -> bool:
    """Lock an open file with `fcntl.flock`; False and a warning if there are no locks.

    Raises
    ------
    OSError
        As from `fcntl.flock`: BlockingIOError with LOCK_NB if another process has the lock.
    """
    try:
        fcntl.flock(handle, operation)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warn_once(
            f"the file system has no locks ({error.strerror}): two jobs may write the same file at "
            "once, and temporary files of killed jobs (.NAME.*) are not removed; run only one "
            "snakemake at a time here, or use a folder on another file system"
        )
        return False
    return True


def warn_once(message: str) -> None:
    """Log a warning, once per process."""
    if message not in _warned:
        _warned.add(message)
        logger.warning("%s", message)


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold an exclusive lock during the block, whichever of the folder's users created the file.

    The lock file is created if missing, and kept; its folder has to exist.
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
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # enough to lock another user's file
        except PermissionError:
            warn_once(f"{path} belongs to another user and can't be opened: it is not locked")
            return None
    share(handle, path.parent)
    return handle


def share(handle: int, folder: Path) -> None:
    """Give everyone who may write to a folder access to an open file in it."""
    if common := _common(folder) & 0o666:
        with suppress(PermissionError):  # another user's file is already shared
            os.fchmod(handle, common)


def make_shared_folder(path: str | Path) -> None:
    """Create a folder and its parents, shared like the existing folder above them."""
    path = Path(path)
    for folder in reversed([part for part in (path, *path.parents) if not part.exists()]):
        folder.mkdir(exist_ok=True)
        if common := _common(folder.parent) & 0o2777:
            with suppress(PermissionError):  # created by another user
                folder.chmod(common)


def write_text(path: str | Path, text: str, shared: bool = False) -> None:
    """Write `text` as UTF-8, atomically; `shared` as in `replacing`."""
    with replacing(path, shared) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any, shared: bool = False) -> None:
    """Write `content` as JSON with sorted keys, atomically; `shared` as in `replacing`.

    ValueError for NaN and infinities, which JSON does not have.
    """
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_text(path, text, shared)


def read_bounded(path: str | Path, most: int) -> bytes:
    """Read a regular file of at most `most` bytes from an untrusted folder.

    OSError for pipes, devices, folders and larger files.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe would block
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
    return content


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
