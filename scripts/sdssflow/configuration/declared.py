"""Numeric columns beyond ugriz: those that a user declares, and those that need no declaration.

Each is described in one place, here or under `source.declared` of a sample: name, unit, range,
meaning, meaning of a missing value, and where SDSS keeps it. Catalogue, queries, bulk files, checks
and features are derived from that. Snakemake imports this module each time it parses the workflow:
no Arrow here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sdssflow.bands import WISE_BANDS
from sdssflow.configuration.section import Name, Section, Text


class Declared(Section):
    """A numeric column: its meaning, and what a missing value means."""

    unit: str = ""
    """Unit; by default it is a plain number."""
    minimum: float | None = None
    """Smallest possible number; smaller ones become missing and are counted."""
    maximum: float | None = None
    """Largest possible number."""
    missing: Literal["not_observed", "not_detected"]
    """Meaning of a missing value: not observed, or observed and not detected."""
    limit_without: Name | None = None
    """Another column of the catalogue, such as the error: where it has no value, the number here is
    a limit, and the object was observed and not detected."""
    meaning: Text
    """What the number is, in a few words."""
    sdss: str | None = Field(default=None, pattern=r"^[pw]\.[A-Za-z_][A-Za-z0-9_]*$")
    """For SkyServer: a column of PhotoObjAll (`p.fracDeV_g`) or of WISE_allsky (`w.w1rchi2`)."""
    bulk: str | None = Field(default=None, pattern=r"^[A-Z_][A-Z0-9_]*(\[[0-4]\])?$")
    """For bulk files: a column of photoPosPlate; for a vector of five bands the element, counted
    from 0 (`FRACDEV[1]`)."""


def _shape(meaning: str, sdss: str, bulk: str, unit: str = "", maximum: float = 1) -> Declared:
    return Declared(
        unit=unit, minimum=0, maximum=maximum, missing="not_observed", meaning=meaning, sdss=sdss,
        bulk=bulk,
    )  # fmt: skip


def _wise(band: str) -> dict[str, Declared]:
    # below 2 sigma WISE gives a 95 % limit instead of the magnitude, and no error (All-Sky
    # Explanatory Supplement, section II.2.a). SkyServer's table has no NULL; the values that it has
    # instead lie outside these ranges
    name = band.upper()
    return {
        f"wise_mag_{band}": Declared(
            unit="mag", minimum=-5, maximum=25, missing="not_observed",
            limit_without=f"wise_mag_err_{band}", meaning=f"WISE magnitude in {name}, Vega",
            sdss=f"w.{band}mpro",
        ),
        f"wise_mag_err_{band}": Declared(
            unit="mag", minimum=1e-4, maximum=5, missing="not_observed",
            meaning=f"error of the WISE magnitude in {name}; none where that is a limit",
            sdss=f"w.{band}sigmpro",
        ),
    }  # fmt: skip


def _galex(band: str) -> dict[str, Declared]:
    what = f"GALEX magnitude in {band.upper()}, AB"
    return {
        f"galex_mag_{band}": Declared(
            unit="mag", minimum=5, maximum=35, missing="not_observed", meaning=what
        ),
        f"galex_mag_err_{band}": Declared(
            unit="mag",
            minimum=0,
            maximum=100,
            missing="not_observed",
            meaning=f"error of the {what}",
        ),
    }


SHIPPED: dict[str, Declared] = {
    "petro_r90_r": _shape(
        "radius of 90 % of the Petrosian flux in r", "p.petroR90_r", "PETROTH90[2]", "arcsec", 1000
    ),
    "axis_ratio_dev_r": _shape(
        "axis ratio of the de Vaucouleurs fit in r", "p.deVAB_r", "AB_DEV[2]"
    ),
    "axis_ratio_exp_r": _shape("axis ratio of the exponential fit in r", "p.expAB_r", "AB_EXP[2]"),
    "frac_dev_r": _shape(
        "weight of the de Vaucouleurs fit in the composite model in r", "p.fracDeV_r", "FRACDEV[2]"
    ),
    **{name: column for band in WISE_BANDS for name, column in _wise(band).items()},
    **{name: column for band in ("fuv", "nuv") for name, column in _galex(band).items()},
}
"""Columns that need no declaration: a source has them if it maps or requests them."""


def _no_limit_of_itself(declared: dict[str, Declared]) -> dict[str, Declared]:
    for name, column in declared.items():
        if name in SHIPPED:
            raise ValueError(f"{name!r} needs no declaration; choose another name")
        if column.limit_without == name:
            raise ValueError(f"{name}: limit_without names the column itself")
    return declared


# omitted if empty, so that plans, stored answers and parameters stay as they were
Declarations = Annotated[
    dict[Name, Declared],
    Field(default={}, exclude_if=lambda declared: not declared),
    AfterValidator(_no_limit_of_itself),
]


def known_columns(declared: Mapping[str, Declared]) -> dict[str, Declared]:
    """Return all columns beyond ugriz, those of the project and those declared."""
    return {**SHIPPED, **declared}
