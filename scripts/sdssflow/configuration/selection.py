"""The columns of SDSS, and the selection of rows by typed conditions instead of SQL.

Names of tables and columns are those of SkyServer's schema browser (SpecObjAll and PhotoObjAll,
DR17). Snakemake imports this module each time it parses the workflow: no Arrow here. A test
compares the kinds with the Arrow types of the catalogue.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    Field,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from sdssflow.bands import BANDS
from sdssflow.configuration.declared import SHIPPED, Declared
from sdssflow.configuration.section import Section


def _exact(value: Any, validate: ValidatorFunctionWrapHandler) -> float:
    """Keep an integer that a float would round, such as an id."""
    number: float = validate(value)
    return value if isinstance(value, int) and number != value else number


Limit = Annotated[
    float, WrapValidator(_exact), PlainSerializer(lambda value: value, return_type=int | float)
]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_ .+-]{1,60}$")]
Bit = Annotated[int, Field(ge=0, le=62)]


class SdssColumn(NamedTuple):
    """Where SDSS keeps a quantity, and of what kind it is.

    The tables are PhotoObjAll, SpecObjAll, WISE_allsky and Photoz. The alias is the column's name
    in the answer if it differs: `SpecObjAll.z` is a redshift and `PhotoObjAll.z` a magnitude.
    """

    table: Literal["photo", "spec", "wise", "photoz"]
    name: str
    kind: Literal["number", "integer", "text"]
    alias: str = ""

    @property
    def header(self) -> str:
        """Name of the column in the answer."""
        return self.alias or self.name

    @classmethod
    def of(cls, declared: Declared) -> SdssColumn:
        """Return the column of SDSS that `declared.sdss` names."""
        table, _, name = (declared.sdss or "").partition(".")
        tables: dict[str, Literal["photo", "wise"]] = {"p": "photo", "w": "wise"}
        return cls(tables[table], name, "number")


STANDARD: dict[str, SdssColumn] = {
    "objid": SdssColumn("photo", "objID", "integer"),
    "ra": SdssColumn("photo", "ra", "number"),
    "dec": SdssColumn("photo", "dec", "number"),
    # u..z and err_u..err_z are SkyServer's short names of modelMag_u.. and modelMagErr_u..
    **{f"model_mag_{b}": SdssColumn("photo", b, "number") for b in BANDS},
    **{f"model_mag_err_{b}": SdssColumn("photo", f"err_{b}", "number") for b in BANDS},
    **{f"psf_mag_{b}": SdssColumn("photo", f"psfMag_{b}", "number") for b in BANDS},
    "petro_rad_r": SdssColumn("photo", "petroRad_r", "number"),
    "petro_r50_r": SdssColumn("photo", "petroR50_r", "number"),
    **{f"extinction_{b}": SdssColumn("photo", f"extinction_{b}", "number") for b in BANDS},
    "photo_type": SdssColumn("photo", "type", "integer"),
    **{
        name: SdssColumn("photo", name, "integer")
        for name in ("clean", "mode", "run", "rerun", "camcol", "field")
    },
    "specobjid": SdssColumn("spec", "specObjID", "integer"),
    "plate": SdssColumn("spec", "plate", "integer"),
    "mjd": SdssColumn("spec", "mjd", "integer"),
    "fiberid": SdssColumn("spec", "fiberID", "integer"),
    "spec_class": SdssColumn("spec", "class", "text"),
    "spec_subclass": SdssColumn("spec", "subClass", "text"),
    "zspec": SdssColumn("spec", "z", "number", alias="redshift"),
    "zspec_err": SdssColumn("spec", "zErr", "number"),
    "z_warning": SdssColumn("spec", "zWarning", "integer"),
    "science_primary": SdssColumn("spec", "sciencePrimary", "integer"),
}
"""The 42 columns that a sample has by default."""

OPTIONAL: dict[str, SdssColumn] = {
    **{f"psf_mag_err_{b}": SdssColumn("photo", f"psfMagErr_{b}", "number") for b in BANDS},
    **{f"petro_mag_{b}": SdssColumn("photo", f"petroMag_{b}", "number") for b in BANDS},
    **{f"petro_mag_err_{b}": SdssColumn("photo", f"petroMagErr_{b}", "number") for b in BANDS},
    **{f"cmodel_mag_{b}": SdssColumn("photo", f"cModelMag_{b}", "number") for b in BANDS},
    **{f"cmodel_mag_err_{b}": SdssColumn("photo", f"cModelMagErr_{b}", "number") for b in BANDS},
    "wise_id": SdssColumn("wise", "cntr", "integer", alias="wise_id"),
    **{name: SdssColumn.of(column) for name, column in SHIPPED.items() if column.sdss},
    # z and zErr are names of other tables too
    "sdss_photoz": SdssColumn("photoz", "z", "number", alias="photoz"),
    "sdss_photoz_err": SdssColumn("photoz", "zErr", "number", alias="photozErr"),
    "sdss_photoz_neighbours": SdssColumn("photoz", "nnCount", "integer"),
    "sdss_photoz_error_class": SdssColumn("photoz", "photoErrorClass", "integer"),
}
"""Further columns of the catalogue that a sample can request."""

DOWNLOADABLE = STANDARD | OPTIONAL
PHOTOZ = tuple(name for name, column in OPTIONAL.items() if column.table == "photoz")
"""SDSS's own photometric redshifts, DR12 and later (Beck et al. 2016): all columns or none."""
ALWAYS = ("objid", "specobjid", "plate", "fiberid")
"""What the verification of a download needs."""
ALWAYS_PHOTOMETRY = ("objid", "run", "camcol", "field")
"""The same for objects without spectra."""

SELECTABLE: dict[str, SdssColumn] = {
    **DOWNLOADABLE,
    "survey": SdssColumn("spec", "survey", "text"),
    "programname": SdssColumn("spec", "programname", "text"),
    "legacy_target1": SdssColumn("spec", "legacy_target1", "integer"),
    "boss_target1": SdssColumn("spec", "boss_target1", "integer"),
}
"""Columns that a selection can use: those of the catalogue and the target flags."""


class Condition(Section):
    """One condition on one column; a row has to meet all conditions of a selection."""

    column: str
    """A column of the catalogue, or `survey`, `programname`, `legacy_target1`, `boss_target1`."""
    minimum: Limit | None = None
    """Smallest value, included."""
    maximum: Limit | None = None
    """Largest value, included."""
    any_of: list[Word] | list[int] | None = Field(default=None, min_length=1)
    """Strings (for a text column) or integers, one of which the column must equal. SkyServer
    ignores case."""
    any_bit: list[Bit] | None = Field(default=None, min_length=1)
    """Bits, counted from 0, of which at least one is set."""
    no_bit: list[Bit] | None = Field(default=None, min_length=1)
    """Bits, counted from 0, of which none is set."""
    dereddened: bool = False
    """Correct a magnitude for Galactic extinction before it is compared."""

    @field_validator("column")
    @classmethod
    def _column_is_known(cls, name: str) -> str:
        if name not in SELECTABLE:
            # users also write the names of SDSS
            known = {column.header.lower(): ours for ours, column in SELECTABLE.items()}
            known |= {ours: ours for ours in SELECTABLE}
            near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
            hint = f" (did you mean {known[near[0]]!r}?)" if near else ""
            raise ValueError(f"there is no column {name!r}{hint}; docs/skyserver.md lists them")
        return name

    @model_validator(mode="after")
    def _condition_fits_the_column(self) -> Condition:
        kind = SELECTABLE[self.column].kind
        ranged = self.minimum is not None or self.maximum is not None
        if sum(map(bool, (ranged, self.any_of, self.any_bit or self.no_bit))) != 1:
            raise ValueError(
                f"a condition on {self.column!r} takes minimum and maximum, or any_of, or any_bit "
                "and no_bit"
            )
        if kind == "text" and not (self.any_of and isinstance(self.any_of[0], str)):
            raise ValueError(f"{self.column!r} holds text: write any_of with words")
        if kind != "text" and self.any_of and isinstance(self.any_of[0], str):
            raise ValueError(f"{self.column!r} holds numbers: any_of takes whole numbers")
        if kind == "number" and not ranged:
            raise ValueError(f"{self.column!r} is a measurement: write minimum and maximum")
        if self.dereddened and not re.fullmatch(r"[a-z]+_mag_[ugriz]", self.column):
            raise ValueError(f"dereddened: {self.column!r} is not a magnitude of SDSS")
        return self


def refuse_statements(sql: str) -> str:
    """Return an SQL condition unchanged.

    ValueError if it has a comment, a second statement, another SELECT, or unmatched parentheses.
    """
    for mark in (";", "--", "/*", "#", "\n"):
        if mark in sql:
            raise ValueError(f"{mark!r} is not allowed in a condition")
    if "select " in f"{sql.lower()} ":
        raise ValueError("SkyServer does not run a second SELECT; write a condition")
    depth = 0
    for character in sql:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            break
    if depth or sql.count("'") % 2:
        raise ValueError("parentheses or quotes don't match")
    return sql


def canonical_conditions(selection: list[Condition]) -> list[dict[str, Any]]:
    """Return conditions as plain values, without defaults."""
    return [condition.model_dump(mode="json", exclude_defaults=True) for condition in selection]
