"""Which column of the bulk files is which: catalogue name -> file, column, element of its vector.

``specObj`` holds one row per spectrum, ``photoPosPlate`` the imaging at its position, in the same
order; the bands u, g, r, i, z are the elements of vectors. What the names were checked against:

* ``specObj``: scripts of others that read these columns from specObj-dr13, -dr14 and -dr16
  (SPECOBJID, BESTOBJID, PLATE, MJD, FIBERID, CLASS, SUBCLASS, Z, Z_ERR, ZWARNING, SPECPRIMARY,
  SURVEY, PROGRAMNAME); the SDSS data model specObj.html, whose types are int16 for PLATE, FIBERID
  and SPECPRIMARY, int32 for MJD, float32 for Z; the field list of SPARCL for LEGACY_TARGET1 and
  BOSS_TARGET1.
* ``photoPosPlate``: the data model says that it has the structure of photoObj and the order of
  specObj; photoObj.html (OBJID and RERUN are text, MODE int8, CLEAN int32) and the printed column
  list of a photoObj file, with MODELMAG, PSFMAG, PETROMAG, their errors, EXTINCTION, PETROTHETA and
  PETROTH50. CMODELMAG and CMODELMAGERR are named after these; no list that was seen has them.
* Empty rows where nothing was found, and ids as text: the loading notes of NOIRLab's Data Lab.

SkyServer's names for the same: `type` is OBJC_TYPE, `petroRad` PETROTHETA, `petroR50` PETROTH50,
`sciencePrimary` SPECPRIMARY.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from sdssflow.acquire.schema import BANDS


class BulkColumn(NamedTuple):
    """Where a quantity stands.

    Attributes
    ----------
    file : {'spectra', 'photometry'}
        specObj or photoPosPlate.
    name : str
        Column of that file.
    element : int or None
        Which element of the column's vectors.
    """

    file: Literal["spectra", "photometry"]
    name: str
    element: int | None = None


def _columns() -> dict[str, BulkColumn]:
    spectra = {
        "specobjid": "SPECOBJID",
        "best_objid": "BESTOBJID",
        "plate": "PLATE",
        "mjd": "MJD",
        "fiberid": "FIBERID",
        "spec_class": "CLASS",
        "spec_subclass": "SUBCLASS",
        "zspec": "Z",
        "zspec_err": "Z_ERR",
        "z_warning": "ZWARNING",
        "science_primary": "SPECPRIMARY",
        "survey": "SURVEY",
        "programname": "PROGRAMNAME",
        "legacy_target1": "LEGACY_TARGET1",
        "boss_target1": "BOSS_TARGET1",
    }
    photometry = {
        "objid": "OBJID",
        "ra": "RA",
        "dec": "DEC",
        "photo_type": "OBJC_TYPE",
        "clean": "CLEAN",
        "mode": "MODE",
        "run": "RUN",
        "rerun": "RERUN",
        "camcol": "CAMCOL",
        "field": "FIELD",
    }
    vectors = {
        "model_mag": "MODELMAG",
        "model_mag_err": "MODELMAGERR",
        "psf_mag": "PSFMAG",
        "psf_mag_err": "PSFMAGERR",
        "petro_mag": "PETROMAG",
        "petro_mag_err": "PETROMAGERR",
        "cmodel_mag": "CMODELMAG",
        "cmodel_mag_err": "CMODELMAGERR",
        "extinction": "EXTINCTION",
    }
    red = BANDS.index("r")
    return {
        **{name: BulkColumn("spectra", column) for name, column in spectra.items()},
        **{name: BulkColumn("photometry", column) for name, column in photometry.items()},
        **{
            f"{name}_{band}": BulkColumn("photometry", column, element)
            for name, column in vectors.items()
            for element, band in enumerate(BANDS)
        },
        "petro_rad_r": BulkColumn("photometry", "PETROTHETA", red),
        "petro_r50_r": BulkColumn("photometry", "PETROTH50", red),
    }


BULK_COLUMNS: dict[str, BulkColumn] = _columns()
"""Every column that a sample can ask for or select by, and `best_objid`, which ties the files."""
