"""The bulk files of a release, made from a simulated sky: laid out as SDSS lays them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits

BANDS = ("u", "g", "r", "i", "z")
VECTORS = {
    "MODELMAG": "",
    "MODELMAGERR": "err_",
    "PSFMAG": "psfMag_",
    "PSFMAGERR": "psfMagErr_",
    "PETROMAG": "petroMag_",
    "PETROMAGERR": "petroMagErr_",
    "EXTINCTION": "extinction_",
}
SPECTRA, PHOTOMETRY = "specObj-dr17.fits", "photoPosPlate-dr17.fits"


def write_release(sky, folder, ids="text", order=None):
    """Write both files; `order` moves the spectra, with their photometry, from plate-mjd-fibre."""
    spec, photo = matched(sky)
    if order is None:
        order = np.lexsort([spec[name].to_numpy() for name in ("fiberID", "mjd", "plate")])
    spec, photo = spec.take(pa.array(order)), photo.take(pa.array(order))
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_table(Path(folder) / SPECTRA, spectra_columns(spec, ids))
    write_table(Path(folder) / PHOTOMETRY, photometry_columns(photo, ids))


def matched(sky):
    """Both tables of a sky, row by row; where a spectrum has no object, photometry is null."""
    spec = pq.read_table(Path(sky) / "specobj.parquet")
    photo = pq.read_table(Path(sky) / "photoobj.parquet")
    known = {objid: row for row, objid in enumerate(photo["objID"].to_pylist())}
    rows = [known.get(objid) for objid in spec["bestObjID"].to_pylist()]
    return spec, photo.take(pa.array(rows, pa.int64()))


def write_table(path, columns):
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]
    fits.HDUList(hdus).writeto(path, overwrite=True)


def spectra_columns(spec, ids):
    return [
        text("SURVEY", spec["survey"], 6),
        text("PROGRAMNAME", spec["programname"], 23),
        numbers("SPECPRIMARY", spec["sciencePrimary"], "B"),
        identifiers("SPECOBJID", spec["specObjID"], ids, 22),
        identifiers("BESTOBJID", spec["bestObjID"], ids, 19),
        numbers("PLATE", spec["plate"], "J"),
        numbers("MJD", spec["mjd"], "J"),
        numbers("FIBERID", spec["fiberID"], "J"),
        numbers("LEGACY_TARGET1", spec["legacy_target1"], "K"),
        numbers("BOSS_TARGET1", spec["boss_target1"], "K"),
        numbers("PLUG_RA", spec["ra"], "D"),
        text("CLASS", spec["class"], 6),
        text("SUBCLASS", spec["subClass"], 21),
        numbers("Z", spec["z"], "E"),
        numbers("Z_ERR", spec["zErr"], "E"),
        numbers("ZWARNING", spec["zWarning"], "J"),
        fits.Column("THETA", "10E", array=np.zeros((len(spec), 10), np.float32)),
    ]


def photometry_columns(photo, ids):
    return [
        identifiers("OBJID", photo["objID"], ids, 19),
        text("RERUN", photo["rerun"].cast(pa.string()), 3),
        numbers("MODE", photo["mode"], "B"),
        numbers("CLEAN", photo["clean"], "J"),
        numbers("RUN", photo["run"], "I"),
        numbers("CAMCOL", photo["camcol"], "B"),
        numbers("FIELD", photo["field"], "I"),
        numbers("OBJC_TYPE", photo["type"], "J"),
        *(vector(name, photo, prefix) for name, prefix in VECTORS.items()),
        in_r("PETROTHETA", photo["petroRad_r"]),
        in_r("PETROTH50", photo["petroR50_r"]),
        in_r("PETROTH90", photo["petroR90_r"]),
        in_r("AB_DEV", photo["deVAB_r"]),
        in_r("AB_EXP", photo["expAB_r"]),
        in_r("FRACDEV", photo["fracDeV_r"]),
        fits.Column("PROFMEAN_NMGY", "75E", array=np.zeros((len(photo), 75), np.float32)),
        numbers("RA", photo["ra"], "D"),
        numbers("DEC", photo["dec"], "D"),
    ]


def identifiers(name, column, ids, width):
    if ids == "integers":
        values = column.fill_null(0).to_numpy()
        zero = 1 << 63 if values.dtype == np.uint64 else None
        return fits.Column(name, "K", bzero=zero, array=values)
    if ids == "signed":
        return fits.Column(name, "K", array=column.fill_null(0).to_numpy().astype(np.int64))
    words = ["" if value in (None, 0) else str(value) for value in column.to_pylist()]
    # SDSS writes the ids of spectra to the right, after blanks
    return fits.Column(name, f"{width}A", array=np.array([word.rjust(width) for word in words]))


def text(name, column, width):
    return fits.Column(name, f"{width}A", array=np.array(column.fill_null("").to_pylist()))


def numbers(name, column, kind):
    return fits.Column(name, kind, array=column.fill_null(0).to_numpy())


def vector(name, photo, prefix):
    bands = [photo[f"{prefix}{band}"].fill_null(0).to_numpy() for band in BANDS]
    return fits.Column(name, "5E", array=np.stack(bands, axis=1))


def in_r(name, column):
    values = np.zeros((len(column), 5), np.float32)
    values[:, 2] = column.fill_null(0).to_numpy()
    return fits.Column(name, "5E", array=values)
