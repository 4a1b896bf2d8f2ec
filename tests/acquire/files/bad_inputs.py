"""Broken files and wrong settings, each with words that its message has to contain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import Table

from tests.acquire.files.good_table import (
    BANDS,
    ROWS,
    good_columns,
    good_frame,
    with_cell,
    write,
    write_groups,
)


class BadInput(NamedTuple):
    """One way to go wrong: `make` writes a file to a folder, `settings` are added to the source."""

    name: str
    make: Callable[[Path], Path]
    fragments: tuple[str, ...]
    settings: dict[str, Any] = {}


def frame(make: Callable[[], pd.DataFrame], file: str = "photo.csv") -> Callable[[Path], Path]:
    return lambda folder: write(make(), folder / file)


def cell(row: int, column: str, value: Any) -> Callable[[Path], Path]:
    return frame(lambda: with_cell(row, column, value))


def column(name: str, values: Any, file: str = "photo.csv") -> Callable[[Path], Path]:
    return frame(lambda: good_frame().assign(**{name: values}), file)


def content(raw: bytes, file: str = "photo.csv") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / file).write_bytes(raw)
        return folder / file

    return make


def edited(edit: Callable[[list[str]], list[str]]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = write(good_frame(), folder / "photo.csv")
        path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")
        return path

    return make


def cut_short(file: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = write(pd.concat([good_frame()] * 50), folder / file)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return path

    return make


def mapped(**changes: str | None) -> dict[str, Any]:
    columns = {**good_columns(), **changes}
    return {"columns": {name: to for name, to in columns.items() if to is not None}}


def latin_1(folder: Path) -> Path:
    path = cell(3, "class", "GALAXI\xcb")(folder)
    path.write_bytes(path.read_text().encode("latin-1"))
    return path


def called(file: str) -> Callable[[Path], Path]:
    """Return a maker of CSV under the name of another format."""
    return lambda folder: frame(good_frame)(folder).rename(folder / file)


def vectors(folder: Path) -> Path:
    table = Table.from_pandas(good_frame())
    table["modelMag"] = np.stack([table[band] for band in BANDS], axis=1)
    table.write(folder / "photo.fits")
    return folder / "photo.fits"


def list_column(folder: Path) -> Path:
    values = good_frame()[list(BANDS)].to_numpy().tolist()
    values[4] = values[4][:3]
    return write(good_frame().assign(modelMag=values), folder / "photo.parquet")


def image_only(folder: Path) -> Path:
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(folder / "photo.fits")
    return folder / "photo.fits"


def two_votables(folder: Path) -> Path:
    good = good_frame().astype({"specObjID": str})  # VOTable has no unsigned 64-bit integers
    file = from_table(Table.from_pandas(good))
    second = from_table(Table.from_pandas(good)).resources[0]
    second.tables[0].name = "spectra"
    file.resources[0].tables[0].name = "photo"
    file.resources.append(second)
    file.to_xml(str(folder / "photo.vot"))
    return folder / "photo.vot"


def two_groups(folder: Path) -> Path:
    path = write_groups(good_frame(), folder / "photo.h5")
    return write_groups(good_frame(), path, "spectra")


def non_ascii_fits(folder: Path) -> Path:
    good = good_frame()
    labels = np.array([b"GAL\xc4XY"] * ROWS)
    columns = [fits.Column("class", "6A", array=labels)]
    columns += [fits.Column(band, "E", array=good[band].to_numpy()) for band in BANDS]
    hdu = fits.BinTableHDU.from_columns(columns)
    raw = hdu.data.view(np.ndarray)
    assert raw["class"][0] == b"GAL\xc4XY"
    hdu.writeto(folder / "photo.fits")
    return folder / "photo.fits"


IDS = good_frame()["objID"]
PHOTOMETRY = {f"model_mag_{band}": band for band in BANDS}

FILES = [
    BadInput("no such file", lambda folder: folder / "photo.csv", ("no such file",)),
    BadInput("empty file", content(b""), ("is empty",)),
    BadInput("header and no rows", edited(lambda lines: lines[:1]), ("no rows",)),
    BadInput("a web page", content(b"<!DOCTYPE html><html></html>"),
             ("it is a web page", "in a browser")),
    BadInput("an error in JSON", content(b'{"ErrorCode": 500}'),
             ("JSON", "server's message", "fetch the table again")),
    BadInput(
        "header names fewer columns than rows have",
        edited(lambda lines: [lines[0].replace(",plate", ""), *lines[1:]]),
        ("line 2", "names 11 columns", "12 values", "12 lines"),
        mapped(plate=None),
    ),
    BadInput(
        "last line cut short, an empty line before",
        edited(lambda lines: [*lines[:4], "", *lines[4:-1], lines[-1][:30]]),
        ("line 14", "names 12 columns"),
    ),
    BadInput("a column twice in the header",
             edited(lambda x: [x[0].replace("dec", "redshift"), *x[1:]]),
             ("names 'redshift' 2 times",), mapped(ra=None, dec=None)),
    BadInput("gzip cut short", cut_short("photo.csv.gz"), ("photo.csv.gz", "can't be unpacked")),
    BadInput("not UTF-8", latin_1, ("row 3 (line 5)", "not UTF-8")),
    BadInput("other content than recorded", frame(good_frame), ("SHA-256",), {"sha256": "0" * 64}),
    BadInput("source.table for a CSV", frame(good_frame), ("text file has no named tables",),
             {"table": "x"}),
    BadInput("Parquet cut short", cut_short("photo.parquet"), ("as Parquet",)),
    BadInput("text called FITS", called("photo.fits"),
             ("suffix is that of FITS", "is text", "'objID,", "source.format to csv")),
    BadInput("FITS cut short", cut_short("photo.fits"), ("photo.fits",)),
    BadInput("FITS image", image_only, ("no extension holds a table",)),
    BadInput("no such extension", frame(good_frame, "photo.fits"), ("no table 'SPEC'",),
             {"table": "SPEC"}),
    BadInput("text called VOTable", called("photo.vot"),
             ("suffix is that of VOTable", "is text")),
    BadInput("two VOTables in a file", two_votables, ("2 tables", "photo, spectra")),
    BadInput("text called HDF5", called("photo.h5"), ("suffix is that of HDF5", "is text")),
    BadInput("two groups in HDF5", two_groups, ("2 tables", "objects, spectra")),
    BadInput("no such group", two_groups, ("no table 'spectrum'", "did you mean 'spectra'"),
             {"table": "spectrum"}),
]  # fmt: skip

MAPPINGS = [
    BadInput("file column misspelt", frame(good_frame), ("'redshfit'", "did you mean 'redshift'"),
             mapped(zspec="redshfit")),
    BadInput("catalogue name misspelt", frame(good_frame),
             ("'model_mag_uu'", "did you mean 'model_mag_u'"), mapped(model_mag_uu="u")),
    BadInput("row_id mapped", frame(good_frame), ("row_id", "assigned"), mapped(row_id="objID")),
    BadInput("one file column for two bands", frame(good_frame), ("both", "'g'"),
             mapped(model_mag_u="g")),
    BadInput("ra without dec", frame(good_frame), ("only one of ra and dec",), mapped(dec=None)),
    BadInput("nothing to learn", frame(good_frame), ("neither spec_class nor zspec",),
             mapped(spec_class=None, zspec=None)),
    BadInput("a band missing", frame(good_frame), ("model_mag_i", "model, psf, petro or cmodel"),
             mapped(model_mag_i=None)),
    BadInput("vector column without an index", vectors, ("modelMag[0]", "several values"),
             mapped(model_mag_u="modelMag")),
    BadInput("index beyond the vector", vectors, ("modelMag[5]", "5 elements"),
             mapped(model_mag_u="modelMag[5]")),
    BadInput("index of a plain column", vectors, ("u[0]", "one value per row"),
             mapped(model_mag_u="u[0]")),
    BadInput("list too short in one row", list_column, ("modelMag[4]", "every row"),
             mapped(model_mag_z="modelMag[4]")),
    BadInput("list column without an index", list_column, ("modelMag[0]",),
             mapped(model_mag_z="modelMag")),
]  # fmt: skip

IDENTIFIERS = [
    BadInput("id with exponent", cell(4, "objID", "1.24E+18"),
             ("objID -> objid", "row 4 (line 6)", "'1.24E+18'", "floating point")),
    BadInput("id with a decimal point", cell(0, "objID", "1237650000000000000.0"),
             ("row 0 (line 2)", "floating point")),
    BadInput("ids stored as float64", column("objID", IDS.astype(float), "photo.parquet"),
             ("stored as floating point",)),
    BadInput("ids that were float64 once", column("objID", IDS.astype(float).astype(np.int64)
             + 256 * np.arange(ROWS)), ("float64", "12 different ids")),
    BadInput("ids of few digits", column("objID", (IDS // 10**7 + np.arange(ROWS)) * 10**7),
             ("end in zeros", "12 of 12")),
    BadInput("specobjids of few digits", column("specObjID", [f"{n}00000" for n in range(
             10**13 + 1, 10**13 + 2 * ROWS, 2)]), ("specObjID", "end in zeros")),
    BadInput("one id for all rows", column("objID", 1237645941824356401),
             ("12 rows share 1 different",)),
    BadInput("objid beyond 63 bits", cell(3, "objID", "9223372036854775808"), ("row 3", "int64")),
    BadInput("specobjid stored as signed", cell(2, "specObjID", "-9223372036854775807"),
             ("row 2", "uint64", "unsigned")),
    BadInput("negative objid", cell(2, "objID", "-1237645941824356401"), ("row 2", "negative")),
    BadInput("id with a letter", cell(5, "objID", "1237645941824356401L"), ("not an integer",)),
]  # fmt: skip

VALUES = [
    BadInput("text among numbers", cell(7, "g", "18.1 mag"),
             ("g -> model_mag_g", "row 7 (line 9)", "'18.1 mag' is not a number")),
    BadInput("booleans for a magnitude", column("u", True, "photo.parquet"), ("bool", "numbers")),
    BadInput("complex numbers", column("u", 19 + 1j, "photo.fits"), ("complex128", "neither")),
    BadInput("dates for plates", column("plate", pd.Timestamp("2020-01-01"), "photo.parquet"),
             ("timestamp",)),
    BadInput("plate with a fraction", cell(1, "plate", "752.5"), ("row 1", "not an integer")),
    BadInput("plate beyond 32 bits", cell(1, "plate", 2**33), ("row 1", "8589934592", "outside")),
    BadInput("fibre out of range", column("fiber", [2000] + [640] * (ROWS - 1)),
             ("2000 is outside [1, 1000]",),
             mapped(fiberid="fiber")),
    BadInput("right ascension above 360", cell(6, "ra", 400.5), ("row 6 (line 8)", "[0, 360] deg")),
    BadInput("right ascension from -180 to 180", cell(6, "ra", -10.5), ("Add 360",)),
    BadInput("declination below -90", cell(0, "dec", -91.0), ("-91", "[-90, 90] deg")),
    BadInput("unknown class", cell(3, "class", "GALAXIE"),
             ("'GALAXIE'", "did you mean 'GALAXY'", "row 3", "source.class_labels")),
    BadInput("classes as floating point", column("class", np.ones(ROWS), "photo.parquet"),
             ("double", "text or integers")),
    BadInput("unknown published part", column("part", "validation"), ("train and test",),
             mapped(published_part="part")),
    BadInput("fluxes for magnitudes", column("u", 2.5), ("12 of 12", "[5, 35] mag")),
    BadInput("nothing but sentinels", column("r", -9999.0), ("no usable value",)),
    BadInput("text that is not UTF-8 in FITS", non_ascii_fits, ("'class'", "UTF-8"),
             {"columns": {"spec_class": "class", **PHOTOMETRY}}),
]  # fmt: skip

CASES = FILES + MAPPINGS + IDENTIFIERS + VALUES
