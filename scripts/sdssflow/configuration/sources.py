"""Where the rows of a sample come from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sdssflow.configuration.cuts import Cut, needed_by
from sdssflow.configuration.declared import SHIPPED, Declarations
from sdssflow.configuration.file_sources import (
    Address,
    EmbeddedSource,
    FileSource,
    UrlSource,
    check_declared,
    check_mapped,
)
from sdssflow.configuration.section import (
    Different,
    FilePath,
    PositiveInt,
    RowSource,
    Section,
    Seed,
)
from sdssflow.configuration.selection import (
    ALWAYS,
    ALWAYS_PHOTOMETRY,
    DOWNLOADABLE,
    PHOTOZ,
    SELECTABLE,
    STANDARD,
    Condition,
    refuse_statements,
)

ServiceColumn = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class SimulatedSky(Section):
    """A sky made by forward modelling, for runs without a network: docs/simulated_sky.md."""

    objects: Annotated[int, Field(ge=640)]
    """How many spectra it holds, at least a plate's; with `rows: photometry`, how many objects."""
    seed: Seed = 1
    """Seed of the draws."""
    # omitted if 0, for the same reason as `rows`
    oddities: Annotated[int, Field(ge=0)] = Field(default=0, exclude_if=lambda n: n == 0)
    """How many objects with a spectrum are made odd; no model knows which. At most half."""

    @model_validator(mode="after")
    def _most_are_not_odd(self) -> SimulatedSky:
        if 2 * self.oddities > self.objects:
            raise ValueError(f"oddities: {self.oddities} are more than half of the objects")
        return self


def _no_magnitude_twice(columns: dict[str, str]) -> dict[str, str]:
    of: dict[str, str] = {}
    for ours, theirs in columns.items():
        if "_mag_" in ours and of.setdefault(theirs, ours) != ours:
            raise ValueError(f"{of[theirs]} and {ours} are both read from {theirs!r}")
    return columns


def _in_signed(condition: Condition) -> bool:
    """Return whether a condition on unsigned ids means the same for signed ones."""
    ranged = condition.minimum is not None or condition.maximum is not None
    return not ranged and all(int(value) < 2**63 for value in condition.any_of or [])


class Expected(Section):
    """What is known of a sample before any query is sent."""

    rows: PositiveInt
    """About how many rows."""
    according_to: str
    """Who says so."""


class Asked(RowSource):
    """What all sources of SDSS share: the release and the selection of rows."""

    same_rows = {"expected"}
    release: Annotated[int, Field(ge=12, le=99)] = 17
    """Data release."""
    selection: Different[Condition] = []
    """Conditions that each row meets."""
    limit: PositiveInt | None = None
    """At most this many rows: the first in the order of the ids (specobjid, or objid for
    photometry), so always the same."""
    expected: Expected | None = None
    """Only for the estimate of `make plan`."""
    declared: Declarations
    """Numeric columns that the catalogue does not know, and what they are: docs/features.md."""


class Selected(Asked):
    """What the sources of SDSS itself share: the columns."""

    columns: Different[str] = Field(default=list(STANDARD), validate_default=True)
    """Columns of the catalogue, besides the ids that identify rows."""

    @field_validator("columns")
    @classmethod
    def _columns_are_known(cls, names: list[str], read: ValidationInfo) -> list[str]:
        for name in names:
            if name not in DOWNLOADABLE:
                raise ValueError(f"{name!r} is not a column of SDSS; docs/skyserver.md lists them")
        photometry = read.data.get("rows") == "photometry"
        always: tuple[str, ...] = ALWAYS_PHOTOMETRY if photometry else ALWAYS
        declared = read.data.get("declared", {}).values()
        if any(DOWNLOADABLE[name].table == "wise" for name in names) or any(
            (column.sdss or "").startswith("w.") for column in declared
        ):
            always += ("wise_id",)
        if read.data.get("photoz") or any(name in PHOTOZ for name in names):
            always += PHOTOZ
        # the columns that distinguish a limit from a measurement
        errors = {SHIPPED[name].limit_without for name in names if name in SHIPPED}
        return [name for name in DOWNLOADABLE if name in {*names, *always, *errors}]

    @property
    def names(self) -> list[str]:
        """All columns of the catalogue, those of `declared` last."""
        return [*self.columns, *self.declared]

    def _where_declared(self, key: str) -> None:
        places = {name: getattr(column, key) for name, column in self.declared.items()}
        for name, place in places.items():
            if place is None:
                raise ValueError(f"declared.{name}: give the column of SDSS as {key}")
        # in PhotoObjAll z is a magnitude
        read_from = {n: re.sub(r"^[pw]\.(?!z$)|\[.*", "", place) for n, place in places.items()}
        check_declared(self.declared, self.names, read_from)


class Rows(Section):
    """Which rows are requested; a separate class, so that it is validated before `columns`."""

    # omitted if default: plans and stored answers depend on this text
    rows: Literal["spectra", "photometry"] = Field(
        default="spectra", exclude_if=lambda rows: rows == "spectra"
    )
    """`spectra`: each row a spectrum with its photometry. `photometry`: each row an imaging object,
    with or without a spectrum, without spectroscopic columns; `columns` is by default the 32
    photometric ones of the standard columns."""
    photoz: bool = Field(default=False, exclude_if=lambda asked: not asked)
    """Whether the redshifts of SDSS's own table Photoz (Beck et al. 2016) are added to `columns`:
    `sdss_photoz` and three more, which are scored with the models of the sample and can't be
    features."""


class SkyServerSource(Selected, Rows):
    """Rows of SDSS by query: spectra with their photometry (PhotoObjAll), or photometry alone."""

    kind: Literal["skyserver"]
    """Download from SkyServer, in chunks, each verified against counts and sums of the server."""
    server: Address = "https://skyserver.sdss.org"
    """URL of the SkyServer, without the release."""
    chunks: Annotated[int, Field(ge=1, le=5000)] = 8
    """Number of jobs of the download, each a range of specObjID or objID."""
    rows_per_query: Annotated[int, Field(ge=100, le=499_999)] = 100_000
    """Ranges with more rows than this are split before they are requested."""
    unchecked_sql: Annotated[str, AfterValidator(refuse_statements)] | None = None
    """ONE MORE CONDITION AS SQL, SENT UNCHANGED, where `s` is SpecObjAll (not with `rows:
    photometry`), `p` PhotoObjAll and, if their columns are requested, `w` WISE_allsky and `pz`
    Photoz. Its meaning is not checked, and other sources of SDSS can't use it."""
    simulated: SimulatedSky | None = None
    """If given, the server is a local stand-in over this simulated sky, and `server` is not
    contacted. The rows are not observations."""

    @model_validator(mode="before")
    @classmethod
    def _columns_of_photometry(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("rows") == "photometry":
            photometry = [name for name, column in STANDARD.items() if column.table == "photo"]
            return {"columns": photometry, **content}
        return content

    @model_validator(mode="after")
    def _server_has_it(self) -> SkyServerSource:
        self._where_declared("sdss")
        if self.rows == "spectra":
            return self
        if self.simulated and self.simulated.oddities:
            raise ValueError("simulated.oddities: only a sky of spectra can hold odd objects")
        used = [("columns", name) for name in self.columns]
        used += [("selection", condition.column) for condition in self.selection]
        for key, name in used:
            if SELECTABLE[name].table == "spec":
                raise ValueError(
                    f"{key}: {name!r} belongs to a spectrum, which objects with rows: photometry "
                    f"need not have; remove it from {key}"
                )
        return self


class BulkSource(Selected):
    """Rows of SDSS from the bulk files of a release on your disk: no server is contacted."""

    kind: Literal["bulk"]
    """FITS files specObj and photoPosPlate of a release, joined by row: docs/other_sources.md."""
    folder: FilePath
    """Folder of both files, relative to the working directory of the workflow."""
    spectra: FilePath | None = None
    """Name of the file with spectra; by default `specObj-dr17.fits` with the number of the
    release."""
    photometry: FilePath | None = None
    """Name of the file with their photometry, row by row; by default `photoPosPlate-dr17.fits`
    with the number of the release."""

    @model_validator(mode="after")
    def _bulk_files_have_it(self) -> BulkSource:
        self._where_declared("bulk")
        used = [*self.columns, *(condition.column for condition in self.selection)]
        for name in sorted(used, key=lambda name: name == "wise_id"):
            if SELECTABLE[name].table in ("wise", "photoz"):
                raise ValueError(f"{name!r} is not in the bulk files of SDSS; use kind: skyserver")
        return self

    @property
    def paths(self) -> tuple[str, str]:
        """Files of spectra and photometry."""
        folder = self.folder.rstrip("/") or "/"
        spectra = self.spectra or f"specObj-dr{self.release}.fits"
        photometry = self.photometry or f"photoPosPlate-dr{self.release}.fits"
        return f"{folder}/{spectra}", f"{folder}/{photometry}"


class TapSource(Asked):
    """Rows from one table of a site that mirrors SDSS and offers TAP."""

    kind: Literal["tap"]
    """Download through the Table Access Protocol, in verified chunks: docs/other_sources.md."""
    url: Address
    """URL of the TAP service, without `/sync`."""
    table: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,2}$")
    """The table, with its schema."""
    columns: Annotated[
        dict[str, ServiceColumn], Field(min_length=1), AfterValidator(_no_magnitude_twice)
    ]
    """Column mapping: catalogue name -> name there. Columns used only in `source.selection` are
    mapped as well."""
    key: str = "specobjid"
    """The mapped integer column by whose ranges the table is queried; its values must be unique."""
    confirmed: Different[str] = []
    """Catalogue names of columns whose mapping in `columns` is right although their name or unit
    there contradicts it."""
    signed_key: bool = True
    """Whether the service stores the key as a signed 64-bit number: the ids of spectra from plate
    8192 on are negative there."""
    chunks: Annotated[int, Field(ge=1, le=5000)] = 8
    """Number of jobs of the download, each a range of the key."""
    rows_per_query: Annotated[int, Field(ge=100, le=499_999)] = 50_000
    """Ranges with more rows than this are split before they are requested."""

    @property
    def simulated(self) -> None:
        """A mirror has no simulated sky."""

    @model_validator(mode="after")
    def _mapping_is_enough(self) -> TapSource:
        for name in self.columns:
            if name not in {*SELECTABLE, *SHIPPED, *self.declared}:
                raise ValueError(f"columns: {name!r} is not a column of SDSS; docs/skyserver.md")
        check_mapped(self.declared, self.columns, self.confirmed)
        for name in self.confirmed:
            if name not in self.columns:
                raise ValueError(f"confirmed: columns does not map {name!r}")
        kind = SELECTABLE[self.key].kind if self.key in SELECTABLE else "number"
        if self.key not in self.columns or kind != "integer":
            raise ValueError(f"key: columns maps no integer column to {self.key!r}")
        for condition in self.selection:
            if condition.column == "specobjid" and self.signed_key and not _in_signed(condition):
                raise ValueError(
                    "selection: specobjid is negative from plate 8192 on (signed_key), so this "
                    "condition would select other rows; select by plate, or write signed_key: "
                    "false if the service has unsigned ids"
                )
            needed = [condition.column]
            if condition.dereddened:
                needed.append(f"extinction_{condition.column[-1]}")
            for name in needed:
                if name not in self.columns:
                    raise ValueError(f"selection: columns does not map {name!r}")
        return self


Downloaded = Annotated[SkyServerSource | TapSource, Field(discriminator="kind")]
Source = Annotated[
    EmbeddedSource | FileSource | UrlSource | SkyServerSource | BulkSource | TapSource,
    Field(discriminator="kind"),
]


def check_needed(source: Source, cuts: Sequence[Cut], others: Mapping[str, Sequence[str]]) -> None:
    """Refuse a source that lacks a column which a cut or another key needs.

    Otherwise a job would fail, perhaps after a download of hours. The columns of embedded tables
    are checked by the job.
    """
    if isinstance(source, EmbeddedSource):
        there = {"row_id", *source.declared, *SELECTABLE}
    else:
        there = {"row_id", *getattr(source, "names", source.columns)}
    for key, names in [*((f"cuts: {cut.cut}", needed_by(cut)) for cut in cuts), *others.items()]:
        for name in (name for name in names if name not in there):
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.8)
            raise ValueError(
                f"{key} needs the column {name!r}, which the source does not have"
                + (f" (did you mean {near[0]!r}?)" if near else "")
                + "; name it in source.columns"
                + ("" if name in SELECTABLE else " and source.declared (docs/features.md)")
                + f", or change {key.partition(':')[0]}"
            )


def downloaded_from_canonical(text: str) -> SkyServerSource | TapSource:
    """Read the canonical JSON of a source that is downloaded, of either kind."""
    return TypeAdapter(Downloaded).validate_json(text)
