"""Fetch public files by URL, once, and verify them.

A file is identified by its SHA-256, not its origin, so that redirects to other hosts and local
copies are accepted. Files are kept in the store under their digest; interrupted downloads resume.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

import requests

from sdssflow.acquire.download.errors import DownloadError, TransientError, one_line
from sdssflow.acquire.download.retry import LONGEST_WAIT_S, RateLimiter, retry
from sdssflow.acquire.download.store import Store
from sdssflow.acquire.download.transport import (
    CLOCK,
    MOST_HEAD_BYTES,
    READ_BYTES,
    Clock,
    Punctual,
    prepare,
    retry_after,
    unreachable,
    without_secrets,
)
from sdssflow.configuration.downloads import Downloads
from sdssflow.files import file_digest, locked, make_shared_folder, replacing, share

logger = logging.getLogger("sdssflow")
FOLDER = "files"  # of the store
DATA = (200, 206)
SETTING = "source.url or source.mirrors"
ELSEWHERE = (
    "Correct source.url, add another address of the file to source.mirrors, or put the file into a "
    "folder and set downloads.mirror to it."
)


class PublicFile(NamedTuple):
    """A public file."""

    addresses: list[str]  # tried in this order
    sha256: str
    most_bytes: int


def fetch(wanted: PublicFile, network: Downloads, path: str | Path, clock: Clock = CLOCK) -> str:
    """Write a public file to `path`, and return its origin.

    It is taken from the store, the folder of mirrored files, or the first of its addresses that has
    it, and kept in the store.

    DownloadError, with the problem of each, if none has it, or if a folder can't be written; then
    nothing is written, and the store is unchanged.
    """
    folder = Path(network.store, FOLDER)
    kept = folder / wanted.sha256
    try:
        make_shared_folder(folder)
        with locked(folder / f".{wanted.sha256}.lock"):
            if _copied(kept, path, wanted.sha256):
                return str(kept)
            if kept.exists():
                logger.warning("%s is damaged; fetching it again", kept)
            found = _fetch(wanted, network, kept, clock)
            _copied(kept, path, wanted.sha256)
            return found
    except OSError as error:
        raise Store(folder).unwritable(error) from error


def _fetch(wanted: PublicFile, network: Downloads, kept: Path, clock: Clock) -> str:
    problems: list[DownloadError] = []
    for copy in mirrored(network.mirror, wanted.addresses):
        try:
            found = file_digest(copy)
        except OSError as error:
            problems.append(DownloadError(f"{copy} can't be read: {error.strerror}", ELSEWHERE))
            continue
        if found == wanted.sha256 and _copied(copy, kept, wanted.sha256):
            return str(copy)
        problems.append(DownloadError(f"{copy} has the SHA-256 {found}", ELSEWHERE))
    if network.mirror and not problems:
        problems.append(DownloadError(f"{network.mirror} has no such file", ELSEWHERE))
    end = clock.monotonic() + network.give_up_s
    for address in wanted.addresses:
        partial, is_last = kept.with_suffix(".part"), address == wanted.addresses[-1]
        download = Download(address, wanted, network, partial, clock, patient=is_last)
        # each host has its own pauses
        folder = kept.parent / f".{urlsplit(address).netloc}"
        pace = RateLimiter(folder, network.pause_s, clock)
        try:
            retry(download.go_on, network, pace, download.server, end - clock.monotonic())
        except DownloadError as error:
            logger.warning("%s", error)
            problems.append(error)
        else:
            with replacing(kept, shared=True) as temporary:
                partial.replace(temporary)
            return download.server
    if len(problems) == 1:
        raise problems[0]
    listed = "; ".join(error.problem for error in problems)
    raise DownloadError(f"no file with the SHA-256 {wanted.sha256} was found: {listed}", ELSEWHERE)


def mirrored(folder: str | None, addresses: list[str]) -> Iterator[Path]:
    """Yield possible copies in a folder, those with the longest tail of an address first."""
    if not folder:
        return
    for address in addresses:
        at = urlsplit(address)
        parts = [at.netloc, *filter(None, unquote(at.path).split("/"))]
        if not {".", ".."} & {*parts}:
            ends = (Path(folder, *parts[start:]) for start in range(len(parts)))
            yield from (end for end in ends if os.path.isfile(end))  # noqa: PTH113


def _copied(file: Path, path: str | Path, sha256: str) -> bool:
    """Copy a file if it exists with this digest; return whether it does."""
    if not file.is_file() or file_digest(file) != sha256:
        return False
    with replacing(path, shared=True) as temporary:
        shutil.copyfile(file, temporary)
    return True


class Download(Punctual):
    """A download of one file from one address into `partial`, resumed after interruptions."""

    def __init__(
        self,
        address: str,
        wanted: PublicFile,
        network: Downloads,
        partial: Path,
        clock: Clock,
        patient: bool = True,
    ) -> None:
        # without the query, which may contain a key, in messages; the size of the file itself is
        # checked during writing
        most = 2 * wanted.most_bytes + MOST_HEAD_BYTES
        super().__init__(address.partition("?")[0], SETTING, network, clock, most)
        self.partial = partial
        self._address, self._patient = address, patient
        self._wanted = wanted
        self._session = requests.Session()
        prepare(self._session, address, self, network)
        self._session.headers["Accept-Encoding"] = "identity"

    def go_on(self) -> None:
        """Fetch the missing part, and verify the file.

        Raises
        ------
        TransientError
            If a retry may succeed; received data are kept.
        DownloadError
            If this address does not have the file.
        """
        here = self._here()
        if here and file_digest(self.partial) == self._wanted.sha256:
            return
        self.limits.begin()
        try:
            headers = {"Range": f"bytes={here}-"} if here else {}
            response = self._session.get(self._address, headers=headers)
        except requests.exceptions.RequestException as error:
            raise unreachable(self.server, error, SETTING) from None
        except ValueError as error:  # an invalid host, also in a redirect
            reason = one_line(error, 200)
            raise DownloadError(f"{self.server} is not a valid URL: {reason}", ELSEWHERE) from None
        self._check_status(response)
        found = file_digest(self.partial)
        if found == self._wanted.sha256:
            return
        size = self._here()
        self.partial.unlink()
        if here and response.status_code == 206:
            raise TransientError(f"{self.server}: the resumed part does not match the first one")
        packing = response.headers.get("Content-Encoding")
        raise DownloadError(
            f"{self.server} has a different file: {size:,} bytes with the SHA-256 {found}, "
            f"source.sha256 is {self._wanted.sha256}"
            + (f" (it was sent as {one_line(packing, 40)} without request)" if packing else ""),
            f"If the file was changed on purpose, record its new digest. {ELSEWHERE}",
        )

    def body(self, response: requests.Response) -> bytes:
        """Append the body of an answer to the file, without decompression."""
        if response.status_code not in DATA:
            return b""
        size = self._here() if response.status_code == 206 else 0
        if size and not response.headers.get("Content-Range", "").startswith(f"bytes {size}-"):
            self.partial.unlink()
            raise TransientError(f"{self.server} sent a different part of the file than requested")
        stated = response.headers.get("Content-Length", "")
        self._check_size(size + int(stated if stated.isdecimal() else 0))
        self._put(b"", os.O_APPEND if size else os.O_TRUNC)
        while part := response.raw.read1(READ_BYTES, decode_content=False):
            size += len(part)
            self._check_size(size)
            self._put(part, os.O_APPEND)
        # without a stated length, truncation is not detected
        unknown_length = not (stated or response.raw.chunked)
        if unknown_length and file_digest(self.partial) != self._wanted.sha256:
            self.partial.unlink()
            raise TransientError(f"{self.server} does not state the size of the file")
        return b""

    def check_redirect(self, request: Any, response: requests.Response) -> None:
        """Accept redirects to any host, as the digest is verified, but only with https.

        Raises
        ------
        DownloadError
            For addresses without https.
        """
        try:
            target = urlsplit(urljoin(request.url, response.headers["Location"]))
            if target.scheme == "https" and target.hostname and target.port != 0:
                return
        except ValueError:
            pass
        where = one_line(without_secrets(response.headers["Location"].split("?")[0]), 200)
        raise DownloadError(
            f"{self.server} redirects to {where}, which is not followed: it is not https", ELSEWHERE
        )

    def _here(self) -> int:
        """Return the number of bytes received; anything but a regular file is removed."""
        try:
            status = self.partial.lstat()
        except FileNotFoundError:
            return 0
        if not stat.S_ISREG(status.st_mode):
            self.partial.unlink()
            return 0
        return status.st_size

    def _put(self, part: bytes, flag: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flag
        try:
            with os.fdopen(os.open(self.partial, flags, 0o666), "wb") as file:
                share(file.fileno(), self.partial.parent)
                file.write(part)
        except OSError as error:
            raise Store(self.partial.parent).unwritable(error) from error

    def _check_size(self, size: int) -> None:
        if size > self._wanted.most_bytes:
            self.partial.unlink(missing_ok=True)
            raise DownloadError(
                f"{self.server} has a file of more than {self._wanted.most_bytes / 1e6:,.0f} MB",
                "If it is the right one, increase source.largest_mb.",
            )

    def _check_status(self, response: requests.Response) -> None:
        code = response.status_code
        if code in DATA:
            return
        message = f"{self.server}: HTTP {code} {one_line(response.reason, 100)}"
        if code == 416:  # the partial file is longer than the file
            self.partial.unlink(missing_ok=True)
        if code in (408, 416, 425, 429) or code >= 500:
            pause = retry_after(response)
            if not self._patient and (pause or 0) > LONGEST_WAIT_S:
                raise DownloadError(f"{message}; it requests a wait of {pause:,.0f} s", ELSEWHERE)
            raise TransientError(message, retry_after_s=pause)
        raise DownloadError(
            message,
            f"{ELSEWHERE} Name and password, if required, belong in ~/.netrc: machine HOST "
            "login NAME password PASSWORD.",
        )
