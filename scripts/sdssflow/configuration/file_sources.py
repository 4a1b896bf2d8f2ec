"""Sources in one file: shipped, local or at a URL; and which columns can be declared."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from sdssflow.configuration.declared import Declarations, Declared
from sdssflow.configuration.leaks import leak_of
from sdssflow.configuration.section import (
    Different,
    FilePath,
    PositiveInt,
    RowSource,
    Section,
    Text,
)
from sdssflow.configuration.selection import SELECTABLE

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def check_declared(
    declared: Mapping[str, Declared], there: Iterable[str], read_from: Mapping[str, str]
) -> None:
    """Refuse declared columns that the catalogue already has or that give the truth away.

    `there` are the columns of the source, of which `limit_without` has to be one; `read_from` gives
    the original names of declared columns, which must not give the truth away either.
    """
    for name, column in declared.items():
        if name in {*SELECTABLE, "row_id", "published_part"}:
            raise ValueError(f"declared: {name!r} is already a column of the catalogue")
        for word in (name, read_from.get(name, "")):
            if reason := leak_of(word):
                raise ValueError(
                    f"declared: {name!r} is refused, {word!r} can't be a feature: {reason}"
                )
        if column.limit_without not in (None, *there):
            raise ValueError(
                f"declared.{name}.limit_without: {column.limit_without!r} is not among the columns"
            )


def check_mapped(
    declared: Mapping[str, Declared], columns: Mapping[str, str], confirmed: Collection[str]
) -> None:
    """Refuse a declared column that `columns` does not map, or that `check_declared` refuses."""
    for name in declared:
        if name not in columns:
            raise ValueError(f"declared: columns does not map {name!r}; add it there")
    unconfirmed = {name: theirs for name, theirs in columns.items() if name not in confirmed}
    check_declared(declared, columns, unconfirmed)


def _address(url: str) -> str:
    if not _has_host(url) or "?" in url or "#" in url:
        raise ValueError("not the URL of a server: https://HOST/PATH, optionally HOST:PORT")
    return url


def _file_address(url: str) -> str:
    if not _has_host(url) or "#" in url or not file_name(url):
        raise ValueError("not the URL of a file: https://HOST/FOLDER/FILE, optionally HOST:PORT")
    return url


def _has_host(url: str) -> bool:
    if "@" in unquote(url):
        raise ValueError(
            "a URL must not contain a user name or password, because it is written to logs and "
            "folder names: put them into the file .netrc in your home folder, in one line, "
            "machine HOST login NAME password PASSWORD"
        )
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        return False


def file_name(url: str) -> str:
    """Return the file name in a URL; characters that names of results can't have become ``_``.

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


class EmbeddedSource(RowSource):
    """Real rows that ship with the project."""

    kind: Literal["embedded"]
    """Rows from `data/embedded/`, no download."""
    table: Literal["mgs", "mclass"]
    """Which embedded table: `mgs` (10,000 galaxies with redshifts) or `mclass` (327 objects with
    classes)."""
    declared: Declarations
    """Columns of the table that the schema does not know, and what they are, by their names."""

    @model_validator(mode="after")
    def _declared_is_no_truth(self) -> EmbeddedSource:
        check_declared(self.declared, self.declared, {})
        return self


class OneFile(Section):
    """Where a file is; a separate class, so that it is validated before `FileContent`."""

    kind: Literal["file"]
    """One local file."""
    path: FilePath
    """The file, relative to the working directory of the workflow; or a folder of Parquet files,
    the parts of one table."""
    sha256: Digest | None = None
    """Expected SHA-256 of the file; different content is refused."""


class OneAddress(Section):
    """Where a public file is, likewise."""

    kind: Literal["url"]
    """One public file, downloaded once and kept in `downloads.store`: docs/other_sources.md."""
    url: FileAddress
    """Its URL, with https."""
    sha256: Digest
    """SHA-256 of the file as downloaded, even if compressed; different content is refused."""
    mirrors: Different[FileAddress] = []
    """Further URLs of the same file, tried in this order if the previous ones fail."""
    largest_mb: PositiveInt = 1000
    """Larger files are not downloaded; in MB of 10^6 bytes."""

    @property
    def addresses(self) -> list[str]:
        """All URLs, in the order in which they are tried."""
        return list(dict.fromkeys([self.url, *self.mirrors]))

    def ways(self) -> str:
        """Return as JSON how the file is obtained, which does not affect its content."""
        return json.dumps({"addresses": self.addresses, "largest_mb": self.largest_mb})

    @property
    def file_name(self) -> str:
        """The name of the file in its URL."""
        return file_name(self.url)


class DustMap(Section):
    """Extinction from a map of dust, at the positions of the objects."""

    map: Literal["sfd98"]
    """`sfd98`: that of Schlegel, Finkbeiner & Davis 1998, in pixels of 0.9 degrees."""
    without_position: Annotated[float, Field(ge=0, le=1)] | None = None
    """E(B-V) in mag assumed for objects without a position; otherwise their extinction is missing,
    and their features with it."""


class FileContent(RowSource):
    """What is in a file."""

    format: Literal["csv", "fits", "votable", "parquet", "hdf5", "npy"] | None = None
    """File format. By default it is recognised by the file's first bytes, whatever its name and
    compression; `csv` means any text table. A format that the bytes contradict is refused."""
    table: Text | int | None = None
    """Which table of the file: path inside an HDF5 file, name or number of a FITS extension, name,
    ID or number (from 0) of a table in a VOTable."""
    header: bool = True
    """Whether a text table names its columns. Otherwise they are named by their numbers: '1' is the
    first."""
    columns: dict[str, Text] = Field(min_length=1)
    """Column mapping: catalogue name -> name in the file. Columns of the file that are not mapped
    are not read."""
    class_labels: dict[str, Literal["GALAXY", "QSO", "STAR"]] = {
        "GALAXY": "GALAXY",
        "QSO": "QSO",
        "STAR": "STAR",
    }
    """The file's names of the three classes."""
    sentinels: Different[float] = [-9999.0, -999.0, -99.0, 99.0, 999.0, 9999.0]
    """Numbers that mean "no value"; each is counted and made null."""
    magnitude_system: Literal["asinh", "pogson"] = "asinh"
    """Whether magnitudes are SDSS asinh magnitudes (luptitudes) or logarithmic ones."""
    extinction_applied: bool = False
    """True if the file's magnitudes are already corrected for Galactic extinction."""
    extinction_from: DustMap | None = Field(default=None, exclude_if=lambda dust: dust is None)
    """Where the extinction comes from if the file has none, but positions: docs/own_files.md."""
    units: dict[str, Text] = {}
    """Units of columns that are not in the catalogue's: catalogue name -> unit in the file, as
    `{ra: hourangle, dec: rad}`. They are converted if they differ by a factor."""
    confirmed: Different[str] = []
    """Catalogue names of columns whose mapping in `columns` is right although their name or unit in
    the file contradicts it."""
    declared: Declarations
    """Numeric columns that the catalogue does not know, and what they are: docs/features.md. Their
    names are also listed in `columns`."""

    @model_validator(mode="after")
    def _declared_is_mapped(self) -> FileContent:
        check_mapped(self.declared, self.columns, self.confirmed)
        return self

    @model_validator(mode="after")
    def _extinction_is_needed(self) -> FileContent:
        if self.extinction_from is None:
            return self
        if self.extinction_applied:
            raise ValueError(
                "extinction_from and extinction_applied: true exclude each other: extinction would "
                "be subtracted twice; leave one out"
            )
        if measured := [name for name in self.columns if name.startswith("extinction_")]:
            raise ValueError(
                f"extinction_from: columns maps {', '.join(measured)}; leave out one of the two"
            )
        if missing := [name for name in ("ra", "dec") if name not in self.columns]:
            raise ValueError(f"extinction_from: columns does not map {' and '.join(missing)}")
        return self


class FileSource(FileContent, OneFile):
    """Rows in a file of your own."""


class UrlSource(FileContent, OneAddress):
    """Rows in a public file, by URL."""

    same_rows = {"mirrors", "largest_mb"}


InFile = Annotated[EmbeddedSource | FileSource | UrlSource, Field(discriminator="kind")]


def in_file_from_canonical(text: str) -> EmbeddedSource | FileSource | UrlSource:
    """Read the canonical JSON of a source in one file, of any kind."""
    return TypeAdapter(InFile).validate_json(text)
