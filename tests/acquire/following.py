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

import numpy as np
import pandas as pd

from sdssflow.acquire.catalogue import read_catalogue
from sdssflow.acquire.errors import CatalogueError
from sdssflow.configuration.sources import FileSource
from tests.acquire.good_table import BANDS, good_columns, good_frame, write


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


def way_out(attempt: Attempt, first: int) -> list[str]:
    """Follow advice until the import works, by way number `first` of the first message.

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
        seen.append(text)
        found = matching(text)
        assert found is not None, f"no way in ADVICE for: {text}"
        advice, match = found
        advice.ways[first if len(seen) == 1 else 0](attempt, match, text)
    return seen


def matching(text: str) -> tuple[Advice, re.Match] | None:
    """Return the first advice that a message gives, and where it stands."""
    for advice in ADVICE:
        if match := re.search(advice.pattern, text):
            return advice, match
    return None


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
    """Put a sound file in the place of this one."""
    suffix = {".ecsv": ".csv"}.get(attempt.path.suffix, attempt.path.suffix)
    good = write(good_frame(), attempt.path.with_name(f"sound{suffix}"))
    attempt.path = good.rename(attempt.path)


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
    Advice(r"Correct it, or add the number to source\.sentinels", (empty, sentinel)),
    # the mapping
    Advice(r"Correct the name in source\.columns\. The file has: (.*)\.$", (correct_name,)),
    Advice(r"Use the names of the catalogue", (catalogue_name,)),
    Advice(r"Take row_id out", (unmap("row_id"),)),
    Advice(r"Map each column of the file once|Map u, g, r, i and z of", (restore,)),
    Advice(r"Map both, or neither", (restore, unmap("ra", "dec"))),
    Advice(r"Map the column with classes .* or the one with redshifts", (restore,)),
    Advice(r"for example (\w+\[0\])", (name_element,)),
    Advice(r"does not exist in every row", (sound,)),
    Advice(r"(\w+\[\d+\]) does not exist.*Elements are counted from 0", (name_element,)),
    Advice(r"Write (\w+) in source\.columns", (name_element,)),
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
    Advice(r"Give each column its own name", (own_names,)),
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
