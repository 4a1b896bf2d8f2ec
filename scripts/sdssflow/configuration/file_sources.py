"""Rows in one file: one that ships with the project, one of your own, or one under an address."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from sdssflow.configuration.addresses import FileAddress, file_name
from sdssflow.configuration.declarable import check_declared, check_mapped
from sdssflow.configuration.declared import Declarations
from sdssflow.configuration.section import Different, FilePath, PositiveInt, Section, Text

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class EmbeddedSource(Section):
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
    """Where a file is; a class of its own, so that it is read before what is in the file."""

    kind: Literal["file"]
    """One local file."""
    path: FilePath
    """The file, relative to the working directory of the workflow; or a folder of Parquet files,
    the parts of one table."""
    sha256: Digest | None = None
    """Expected SHA-256 of the file; another content is refused."""


class OneAddress(Section):
    """Where anyone can get a file, likewise."""

    kind: Literal["url"]
    """One public file, downloaded once and kept in `downloads.store`: docs/other_roads.md."""
    url: FileAddress
    """Its address, with https."""
    sha256: Digest
    """SHA-256 of the file as it lies there, packed if it is; another content is refused."""
    mirrors: Different[FileAddress] = []
    """Further addresses of the same file, asked in this order where those before fail."""
    largest_mb: PositiveInt = 1000
    """What is larger is not downloaded; in MB of 10^6 bytes."""

    @property
    def addresses(self) -> list[str]:
        """All addresses, in the order in which they are asked."""
        return list(dict.fromkeys([self.url, *self.mirrors]))

    def ways(self) -> str:
        """Return as JSON how the file is obtained; none of it changes the content."""
        return json.dumps({"addresses": self.addresses, "largest_mb": self.largest_mb})

    @property
    def file_name(self) -> str:
        """The file's own name, as its address has it."""
        return file_name(self.url)


class FileContent(Section):
    """What is in a file."""

    format: Literal["csv", "fits", "votable", "parquet", "hdf5", "npy"] | None = None
    """File format. By default the file's first bytes tell it, whatever it is called and however it
    is packed; `csv` means any table of text. What the bytes contradict is refused."""
    table: Text | int | None = None
    """Which table of the file: path inside an HDF5 file, name or number of a FITS extension, name,
    ID or number (from 0) of a table in a VOTable."""
    header: bool = True
    """Whether a table of text names its columns. Without, they are named by their numbers: '1' is
    the first."""
    columns: dict[str, Text] = Field(min_length=1)
    """Which column of the file is which: catalogue name -> name in the file. Columns of the file
    that are not named are not read."""
    class_labels: dict[str, Literal["GALAXY", "QSO", "STAR"]] = {
        "GALAXY": "GALAXY",
        "QSO": "QSO",
        "STAR": "STAR",
    }
    """The file's words for the three classes."""
    sentinels: Different[float] = [-9999.0, -999.0, -99.0, 99.0, 999.0, 9999.0]
    """Numbers that mean "no value"; each is counted and made null."""
    magnitude_system: Literal["asinh", "pogson"] = "asinh"
    """Whether magnitudes are SDSS asinh magnitudes (luptitudes) or logarithmic ones."""
    extinction_applied: bool = False
    """True if the file's magnitudes are already corrected for Galactic extinction."""
    units: dict[str, Text] = {}
    """Units of columns that are not in the catalogue's: catalogue name -> unit in the file, as
    `{ra: hourangle, dec: rad}`. They are converted, where that is a factor."""
    confirmed: Different[str] = []
    """Catalogue names of columns that are what `columns` makes of them, although their name or
    unit in the file says otherwise."""
    declared: Declarations
    """Columns of numbers that the catalogue does not know, and what they are: docs/features.md.
    Their names stand in `columns` as well."""

    @model_validator(mode="after")
    def _declared_is_mapped(self) -> FileContent:
        check_mapped(self.declared, self.columns, self.confirmed)
        return self


class FileSource(FileContent, OneFile):
    """Rows in a file of your own."""


class UrlSource(FileContent, OneAddress):
    """Rows in a file that is public under an address."""


InFile = Annotated[EmbeddedSource | FileSource | UrlSource, Field(discriminator="kind")]


def in_file_from_canonical(text: str) -> EmbeddedSource | FileSource | UrlSource:
    """Read back the canonical JSON of a source whose rows are in one file, of whichever kind."""
    return TypeAdapter(InFile).validate_json(text)
