"""Text and packed files that can't be read, each with words that its message has to contain."""

from __future__ import annotations

import gzip
import pickle
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.acquire.files.bad_inputs import BadInput, cell, content, edited, mapped
from tests.acquire.files.good_table import ROWS, good_frame, write
from tests.acquire.files.packing import tarred, with_password, zipped

if TYPE_CHECKING:
    from astropy.table import Table


def packed(
    pack: Callable[[bytes], bytes], file: str = "photo.csv", kind: str = "csv"
) -> Callable[[Path], Path]:
    """Return a maker of the good table, packed."""

    def make(folder: Path) -> Path:
        raw = write(good_frame(), folder / f"plain.{kind}").read_bytes()
        (folder / file).write_bytes(pack(raw))
        return folder / file

    return make


def changed(change: Callable[[str], str]) -> Callable[[Path], Path]:
    """Return a maker of the good table whose text is changed."""
    return packed(lambda raw: change(raw.decode()).encode())


def pickled(folder: Path) -> Path:
    (folder / "photo.csv").write_bytes(pickle.dumps(good_frame()))
    return folder / "photo.csv"


def database(folder: Path) -> Path:
    with sqlite3.connect(folder / "photo.db") as connection:
        good_frame().astype({"specObjID": str}).to_sql("photo", connection)
    return folder / "photo.db"


def arrays(folder: Path) -> Path:
    good = good_frame()
    np.savez(folder / "photo.npz", **{name: np.array(good[name].tolist()) for name in good})
    return folder / "photo.npz"


def array_of_objects(folder: Path) -> Path:
    np.save(folder / "photo.npy", np.array(good_frame().to_records(index=False)))
    return folder / "photo.npy"


def array_without_names(folder: Path) -> Path:
    np.save(folder / "photo.npy", good_frame()[["u", "g", "r", "i", "z"]].to_numpy()[:, :, None])
    return folder / "photo.npy"


def two_arrays(folder: Path) -> Path:
    path = write(good_frame(), folder / "photo.npy")
    path.write_bytes(2 * path.read_bytes())
    return path


def cut_array(folder: Path) -> Path:
    path = write(good_frame(), folder / "photo.npy")
    path.write_bytes(path.read_bytes()[:-30])
    return path


def five_times(raw: bytes) -> bytes:
    for _ in range(5):
        raw = gzip.compress(raw)
    return raw


def units_line(lines: list[str]) -> list[str]:
    return [lines[0], ",,deg,deg,,,,mag,mag,mag,mag,mag", *lines[1:]]


def note(text: str) -> Callable[[Path], Path]:
    """Return a maker of a table with one more column, which holds `text` in row 4."""

    def change(lines: list[str]) -> list[str]:
        return [f"{line},{'note' if i == 0 else text if i == 5 else 'ok'}"
                for i, line in enumerate(lines)]  # fmt: skip

    return edited(change)


def astropys(kind: str) -> Callable[[Path], Path]:
    """Return a maker of a text in a format of astropy that is not read."""

    def make(folder: Path) -> Path:
        from astropy.table import Table

        Table.from_pandas(good_frame()).write(folder / "photo.csv", format=f"ascii.{kind}")
        return folder / "photo.csv"

    return make


def ecsv(change: Callable[[Table], None]) -> Callable[[Path], Path]:
    """Return a maker of an ECSV file of the good table, changed."""

    def make(folder: Path) -> Path:
        from astropy.table import Table

        table = Table.from_pandas(good_frame())
        change(table)
        table.write(folder / "photo.ecsv", format="ascii.ecsv")
        return folder / "photo.ecsv"

    return make


def in_jansky(table: Table) -> None:
    table["g"].unit = "Jy"


def ecsv_text(change: Callable[[str], str]) -> Callable[[Path], Path]:
    """Return a maker of an ECSV file whose text is changed."""

    def make(folder: Path) -> Path:
        path = ecsv(lambda table: None)(folder)
        path.write_text(change(path.read_text()))
        return path

    return make


CONTAINERS = [
    BadInput("ZIP with two files", packed(zipped("a.csv", "b.csv")),
             ("ZIP archive with 2 files: a.csv, b.csv", "Unpack it")),
    BadInput("ZIP called X.csv.zip with two files", packed(zipped("a.csv", "b.csv"),
             "photo.csv.zip"), ("ZIP archive with 2 files", "set source.path to one of them")),
    BadInput("ZIP without a file", packed(zipped("a/")), ("ZIP archive with 0 files",)),
    BadInput("ZIP with a password", packed(with_password), ("password", "Unpack it")),
    BadInput("damaged ZIP", packed(lambda raw: zipped("a.csv")(raw)[:-30]), ("ZIP", "damaged")),
    BadInput("tar with two files", packed(tarred("a.csv", "b.csv"), "photo.tar"),
             ("tar archive with 2 files: a.csv, b.csv",)),
    BadInput("gzip five times", packed(five_times), ("compressed more than 4 times",)),
    BadInput("7z", content(b"7z\xbc\xaf\x27\x1c\0\4", "photo.7z"), ("a 7z archive", "7z x")),
    BadInput("RAR", content(b"Rar!\x1a\x07\x01\0", "photo.csv"), ("a RAR archive", "unrar")),
    BadInput("compress", content(b"\x1f\x9d\x90" + b"o" * 40, "photo.csv.Z"),
             ("Unix compress", "gzip -d")),
    BadInput("Excel", packed(zipped("[Content_Types].xml", "xl/workbook.xml")),
             ("Excel workbook", "as CSV")),
    BadInput("old Excel", content(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99),
             ("Excel workbook (.xls)",)),
    BadInput("OpenDocument", packed(zipped("content.xml", "meta.xml"), "photo.ods"),
             ("OpenDocument",)),
    BadInput("pickle", pickled, ("pickle", "never opened", "to_parquet")),
    BadInput("IPAC", astropys("ipac"), ("an IPAC table", "format='ascii.ipac'")),
    BadInput("machine-readable", astropys("mrt"), ("machine-readable", "format='ascii.mrt'")),
    BadInput("Git LFS", content(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
             ("a Git LFS pointer", "git lfs pull")),
    BadInput("SQLite", database, ("SQLite database", "sqlite3 -header -csv")),
    BadInput("NumPy arrays", arrays, ("NumPy arrays", "astropy")),
    BadInput("NumPy array of objects", array_of_objects,
             ("a pickle, which is never opened", "texts of fixed length")),
    BadInput("NumPy array of arrays", array_without_names,
             ("the array (12 by 5 by 1) is not a table", "one record per row")),
    BadInput("two NumPy arrays", two_arrays,
             ("bytes follow the first array", "one array into one file")),
    BadInput("NumPy array cut short", cut_array, ("can't be read as NumPy", "truncated")),
    BadInput("PDF", content(b"%PDF-1.4\n%\xe2\xe3"), ("a PDF document", "Fetch")),
    BadInput("XML", content(b"<?xml version='1.0'?><error>no such object</error>", "photo.vot"),
             ("XML, but not a VOTable", "no such object")),
    BadInput("bytes of no kind", content(bytes(range(99)), "photo.dat"),
             ("of an unknown format", "Readable formats are: CSV")),
    BadInput("UTF-16 without its mark", packed(lambda raw: raw.decode().encode("utf-16-le")),
             ("line 1", "NUL byte", "UTF-16")),
    BadInput("stated as Parquet, is text", packed(bytes), ("says parquet, but it is text: 'objID,",
             "set it to csv"), {"format": "parquet"}),
    BadInput("stated as CSV, is FITS", packed(bytes, "photo.csv", "fits"),
             ("says csv, but it is a FITS file", "set it to fits"), {"format": "csv"}),
    BadInput("stated as FITS, is a zipped VOTable", packed(zipped("a.vot"), "photo.fits", "vot"),
             ("says fits, but it is a VOTable", "set it to votable"), {"format": "fits"}),
]  # fmt: skip

TEXTS = [
    BadInput("a title above the header", changed(lambda text: f"My table\n\n{text}"),
             ("'My table' (line 1)", "not a header", "remove the lines above")),
    BadInput("a server's error", content(b"ERROR: Query timed out after 600 s\n"),
             ("'ERROR: Query timed out after 600 s'", "not a header")),
    BadInput("a comment amid the rows", edited(
        lambda lines: [*lines[:5], f"#{lines[5]}", *lines[6:]]),
             ("line 6", "begins with #", "If it is a comment, remove it")),
    BadInput("one column", changed(lambda text: re.sub(",.*", "", text)),
             ("not a header with several columns", "save the table as CSV")),
    BadInput("an error where rows end", edited(lambda lines: [*lines, "Error: timeout"]),
             ("line 14", "1 value:", "'Error: timeout'")),
    BadInput("a comma more in rows", edited(
        lambda lines: [line + "," * (i > 0) for i, line in enumerate(lines)]),
             ("line 2", "names 12 columns", "13 values (12 lines")),
    BadInput("a line of units", edited(units_line),
             ("column 'ra', row 0 (line 2)", "'deg' is not a number", "remove the line")),
    BadInput("names alike but for blanks",
             changed(lambda text: text.replace("dec,", " redshift ,", 1)),
             ("names 'redshift' 2 times",), mapped(ra=None, dec=None)),
    BadInput("a name in capitals", changed(lambda text: text.replace("dec,", "DEC,", 1)),
             ("no column 'dec' (did you mean 'DEC'?)",)),
    BadInput("a quote that is not closed", note('"see plate 5'),
             ("line 6", "opening quote, but no closing one", "Close the quote")),
    BadInput("a quote closed by the next one", edited(
        lambda lines: [f'{line},{"note" if i == 0 else chr(34) if i in (5, 8) else "ok"}'
                       for i, line in enumerate(lines)]),
             ("line 6", "contains line ends and as many separators as 3 rows")),
    BadInput("a quote amid a row closed by the next row", edited(
        lambda lines: [line.replace("GALAXY", '"').replace("QSO", '"') for line in lines]),
             ("line 2", "contains line ends and as many separators as 1 row")),
    BadInput("text after a quote", note('"a "b" c"'), ("line 6", "ends a value within")),
    BadInput("a backslash before a quote", note(r'"a \"b\" c"'), ("line 6", "ends a value within")),
    BadInput("a NUL byte", note("a\0b"), ("line 6", "a NUL byte")),
    BadInput("a line without end", note("x" * 2**21), ("line 6", "longer than 1 MiB")),
    BadInput("a file of one line", content(b"objID,ra," + b"1," * 2**20),
             ("line 1", "longer than 1 MiB")),
    BadInput("sexagesimal", cell(5, "ra", "12:34:56.7"),
             ("column 'ra', row 5 (line 7)", "'12:34:56.7'", "decimal degrees")),
    BadInput("sexagesimal with letters", cell(5, "dec", "-01d02m03s"),
             ("column 'dec', row 5 (line 7)", "decimal degrees")),
    BadInput("a decimal comma", cell(2, "g", "18,5"),
             ("row 2 (line 4)", "'18,5' is not a number", "with a decimal point")),
    BadInput("exponent of Fortran", cell(2, "u", "1.95D+01"), ("row 2 (line 4)", "with e")),
    BadInput("marks for thousands", cell(2, "plate", "1,752"), ("row 2 (line 4)", "thousands")),
    BadInput("a dash for nothing", cell(2, "g", "-"), ("'-' is not a number", "cell empty")),
    BadInput("a flag that is none", edited(
        lambda lines: [f"{line},{'clean' if i == 0 else 'yes'}" for i, line in enumerate(lines)]),
             ("'yes' is not a number", "1 and 0, or as true and false"), mapped(clean="clean")),
    BadInput("true for a magnitude", cell(2, "g", "true"), ("'true' is not a number",)),
    BadInput("ids as hexadecimal without its mark", cell(2, "objID", "112d075f20a0d01"),
             ("'112d075f20a0d01' is not an integer",)),
    BadInput("text beyond line breaks in quotes", edited(
        lambda lines: [f'{line},{"note" if i == 0 else chr(34) + "a" + chr(10) * 3 + chr(34)}'
                       if i != 8 else line.replace(",GALAXY", ",GALAXI").replace(",QSO", ",QSA")
                       .replace(",STAR", ",STOR") + ",x" for i, line in enumerate(lines)]),
             ("row 7 (line 30)", "unknown label")),
    BadInput("rows cut short beyond line breaks in quotes", edited(
        lambda lines: [f'{line},{"note" if i == 0 else chr(34) + "a" + chr(10) * 3 + chr(34)}'
                       if i != 8 else "1,2,3" for i, line in enumerate(lines)]),
             ("line 30", "3 values")),
    BadInput("a quote in the header", changed(lambda text: text.replace("redshift", '"redshift')),
             ("line 1", "a column name has an opening quote")),
    BadInput("a name that is not UTF-8", packed(
        lambda raw: raw.replace(b"redshift", b"r\xe9dshift")),
             ("no column 'r\xe9dshift'", r"not UTF-8: r\xe9dshift", "as UTF-8"),
             mapped(zspec="r\xe9dshift")),
    BadInput("ECSV with fluxes", ecsv(in_jansky), ("column 'g", "Jy", "mag")),
    BadInput("ECSV with text among numbers", ecsv_text(
        lambda text: text.replace(str(good_frame()["u"][3]), "faint")),
             ("as ECSV", "column 'u'", "'faint'")),
    BadInput("ECSV cut short", ecsv_text(lambda text: text[:-20]), ("as ECSV",)),
    BadInput("ECSV with a name twice", ecsv_text(
        lambda text: text.replace(" plate ", " z ").replace("name: plate", "name: z")),
             ("names 'z' 2 times",), mapped(plate=None)),
    BadInput("ECSV with a position out of range", ecsv_text(
        lambda text: text.replace(str(good_frame()["ra"][3]), "400.0")),
             ("column 'ra', row 3 (line 21)", "[0, 360] deg")),
]  # fmt: skip
assert ROWS == 12  # which the messages count
