"""Public files by their addresses: fetched once, kept, and never another file than expected.

Where a file comes from says nothing about what it is; its SHA-256 does. So a server may send us on
to another one, and a copy on disk is as good as a download. What was fetched is kept in the store
under its digest, and what was fetched before a connection broke is not asked for again.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

import requests

from sdssflow.acquire.download.errors import DownloadError, TransientError, one_line
from sdssflow.acquire.download.retry import RateLimiter, retry
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
from sdssflow.files import file_digest, locked, make_shared_folder, replacing

logger = logging.getLogger("sdssflow")
FOLDER = "files"  # of the store
DATA = (200, 206)
SETTING = "source.url or source.mirrors"
ELSEWHERE = (
    "Correct source.url, name another address of the file in source.mirrors, or put the file into "
    "a folder and name that in downloads.mirror."
)


class PublicFile(NamedTuple):
    """A file that anyone can get."""

    addresses: list[str]  # asked in this order
    sha256: str
    most_bytes: int


def fetch(wanted: PublicFile, network: Downloads, path: str | Path, clock: Clock = CLOCK) -> str:
    """Write a public file to `path`, and return where it came from.

    It comes from the store, from the folder of mirrored files, or from the first of its addresses
    that has it; then it is kept in the store.

    Raises
    ------
    DownloadError
        If none has it, with what was wrong with each; nothing is written then, and what the store
        holds stays. If a folder can't be written.
    """
    folder = Path(network.store, FOLDER)
    kept = folder / wanted.sha256
    try:
        make_shared_folder(folder)
        with locked(folder / f".{wanted.sha256}.lock"):
            if _copied(kept, path, wanted.sha256):
                return str(kept)
            if kept.exists():
                logger.warning("%s is damaged; it is fetched again", kept)
            found = _fetch(wanted, network, kept, clock)
            _copied(kept, path, wanted.sha256)
            return found
    except OSError as error:
        raise Store(folder).unwritable(error) from error


def _fetch(wanted: PublicFile, network: Downloads, kept: Path, clock: Clock) -> str:
    troubles: list[DownloadError] = []
    for copy in mirrored(network.mirror, wanted.addresses):
        if _copied(copy, kept, wanted.sha256):
            return str(copy)
        troubles.append(DownloadError(f"{copy} has the SHA-256 {file_digest(copy)}", ELSEWHERE))
    if network.mirror and not troubles:
        troubles.append(DownloadError(f"{network.mirror} has no such file", ELSEWHERE))
    pace = RateLimiter(kept.parent, network.pause_s, clock)
    end = clock.monotonic() + network.give_up_s
    for address in wanted.addresses:
        download = Download(address, wanted, network, kept.with_suffix(".part"), clock)
        try:
            retry(download.go_on, network, pace, address, end - clock.monotonic())
        except DownloadError as error:
            logger.warning("%s", error)
            troubles.append(error)
        else:
            download.partial.replace(kept)
            return address
    if len(troubles) == 1:
        raise troubles[0]
    problem = "; ".join(trouble.problem for trouble in troubles)
    raise DownloadError(f"no file with the SHA-256 {wanted.sha256} was found: {problem}", ELSEWHERE)


def mirrored(folder: str | None, addresses: list[str]) -> Iterator[Path]:
    """Yield the files of a folder that may be copies: under the longest end of an address first."""
    for address in addresses if folder else ():
        at = urlsplit(address)
        parts = [at.netloc, *filter(None, unquote(at.path).split("/"))]
        if not {".", ".."} & {*parts}:
            ends = (Path(folder, *parts[start:]) for start in range(len(parts)))
            yield from (end for end in ends if end.is_file())


def _copied(file: Path, path: str | Path, sha256: str) -> bool:
    """Copy a file if it is there and has the digest, and say whether it has."""
    if not file.is_file() or file_digest(file) != sha256:
        return False
    with replacing(path) as temporary:
        shutil.copyfile(file, temporary)
    return True


class Download(Punctual):
    """A download of one file from one address into `partial`, where it goes on after each break."""

    def __init__(
        self, address: str, wanted: PublicFile, network: Downloads, partial: Path, clock: Clock
    ) -> None:
        # of the file itself the limit is looked at while it is written
        super().__init__(address, SETTING, network, clock, 2 * wanted.most_bytes + MOST_HEAD_BYTES)
        self.partial = partial
        self._wanted = wanted
        self._session = requests.Session()
        prepare(self._session, address, self, network)
        self._session.headers["Accept-Encoding"] = "identity"

    def go_on(self) -> None:
        """Fetch what is missing, and check the whole.

        Raises
        ------
        TransientError
            If it may go better next time; what came is kept.
        DownloadError
            If this address does not have the file.
        """
        here = self._here()
        if here and file_digest(self.partial) == self._wanted.sha256:
            return
        self.limits.begin()
        try:
            headers = {"Range": f"bytes={here}-"} if here else {}
            response = self._session.get(self.server, headers=headers)
        except requests.exceptions.RequestException as error:
            raise unreachable(self.server, error, SETTING) from None
        self._check_status(response)
        found = file_digest(self.partial)
        if found == self._wanted.sha256:
            return
        size = self._here()
        self.partial.unlink()
        if here and response.status_code == 206:
            raise TransientError(f"{self.server}: the rest does not fit what came before a break")
        packing = response.headers.get("Content-Encoding")
        raise DownloadError(
            f"{self.server} has another file than expected: {size:,} bytes with the SHA-256 "
            f"{found}, source.sha256 is {self._wanted.sha256}"
            + (f" (it was sent as {one_line(packing, 40)}, unasked)" if packing else ""),
            f"If the file was meant to change, record its new digest. {ELSEWHERE}",
        )

    def body(self, response: requests.Response) -> bytes:
        """Write the body of an answer behind what is here, as it comes: packed if it is packed."""
        if response.status_code not in DATA:
            return b""
        size = self._here() if response.status_code == 206 else 0
        if size and not response.headers.get("Content-Range", "").startswith(f"bytes {size}-"):
            self.partial.unlink()
            raise TransientError(f"{self.server} sent another part of the file than was asked for")
        stated = response.headers.get("Content-Length", "")
        self._check_size(size + int(stated if stated.isdecimal() else 0))
        self._put(b"", "ab" if size else "wb")
        while part := response.raw.read1(READ_BYTES, decode_content=False):
            size += len(part)
            self._check_size(size)
            self._put(part, "ab")
        # of a length that nobody states it is not known whether all came
        of_some_length = not (stated or response.raw.chunked)
        if of_some_length and file_digest(self.partial) != self._wanted.sha256:
            self.partial.unlink()
            raise TransientError(f"{self.server} does not say how long the file is")
        return b""

    def check_redirect(self, request: Any, response: requests.Response) -> None:
        """Refuse to be led out of the encryption; to another host we go, the digest is what counts.

        Raises
        ------
        DownloadError
            For any other address than of https.
        """
        try:
            target = urlsplit(urljoin(request.url, response.headers["Location"]))
            if target.scheme == "https" and target.hostname and target.port != 0:
                return
        except ValueError:
            pass
        where = one_line(without_secrets(response.headers["Location"].split("?")[0]), 200)
        raise DownloadError(
            f"{self.server} sends us on to {where}: no address of https, which is not followed",
            ELSEWHERE,
        )

    def _here(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _put(self, part: bytes, mode: str) -> None:
        try:
            with self.partial.open(mode) as file:
                file.write(part)
        except OSError as error:
            raise Store(self.partial.parent).unwritable(error) from error

    def _check_size(self, size: int) -> None:
        if size > self._wanted.most_bytes:
            self.partial.unlink(missing_ok=True)
            raise DownloadError(
                f"{self.server} has a file of more than {self._wanted.most_bytes / 1e6:,.0f} MB",
                "If it is the right one, raise source.largest_mb.",
            )

    def _check_status(self, response: requests.Response) -> None:
        code = response.status_code
        if code in DATA:
            return
        message = f"{self.server}: HTTP {code} {one_line(response.reason, 100)}"
        if code == 416:  # more is here than there: it is no part of that file
            self.partial.unlink(missing_ok=True)
        if code in (408, 416, 425, 429) or code >= 500:
            raise TransientError(message, retry_after_s=retry_after(response))
        raise DownloadError(
            message,
            f"{ELSEWHERE} Name and password, if it wants them, belong into ~/.netrc: machine HOST "
            "login NAME password PASSWORD.",
        )
