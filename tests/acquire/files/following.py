"""What a user does who follows the advice of a message: a row of `ADVICE` for each.

If the advice is to get another file ("fetch it again"), a sound one replaces it.
"""

import csv
import gzip
import re
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.table import Table

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.schema import CLASSES
from tests.acquire.files.good_table import BANDS, catalogue, good_columns, good_frame, write


@dataclass
class Attempt:
    """A file, the settings it is read with, and the words of the message that is followed."""

    path: Path
    settings: dict[str, Any]
    text: str = ""
    match: re.Match | None = None

    def message(self) -> str:
        """Return the message that the import ends with; '' if it works."""
        try:
            catalogue(self.path, **self.settings)
        except CatalogueError as error:
            return str(error)
        return ""

    @property
    def columns(self) -> dict[str, str]:
        return self.settings.setdefault("columns", good_columns())

    def named(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        return found[1] if found else ""

    @property
    def column(self) -> str:
        """The name in the file of the column that the message is about."""
        return self.named(r"column '([^']+?)(?: -> [^']+)?'")

    def rows(self) -> list[list[str]]:
        with self.path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return [row for row in csv.reader(file) if row]

    def save_rows(self, rows: list[list[str]]) -> None:
        with self.path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)

    def take(self, name: str) -> None:
        """Take a sound file in the place of this one."""
        self.path = write(good_frame(), self.path.with_name(name))
        self.settings.pop("table", None)


Follow = Callable[[Attempt], Any]


class Advice(NamedTuple):
    """Words of a message, and what can be done: each of the ways has to lead out."""

    pattern: str
    ways: tuple[Follow, ...]


def ways_of(text: str) -> list[tuple[Follow, re.Match]]:
    """Return all that a message advises, and where it says so."""
    return [
        (follow, match)
        for advice in ADVICE
        if (match := re.search(advice.pattern, text))
        for follow in advice.ways
    ]


def follow(attempt: Attempt, number: int) -> int:
    """Follow advice until the import works: the `number`-th of the first message, then the first.

    Return how many messages came on the way; one without advice, or a second time, fails.
    """
    seen: list[str] = []
    while text := attempt.message():
        assert text not in seen, f"the advice leads back to: {text}"
        ways = ways_of(text)
        assert ways, f"no way in ADVICE for: {text}"
        way, attempt.match = ways[0 if seen else number]
        attempt.text = text
        way(attempt)
        seen.append(text)
    return len(seen)


def cell(change: Callable[[str], str]) -> Follow:
    """Return what changes the cell that the message names."""

    def follow(a: Attempt) -> None:
        rows, row = a.rows(), int(a.named(r"row (\d+)")) + 1
        column = [word.strip() for word in rows[0]].index(a.column)
        rows[row][column] = change(rows[row][column])
        a.save_rows(rows)

    return follow


def whole_column(word: str) -> Follow:
    def follow(a: Attempt) -> None:
        rows = a.rows()
        for row in rows[1:]:
            row[rows[0].index(a.column)] = word
        a.save_rows(rows)

    return follow


def edit_line(change: Callable[[str], str]) -> Follow:
    def follow(a: Attempt) -> None:
        number = int(a.named(r"line (\d+)")) - 1
        lines = a.path.read_text().splitlines()
        lines[number] = change(lines[number])
        a.path.write_text("\n".join(lines) + "\n")

    return follow


def put(key: str) -> Follow:
    """Return what sets a key of the source to words of the message."""
    return lambda a: a.settings.update({key: a.match[1]})


def unmap(*names: str) -> Follow:
    def follow(a: Attempt) -> None:
        for name, to in list(a.columns.items()):
            if name in names or (not names and to == a.column):
                del a.columns[name]

    return follow


def instead(name: str) -> Follow:
    return lambda a: a.take(name)


def sound(a: Attempt) -> None:
    """Take a sound file of the same format; one of Parquet in the place of a folder."""
    a.take(f"sound{ {'.ecsv': '.csv', '': '.parquet'}.get(a.path.suffix, a.path.suffix) }")


def restore(a: Attempt) -> None:
    a.settings["columns"] = {**a.columns, **good_columns()}


def map_the_good(a: Attempt) -> None:
    """Map the columns of the good table; if they are mapped, the file has to be another one."""
    if a.columns == good_columns():
        sound(a)
    restore(a)


def first_table_that_works(a: Attempt) -> None:
    """Try the tables that a message lists, by name and by number."""
    for name in re.split(r"[, ]+", a.match[1]):
        a.settings["table"] = name
        if not a.message():
            return


def other_file(a: Attempt) -> None:
    a.path = a.path.with_name("other.h5")
    a.settings.pop("table", None)


def in_one_file(a: Attempt) -> None:
    """Copy what the link leads to, as h5copy does."""
    with h5py.File(a.path, "a") as file, h5py.File(a.path.with_name("other.h5")) as to:
        name = a.named(r"'(\w+)' is a link")
        link = file.get(name, getlink=True).path
        del file[name]
        to.copy(link, file, name)


def uncompressed(a: Attempt) -> None:
    new_path = a.path.with_name("uncompressed.h5")
    with h5py.File(a.path) as old, h5py.File(new_path, "w") as new:
        for name in old:
            new[name] = old[name][...]
    a.path = new_path


def by_sqlite(a: Attempt) -> None:
    with sqlite3.connect(a.path) as connection:
        rows = pd.read_sql("SELECT * FROM photo", connection)
    a.path = a.path.with_name("table.csv")
    rows.to_csv(a.path, index=False)


def by_numpy(a: Attempt) -> None:
    table = Table(dict(np.load(a.path)))
    a.path = a.path.with_name("table.fits")
    table.write(a.path)


def unpack(a: Attempt) -> None:
    """Unpack to a folder; where no tool is at hand here, a sound file stands for what comes out."""
    folder, first = a.path.with_name("unpacked"), a.named(r"with \d files: ([^,]+), ")
    if first and zipfile.is_zipfile(a.path):
        zipfile.ZipFile(a.path).extractall(folder)
        a.path = folder / first
    elif first:
        with tarfile.open(a.path) as archive:
            archive.extractall(folder, filter="data")
        a.path = folder / first
    elif "times" in a.text:
        a.path.write_bytes(gzip.decompress(a.path.read_bytes()))
    else:
        sound_csv(a)


def correct_name(a: Attempt) -> None:
    """Take the name that is suggested, or the one of those listed with which the import works."""
    wrong, suggested = a.named(r"no column '([^']+)'"), a.named(r"did you mean '([^']+)'")
    name = next(name for name, to in a.columns.items() if wrong in (to, to.split("[")[0]))
    for candidate in [suggested] if suggested else a.match[1].split(", "):
        a.columns[name] = candidate
        if not a.message():
            return


def name_element(a: Attempt) -> None:
    """Name the element that belongs to the band, or the column alone if the message does."""
    column = a.match[1].split("[")[0]
    for name, to in a.columns.items():
        if to.split("[")[0] == column:
            vector = "element" in a.text or "[" in a.match[1]
            a.columns[name] = column + (f"[{BANDS.index(name[-1])}]" if vector else "")


def header(a: Attempt) -> None:
    """Name the columns that are too many; complete the lines that are cut short."""
    rows, names = a.rows(), list(good_frame())
    for row in rows[1:]:
        row.extend([""] * (len(rows[1]) - len(row)))
    width = max(map(len, rows))
    rows[0] = (names if len(names) == width else [*rows[0], "more"])[:width]
    a.save_rows([row for row in rows if "Error" not in row[0] and row[1]])


def own_names(a: Attempt) -> None:
    names, *rows = a.rows()
    names = [f"{word}_{i}" if word in names[i + 1 :] or word.strip() != word else word
             for i, word in enumerate(names)]  # fmt: skip
    a.save_rows([names, *rows])


def above(a: Attempt) -> None:
    lines = a.path.read_text().splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if line.startswith("objID,")), None)
    if start is None:
        sound_csv(a)
    else:
        a.path.write_text("".join(lines[start:]))


def rewritten(pattern: str, by: str) -> Follow:
    return lambda a: a.path.write_text(re.sub(pattern, by, a.path.read_text(), flags=re.MULTILINE))


def degrees(a: Attempt) -> None:
    unit = "hourangle" if a.column == "ra" else "deg"
    cell(lambda text: str(Angle(text, unit=unit).deg))(a)


def sentinel(a: Attempt) -> None:
    a.settings["sentinels"] = [-9999.0, float(a.named(r": (-?[\d.e+]+) is outside"))]


sound_csv, as_parquet = instead("saved.csv"), instead("saved.parquet")
empty = cell(lambda text: "")
unsigned = cell(lambda text: str(int(text) % 2**64) if int(text) < 0 else "1237645941824356499")

ADVICE = [
    # ECSV, which is not edited here
    Advice(r"photo\.ecsv: the header names|write the table again with astropy", (sound_csv,)),
    Advice(r"photo\.ecsv: column 'ra'.*Correct it", (sound_csv,)),
    # settings
    Advice(r"Remove source\.format, or set it to (\w+)", (
        lambda a: a.settings.pop("format"), put("format"))),
    Advice(r"set source\.format to (csv)", (put("format"), sound)),
    Advice(r"Remove source\.table", (lambda a: a.settings.pop("table"),)),
    Advice(r"no table '\w+' \(did you mean '(\w+)'", (put("table"),)),
    Advice(r"(?:Set source\.table to one of: (?:\d )?|The file has: (?=objects, spectra))(\w+)", (
        put("table"),)),
    Advice(r"SHA-256 is (\w+),.*record the new digest", (put("sha256"),)),
    Advice(r"Check source\.path", (sound_csv,)),
    Advice(r"Map it to a class in source\.class_labels", (
        lambda a: a.settings.update(class_labels={
            **dict(zip(CLASSES, CLASSES, strict=True)),
            a.named(r"unknown label '([^']+)'"): "GALAXY"}),)),
    Advice(r"Add 360", (cell(lambda text: str(float(text) + 360)), empty, sentinel)),
    Advice(r"^(?!.*ecsv).*Correct it, or add the number to source\.sentinels", (empty, sentinel)),
    # the mapping
    Advice(r"Correct the name in source\.columns\. The file has: (.*)\.$", (correct_name,)),
    Advice(r"Use the names of the catalogue", (lambda a: a.columns.update(
        {a.named(r"did you mean '([^']+)'"): a.columns.pop(a.named(r"maps '([^']+)'"))}),)),
    Advice(r"Remove row_id", (unmap("row_id"),)),
    Advice(r"Map each column of the file once|Map u, g, r, i and z of", (restore,)),
    Advice(r"Map both, or neither", (restore, unmap("ra", "dec"))),
    Advice(r"Map the column with classes .* or the one with redshifts", (restore,)),
    Advice(r"for example (\w+\[0\])", (name_element,)),
    Advice(r"does not exist in every row", (sound,)),
    Advice(r"(\w+\[\d+\]) does not exist: .*Elements are counted from 0", (name_element,)),
    Advice(r"Write (\w+) in source\.columns", (name_element,)),
    # units and names that say another thing
    Advice(r"set source\.confirmed: \[([^\]]+)\]", (
        lambda a: a.settings.update(confirmed=a.match[1].split(", ")),)),
    Advice(r"[Ss]et source\.units: \{([^}]+)\}", (lambda a: a.settings.update(
        units=dict(pair.split(": ") for pair in a.match[1].split(", "))),)),
    Advice(r"Remove [\w, ]+ from source\.units", (lambda a: a.settings.pop("units"),)),
    Advice(r"Remove it from source\.units", (lambda a: a.settings.pop("units"),)),
    Advice(r"Remove it from source\.confirmed", (lambda a: a.settings.pop("confirmed"),)),
    Advice(r"Set source\.extinction_applied: true", (
        lambda a: a.settings.update(extinction_applied=True),)),
    Advice(r"Leave those out", (unmap(*(f"psf_mag_{band}" for band in BANDS)),)),
    Advice(r"Map another column|Map magnitudes|Map the redshift|Map each band"
           r"|map uncorrected|Map it to (?:specobjid|objid|\w+_mag_\*)", (map_the_good,)),
    Advice(r"Divide it by the speed of light in the file", (sound,)),
    # tables, files and folders
    Advice(r"has it: set source\.table to ([\w/]+)", (put("table"),)),
    Advice(r"Set source\.table to '(\w+)', whose", (put("table"),)),
    Advice(r"Set source\.table to (?:the (?:name|number)[^:]*|one of): ([^.;]+)", (
        first_table_that_works,)),
    Advice(r"delete the keywords DATASUM and CHECKSUM", (lambda a: [
        fits.delval(a.path, keyword, ext=1) for keyword in ("DATASUM", "CHECKSUM")],)),
    Advice(r"set source\.path to the other file", (other_file,)),
    Advice(r"Copy the table into one file", (in_one_file,)),
    Advice(r"Write the (?:table|file|parts) again|write the file again with gzip"
           r"|Decompress it: funpack|the file names .* Give each column"
           r"|Write the (?:true values|column as)|Map a column\."
           r"|Set source\.path to a file|Use the HDF5 file of a catalogue", (sound,)),
    Advice(r"(?:Export the table as|Export it as) Parquet|Remove the column from source\.columns",
           (as_parquet,)),
    Advice(r"else move it out of the folder", (
        lambda a: (a.path / a.named(r"holds '([^']+)'")).unlink(),)),
    Advice(r"remove _metadata", (lambda a: (a.path / "_metadata").unlink(),)),
    Advice(r"write it again without compression", (uncompressed,)),
    # packed and other files
    Advice(r"sqlite3 -header -csv", (by_sqlite,)),
    Advice(r"numpy\.load", (by_numpy,)),
    Advice(r"Write it as numbers and texts|Write one (record|array)", (instead("saved.npy"),)),
    Advice(r"[Uu]npack it", (unpack,)),
    Advice(r"Write the table as Parquet, FITS or CSV with", (sound_csv,)),
    Advice(r"Save it as CSV|[Ss]ave them as CSV|save it as CSV UTF-8", (sound_csv,)),
    Advice(r"Readable formats are: CSV", (sound_csv,)),
    # text
    Advice(r"If it is a comment, remove it", (
        rewritten(r"^#.*\n", ""), rewritten(r"^#(\d+),", r'"\1",'))),
    Advice(r"remove the lines above it", (above, sound_csv)),
    Advice(r"Name every column in the header", (header,)),
    Advice(r"^(?!.*ecsv).*the header names .* Give each column its own name", (own_names,)),
    Advice(r"a column name has an opening quote.* Close the quote", (
        edit_line(lambda line: line.replace('"', "")),)),
    Advice(r"Close the (?:opening )?quote", (edit_line(lambda line: re.sub(r'["\\]', "", line)),)),
    Advice(r"this line is longer .* export it again", (sound,)),
    Advice(r"Save the file as UTF-8", (
        lambda a: a.path.write_text(a.path.read_bytes().decode("latin-1")),)),
    Advice(r"in decimal degrees", (degrees, empty)),
    Advice(r"'plate'.* without thousands separators", (
        cell(lambda text: text.replace(",", "")), empty)),
    Advice(r"with a decimal point", (
        cell(lambda text: text.replace(",", ".")), empty)),
    Advice(r"Write flags as 1 and 0, or as true and false", (
        whole_column("1"), whole_column("true"))),
    Advice(r"line \d+\): 'deg' .* remove the line if", (
        edit_line(lambda line: ""),)),
    Advice(r"[Cc]orrect it,( or)? leave the cell empty", (empty,)),
    Advice(r"Write ids as digits only", (cell(lambda text: re.sub(r"[^\d]", "", text)), empty)),
    Advice(r"write it as unsigned", (unsigned,)),
    Advice(r"Get the ids as integers .* or remove the column", (sound, unmap())),
    Advice(r"Known are train and test", (whole_column("train"),)),
    # a file of other content
    Advice(r"[Ff]etch (it|the (table|file)|or export it) again|lfs pull|Use the FITS", (sound,)),
    Advice(r"convert it|convert its unit|Map another column|as ASCII|of integers", (sound,)),
    Advice(r"Set source\.table to a (group|compound)", (sound,)),
]  # fmt: skip
