"""What a user does who follows the advice of a message: `ADVICE` holds one row for each advice.

Where the advice asks for another file, as "fetch it again", a sound one takes its place.
"""

from __future__ import annotations

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
from astropy.io import fits

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.conform import read_catalogue
from sdssflow.configuration.sources import FileSource
from tests.acquire.files.good_table import BANDS, good_columns, good_frame, write


@dataclass
class Attempt:
    """A file and the settings it is read with; following advice changes them."""

    path: Path
    settings: dict[str, Any]

    def message(self) -> str:
        """Return the message that the import ends with; '' if it works."""
        settings = {"kind": "file", "path": str(self.path), "columns": good_columns()}
        try:
            source = FileSource.model_validate({**settings, **self.settings})
            read_catalogue(self.path, source, "bad")
        except CatalogueError as error:
            return str(error)
        return ""

    @property
    def columns(self) -> dict[str, str]:
        return self.settings.setdefault("columns", good_columns())

    def rows(self) -> list[list[str]]:
        with self.path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return [row for row in csv.reader(file) if row]

    def save_rows(self, rows: list[list[str]]) -> None:
        with self.path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


Follow = Callable[[Attempt, re.Match, str], None]


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


def follow(attempt: Attempt, number: int) -> list[str]:
    """Follow advice until the import works: the `number`-th of the first message, then the first.

    Returns
    -------
    list of str
        The messages on the way.

    Raises
    ------
    AssertionError
        If a message gives no advice of `ADVICE`, or comes a second time.
    """
    seen: list[str] = []
    while text := attempt.message():
        assert text not in seen, f"the advice leads back to: {text}"
        ways = ways_of(text)
        assert ways, f"no way in ADVICE for: {text}"
        way, match = ways[0 if seen else number]
        way(attempt, match, text)
        seen.append(text)
    return seen


def place(attempt: Attempt, text: str) -> tuple[str, int | None]:
    """Return the name in the file and the row that a message names."""
    name = re.search(r"column '([^']+?)( -> [^']+)?'", text)
    row = re.search(r"row (\d+)", text)
    return name[1] if name else "", int(row[1]) if row else None


def cell(change: Callable[[str, str], str]) -> Follow:
    """Return what changes the cell that the message names: from its text and its column."""

    def follow(attempt: Attempt, match: re.Match, text: str) -> None:
        name, row = place(attempt, text)
        rows = attempt.rows()
        column = [word.strip() for word in rows[0]].index(name)
        rows[row + 1][column] = change(rows[row + 1][column], name)
        attempt.save_rows(rows)

    return follow


def whole_column(change: Callable[[str], str]) -> Follow:
    def follow(attempt: Attempt, match: re.Match, text: str) -> None:
        rows = attempt.rows()
        column = rows[0].index(place(attempt, text)[0])
        for row in rows[1:]:
            row[column] = change(row[column])
        attempt.save_rows(rows)

    return follow


def put(key: str, group: int = 1) -> Follow:
    """Return what sets a key of the source to words of the message."""

    def follow(attempt: Attempt, match: re.Match, text: str) -> None:
        attempt.settings[key] = match[group]

    return follow


def confirm(attempt: Attempt, match: re.Match, text: str) -> None:
    attempt.settings["confirmed"] = match[1].split(", ")


def take_out(key: str) -> Follow:
    return lambda attempt, match, text: attempt.settings.pop(key)


def sound(attempt: Attempt, match: re.Match, text: str) -> None:
    """Take a sound file of the same format; one of Parquet in the place of a folder."""
    suffix = {".ecsv": ".csv", "": ".parquet"}.get(attempt.path.suffix, attempt.path.suffix)
    attempt.path = write(good_frame(), attempt.path.with_name(f"sound{suffix}"))
    attempt.settings.pop("table", None)


def as_parquet(attempt: Attempt, match: re.Match, text: str) -> None:
    attempt.path = write(good_frame(), attempt.path.with_name("saved.parquet"))
    attempt.settings.pop("table", None)


def map_the_good(attempt: Attempt, match: re.Match, text: str) -> None:
    """Map the columns of the good table; if they are mapped, the file has to be another one."""
    if attempt.columns == good_columns():
        sound(attempt, match, text)
    restore(attempt, match, text)


def convert_units(attempt: Attempt, match: re.Match, text: str) -> None:
    attempt.settings["units"] = dict(pair.split(": ") for pair in match[1].split(", "))


def first_table_that_works(attempt: Attempt, match: re.Match, text: str) -> None:
    """Try the tables that a message lists, by name and by number."""
    for name in re.split(r"[, ]+", match[1]):
        attempt.settings["table"] = name
        if not attempt.message():
            return


def without_sums(attempt: Attempt, match: re.Match, text: str) -> None:
    for keyword in ("DATASUM", "CHECKSUM"):
        fits.delval(attempt.path, keyword, ext=1)


def other_file(attempt: Attempt, match: re.Match, text: str) -> None:
    attempt.path = attempt.path.with_name("other.h5")
    attempt.settings.pop("table", None)


def in_one_file(attempt: Attempt, match: re.Match, text: str) -> None:
    """Copy what the link leads to, as h5copy does."""
    with h5py.File(attempt.path, "a") as file, h5py.File(attempt.path.with_name("other.h5")) as to:
        name = re.search(r"'(\w+)' is a link", text)[1]
        link = file.get(name, getlink=True).path
        del file[name]
        to.copy(link, file, name)


def uncompressed(attempt: Attempt, match: re.Match, text: str) -> None:
    new_path = attempt.path.with_name("uncompressed.h5")
    with h5py.File(attempt.path) as old, h5py.File(new_path, "w") as new:
        for name in old:
            new[name] = old[name][...]
    attempt.path = new_path


def move_elsewhere(attempt: Attempt, match: re.Match, text: str) -> None:
    (attempt.path / re.search(r"holds '([^']+)'", text)[1]).unlink()


def no_list_of_parts(attempt: Attempt, match: re.Match, text: str) -> None:
    (attempt.path / "_metadata").unlink()


def sound_csv(attempt: Attempt, match: re.Match, text: str) -> None:
    attempt.path = write(good_frame(), attempt.path.with_name("saved.csv"))


def by_sqlite(attempt: Attempt, match: re.Match, text: str) -> None:
    with sqlite3.connect(attempt.path) as connection:
        rows = pd.read_sql("SELECT * FROM photo", connection)
    attempt.path = attempt.path.with_name("table.csv")
    rows.to_csv(attempt.path, index=False)


def by_numpy(attempt: Attempt, match: re.Match, text: str) -> None:
    from astropy.table import Table

    loaded = np.load(attempt.path)
    table = Table(dict(loaded)) if attempt.path.suffix == ".npz" else Table(loaded)
    attempt.path = attempt.path.with_name("table.fits")
    table.write(attempt.path)


def unpack(attempt: Attempt, match: re.Match, text: str) -> None:
    """Unpack to a folder; where no tool is at hand here, a sound file stands for what comes out."""
    folder = attempt.path.with_name("unpacked")
    named = re.search(r"with \d files: ([^,]+), ", text)
    if named and zipfile.is_zipfile(attempt.path):
        zipfile.ZipFile(attempt.path).extractall(folder)
        attempt.path = folder / named[1]
    elif named:
        with tarfile.open(attempt.path) as archive:
            archive.extractall(folder, filter="data")
        attempt.path = folder / named[1]
    elif "times" in text:
        attempt.path.write_bytes(gzip.decompress(attempt.path.read_bytes()))
    else:
        sound_csv(attempt, match, text)


def correct_name(attempt: Attempt, match: re.Match, text: str) -> None:
    """Take the name that is suggested, or the one of those listed with which the import works."""
    wrong = re.search(r"no column '([^']+)'", text)[1]
    name = next(name for name, to in attempt.columns.items() if wrong in (to, to.split("[")[0]))
    suggested = re.search(r"did you mean '([^']+)'", text)
    for candidate in [suggested[1]] if suggested else match[1].split(", "):
        attempt.columns[name] = candidate
        if not attempt.message():
            return


def catalogue_name(attempt: Attempt, match: re.Match, text: str) -> None:
    wrong, right = re.search(r"maps '([^']+)'.*did you mean '([^']+)'", text).groups()
    attempt.columns[right] = attempt.columns.pop(wrong)


def restore(attempt: Attempt, match: re.Match, text: str) -> None:
    attempt.settings["columns"] = {**attempt.columns, **good_columns()}


def unmap(*names: str) -> Follow:
    def follow(attempt: Attempt, match: re.Match, text: str) -> None:
        in_file = place(attempt, text)[0]
        for name, to in list(attempt.columns.items()):
            if name in names or (not names and to == in_file):
                del attempt.columns[name]

    return follow


def name_element(attempt: Attempt, match: re.Match, text: str) -> None:
    """Name the element that belongs to the band, or the column alone if the message does."""
    column = match[1].split("[")[0]
    for name, to in attempt.columns.items():
        if to.split("[")[0] == column:
            element = f"[{BANDS.index(name[-1])}]" if "element" in text or "[" in match[1] else ""
            attempt.columns[name] = column + element


def header(attempt: Attempt, match: re.Match, text: str) -> None:
    """Name the columns that are too many; complete the lines that are cut short."""
    rows, names = attempt.rows(), list(good_frame())
    for row in rows:
        row.extend([""] * (len(rows[1]) - len(row)) if row is not rows[0] else [])
    width = max(map(len, rows))
    rows[0] = (names if len(names) == width else [*rows[0], "more"])[:width]
    attempt.save_rows([row for row in rows if "Error" not in row[0] and row[1]])


def own_names(attempt: Attempt, match: re.Match, text: str) -> None:
    rows = attempt.rows()
    rows[0] = [f"{word}_{i}" if word in rows[0][i + 1 :] or word.strip() != word else word
               for i, word in enumerate(rows[0])]  # fmt: skip
    attempt.save_rows(rows)


def above(attempt: Attempt, match: re.Match, text: str) -> None:
    lines = attempt.path.read_text().splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if line.startswith("objID,")), None)
    if start is None:
        sound_csv(attempt, match, text)
    else:
        attempt.path.write_text("".join(lines[start:]))


def edit_line(change: Callable[[str], str]) -> Follow:
    def follow(attempt: Attempt, match: re.Match, text: str) -> None:
        number = int(re.search(r"line (\d+)", text)[1])
        lines = attempt.path.read_text().splitlines()
        lines[number - 1] = change(lines[number - 1])
        attempt.path.write_text("\n".join(lines) + "\n")

    return follow


def degrees(text: str, column: str) -> str:
    from astropy.coordinates import Angle

    return str(Angle(text, unit="hourangle" if column == "ra" else "deg").deg)


def in_utf_8(attempt: Attempt, match: re.Match, text: str) -> None:
    attempt.path.write_text(attempt.path.read_bytes().decode("latin-1"))


def label(attempt: Attempt, match: re.Match, text: str) -> None:
    known = {"GALAXY": "GALAXY", "QSO": "QSO", "STAR": "STAR"}
    word = re.search(r"unknown label '([^']+)'", text)[1]
    attempt.settings["class_labels"] = {**known, word: "GALAXY"}


def sentinel(attempt: Attempt, match: re.Match, text: str) -> None:
    value = float(re.search(r": (-?[\d.e+]+) is outside", text)[1])
    attempt.settings["sentinels"] = [-9999.0, value]


def elsewhere(attempt: Attempt, match: re.Match, text: str) -> None:
    attempt.path = write(good_frame(), attempt.path.with_name("there.csv"))


empty = cell(lambda text, column: "")
unsigned = cell(
    lambda text, column: str(int(text) % 2**64) if int(text) < 0 else "1237645941824356499"
)

ADVICE: list[Advice] = [
    # ECSV, which is not edited here
    Advice(r"photo\.ecsv: the header names|write the table again with astropy", (sound_csv,)),
    Advice(r"photo\.ecsv: column 'ra'.*Correct it", (sound_csv,)),
    # settings
    Advice(r"Take source\.format out, or set it to (\w+)", (take_out("format"), put("format"))),
    Advice(r"set source\.format to (csv)", (put("format"), sound)),
    Advice(r"Take source\.table out", (take_out("table"),)),
    Advice(r"no table '\w+' \(did you mean '(\w+)'", (put("table"),)),
    Advice(r"(?:Set source\.table to one of: (?:\d )?|The file has: (?=objects, spectra))(\w+)", (
        put("table"),)),
    Advice(r"SHA-256 is (\w+),.*record the new digest", (put("sha256"),)),
    Advice(r"Check source\.path", (elsewhere,)),
    Advice(r"Say in source\.class_labels", (label,)),
    Advice(r"Add 360", (cell(lambda text, column: str(float(text) + 360)), empty, sentinel)),
    Advice(r"^(?!.*ecsv).*Correct it, or add the number to source\.sentinels", (empty, sentinel)),
    # the mapping
    Advice(r"Correct the name in source\.columns\. The file has: (.*)\.$", (correct_name,)),
    Advice(r"Use the names of the catalogue", (catalogue_name,)),
    Advice(r"Take row_id out", (unmap("row_id"),)),
    Advice(r"Map each column of the file once|Map u, g, r, i and z of", (restore,)),
    Advice(r"Map both, or neither", (restore, unmap("ra", "dec"))),
    Advice(r"Map the column with classes .* or the one with redshifts", (restore,)),
    Advice(r"for example (\w+\[0\])", (name_element,)),
    Advice(r"does not exist in every row", (sound,)),
    Advice(r"(\w+\[\d+\]) does not exist: .*Elements are counted from 0", (name_element,)),
    Advice(r"Write (\w+) in source\.columns", (name_element,)),
    # units and names that say another thing
    Advice(r"set source\.confirmed: \[([^\]]+)\]", (confirm,)),
    Advice(r"[Ss]et source\.units: \{([^}]+)\}", (convert_units,)),
    Advice(r"[Tt]ake [\w, ]+ out of source\.units", (take_out("units"),)),
    Advice(r"Take it out of source\.units", (take_out("units"),)),
    Advice(r"Take it out of source\.confirmed", (take_out("confirmed"),)),
    Advice(r"Set source\.extinction_applied: true", (
        lambda attempt, match, text: attempt.settings.update(extinction_applied=True),)),
    Advice(r"Leave those out", (unmap(*(f"psf_mag_{band}" for band in BANDS)),)),
    Advice(r"Map another column|Map magnitudes|Map the redshift|Map each band|map magnitudes that"
           r"|Map it to (?:specobjid|objid|\w+_mag_\*)", (map_the_good,)),
    Advice(r"Divide it by the speed of light in the file", (sound,)),
    # tables, files and folders
    Advice(r"has it: set source\.table to ([\w/]+)", (put("table"),)),
    Advice(r"Set source\.table to '(\w+)', whose", (put("table"),)),
    Advice(r"Set source\.table to (?:the (?:name|number)[^:]*|one of): ([^.;]+)", (
        first_table_that_works,)),
    Advice(r"delete the keywords DATASUM and CHECKSUM", (without_sums,)),
    Advice(r"set source\.path to the other file", (other_file,)),
    Advice(r"Copy the table into one file", (in_one_file,)),
    Advice(r"Write the (?:table|file|parts) again|write the file again with gzip|Unpack it: funpack"
           r"|the file names .* Give each column|Write the (?:true values|column as)|Map a column\."
           r"|Set source\.path to a file|Use the HDF5 file of a catalogue", (sound,)),
    Advice(r"(?:Export the table as|Export it as) Parquet|Leave the column out of source\.columns",
           (as_parquet,)),
    Advice(r"else move it elsewhere", (move_elsewhere,)),
    Advice(r"remove _metadata", (no_list_of_parts,)),
    Advice(r"write it again without compression", (uncompressed,)),
    # packed and other files
    Advice(r"sqlite3 -header -csv", (by_sqlite,)),
    Advice(r"numpy\.load", (by_numpy,)),
    Advice(r"[Uu]npack it", (unpack,)),
    Advice(r"Write the table as Parquet, FITS or CSV where it came from", (sound_csv,)),
    Advice(r"Save it as CSV|[Ss]ave them as CSV|save it as CSV UTF-8", (sound_csv,)),
    Advice(r"What can be read: CSV", (sound_csv,)),
    # text
    Advice(r"take out what stands above it", (above, sound_csv)),
    Advice(r"Name every column in the header", (header,)),
    Advice(r"^(?!.*ecsv).*the header names .* Give each column its own name", (own_names,)),
    Advice(r"a quote opens a name .* Close the quote", (
        edit_line(lambda line: line.replace('"', "")),)),
    Advice(r"Close the quote", (edit_line(lambda line: re.sub(r'["\\]', "", line)),)),
    Advice(r"this line is longer .* export it again", (sound,)),
    Advice(r"Save the file as UTF-8", (in_utf_8,)),
    Advice(r"in decimal degrees", (cell(degrees), empty)),
    Advice(r"'plate'.* without marks for thousands", (
        cell(lambda text, column: text.replace(",", "")), empty)),
    Advice(r"a point before the decimals", (
        cell(lambda text, column: text.replace(",", ".")), empty)),
    Advice(r"Write flags as 1 and 0, or as true and false", (
        whole_column(lambda text: "1"), whole_column(lambda text: "true"))),
    Advice(r"line \d+\): 'deg' .* take the line out if", (
        edit_line(lambda line: ""),)),
    Advice(r"[Cc]orrect it,( or)? leave the cell empty", (empty,)),
    Advice(r"Write ids as digits alone", (
        cell(lambda text, column: re.sub(r"[^\d]", "", text)), empty)),
    Advice(r"write it as unsigned", (unsigned,)),
    Advice(r"Get the ids as integers .* or leave the column out", (sound, unmap())),
    Advice(r"Known are train and test", (whole_column(lambda text: "train"),)),
    # a file of other content
    Advice(r"[Ff]etch (it|the table|the file|or export it) again|Use the FITS file", (sound,)),
    Advice(r"convert it|convert its unit|Map another column|as ASCII|whole numbers", (sound,)),
    Advice(r"Set source\.table to a (group|compound)", (sound,)),
]  # fmt: skip
