"""Addresses of servers and of files, as a configuration may hold them."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field


def _address(url: str) -> str:
    if not _names_a_host(url) or "?" in url or "#" in url:
        raise ValueError("no address of a server: https://HOST/PATH, where a :PORT may follow HOST")
    return url


def _file_address(url: str) -> str:
    if not _names_a_host(url) or "#" in url or not file_name(url):
        raise ValueError(
            "no address of a file: https://HOST/FOLDER/FILE, where a :PORT may follow HOST"
        )
    return url


def _names_a_host(url: str) -> bool:
    if "@" in unquote(url):
        raise ValueError(
            "no name or password may stand in an address, it would stand in logs and in names of "
            "folders: put them into the file .netrc in your home folder, in one line, "
            "machine HOST login NAME password PASSWORD"
        )
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        return False


def file_name(url: str) -> str:
    """Return the name that an address gives a file, without what no name of a result may hold.

    >>> file_name("https://example.org/a/SDSS%20QSO.tab.gz?download=1")
    'SDSS_QSO.tab.gz'
    """
    return re.sub(r"[^A-Za-z0-9._+-]", "_", unquote(urlsplit(url).path).rpartition("/")[2]).lstrip(
        "."
    )


FileAddress = Annotated[
    str, Field(pattern=r"^https://[^\s/]\S*[^\s/]$"), AfterValidator(_file_address)
]
Address = Annotated[str, Field(pattern=r"^https?://[^\s/]\S*[^\s/]$"), AfterValidator(_address)]
