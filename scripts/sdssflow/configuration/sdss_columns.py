"""Which column of SDSS is which: catalogue name -> table and name in the SDSS database.

The names are those of SkyServer's schema browser (tables SpecObjAll and PhotoObjAll, DR17).
Snakemake imports this module each time it parses the workflow: no Arrow here. A test holds the
kinds against the Arrow types of the catalogue.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

BANDS = ("u", "g", "r", "i", "z")


class SdssColumn(NamedTuple):
    """Where SDSS keeps a quantity.

    Attributes
    ----------
    table : {'photo', 'spec'}
        PhotoObjAll or SpecObjAll.
    name : str
        Column of that table.
    kind : {'number', 'integer', 'text'}
        What a condition on it can ask.
    alias : str
        Name in the answer, '' if that of the column; `SpecObjAll.z` is a redshift and
        `PhotoObjAll.z` a magnitude.
    """

    table: Literal["photo", "spec"]
    name: str
    kind: Literal["number", "integer", "text"]
    alias: str = ""

    @property
    def header(self) -> str:
        """Name of the column in the answer."""
        return self.alias or self.name


def _standard() -> dict[str, SdssColumn]:
    columns = {
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
        "clean": SdssColumn("photo", "clean", "integer"),
        "mode": SdssColumn("photo", "mode", "integer"),
        "run": SdssColumn("photo", "run", "integer"),
        "rerun": SdssColumn("photo", "rerun", "integer"),
        "camcol": SdssColumn("photo", "camcol", "integer"),
        "field": SdssColumn("photo", "field", "integer"),
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
    return columns


STANDARD: dict[str, SdssColumn] = _standard()
"""The 42 columns that a sample has if it doesn't say otherwise."""

OPTIONAL: dict[str, SdssColumn] = {
    **{f"psf_mag_err_{b}": SdssColumn("photo", f"psfMagErr_{b}", "number") for b in BANDS},
    **{f"petro_mag_{b}": SdssColumn("photo", f"petroMag_{b}", "number") for b in BANDS},
    **{f"petro_mag_err_{b}": SdssColumn("photo", f"petroMagErr_{b}", "number") for b in BANDS},
    **{f"cmodel_mag_{b}": SdssColumn("photo", f"cModelMag_{b}", "number") for b in BANDS},
    **{f"cmodel_mag_err_{b}": SdssColumn("photo", f"cModelMagErr_{b}", "number") for b in BANDS},
}
"""Columns of the catalogue that a sample can ask for besides."""

DOWNLOADABLE = STANDARD | OPTIONAL
ALWAYS = ("objid", "specobjid", "plate", "fiberid")
"""What the verification of a download needs."""

SELECTABLE: dict[str, SdssColumn] = {
    **DOWNLOADABLE,
    "survey": SdssColumn("spec", "survey", "text"),
    "programname": SdssColumn("spec", "programname", "text"),
    "legacy_target1": SdssColumn("spec", "legacy_target1", "integer"),
    "boss_target1": SdssColumn("spec", "boss_target1", "integer"),
}
"""What a selection can ask: the columns of the catalogue and the flags of target selection."""
