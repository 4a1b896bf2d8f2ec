"""Each piece of advice in the messages on binary files, followed to the letter, leads out.

Where the advice asks for the file anew, one is written from the good table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits

from sdssflow.acquire import limits
from sdssflow.acquire.catalogue import read_catalogue
from sdssflow.acquire.errors import CatalogueError
from sdssflow.configuration.sources import FileSource
from tests.acquire import test_fits_files, test_hdf5, test_masks_and_units, test_parquet
from tests.acquire.good_table import BANDS, good_columns, good_frame, write

pytestmark = pytest.mark.filterwarnings("ignore")


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


Follow = Callable[[Attempt, re.Match], None]


def put(key: str, value: Callable[[re.Match], Any]) -> Follow:
    return lambda attempt, match: attempt.settings.update({key: value(match)})


def words(match: re.Match) -> list[str]:
    return match[1].split(", ")


def units(match: re.Match) -> dict[str, str]:
    return dict(pair.split(": ") for pair in match[1].split(", "))


def first_that_works(attempt: Attempt, match: re.Match) -> None:
    """Try the tables that a message lists, by name and by number."""
    for name in re.split(r"[, ]+", match[1]):
        attempt.settings["table"] = name
        if not attempt.message():
            return


def anew(attempt: Attempt, match: re.Match) -> None:
    """Write the table again, whole and in one file."""
    suffix = attempt.path.suffix or ".parquet"
    attempt.path = write(good_frame(), attempt.path.with_name(f"again{suffix}"))
    attempt.settings.pop("table", None)


def as_parquet(attempt: Attempt, match: re.Match) -> None:
    attempt.path = write(good_frame(), attempt.path.with_name("again.parquet"))
    attempt.settings.pop("table", None)


def good_mapping(attempt: Attempt, match: re.Match) -> None:
    """Map the columns of the good table; if they are mapped, the file has to be another one."""
    if attempt.settings.get("columns", good_columns()) == good_columns():
        anew(attempt, match)
    attempt.settings["columns"] = {**attempt.settings.get("columns", {}), **good_columns()}


def not_sums(attempt: Attempt, match: re.Match) -> None:
    for keyword in ("DATASUM", "CHECKSUM"):
        fits.delval(attempt.path, keyword, ext=1)


def other_file(attempt: Attempt, match: re.Match) -> None:
    attempt.path = attempt.path.with_name("other.h5")
    attempt.settings.pop("table", None)


def one_file(attempt: Attempt, match: re.Match) -> None:
    """Copy what the link leads to, as h5copy does."""
    with h5py.File(attempt.path, "a") as file, h5py.File(attempt.path.with_name("other.h5")) as to:
        name = re.search(r"'(\w+)' is a link", match.string)[1]
        place = file.get(name, getlink=True).path
        del file[name]
        to.copy(place, file, name)


def not_there(attempt: Attempt, match: re.Match) -> None:
    (attempt.path / re.search(r"holds '([^']+)'", match.string)[1]).unlink()


def uncompressed(attempt: Attempt, match: re.Match) -> None:
    with h5py.File(attempt.path) as old, h5py.File(attempt.path.with_name("b.h5"), "w") as new:
        for name in old:
            new[name] = old[name][...]
    attempt.path = attempt.path.with_name("b.h5")


WAYS: dict[str, Follow] = {
    r"set source\.confirmed: \[([^\]]+)\]": put("confirmed", words),
    r"[Ss]et source\.units: \{([^}]+)\}": put("units", units),
    r"Set source\.extinction_applied: true": put("extinction_applied", lambda match: True),
    r"has it: set source\.table to ([\w/]+)": put("table", lambda match: match[1]),
    r"Set source\.table to (?:the (?:name|number)[^:]*|one of): ([^.;]+)": first_that_works,
    r"Set source\.table to '(\w+)', whose": put("table", lambda match: match[1]),
    r"Take source\.table out": lambda attempt, match: attempt.settings.pop("table"),
    r"[Tt]ake \w+ out of source\.units": lambda attempt, match: attempt.settings.pop("units"),
    r"Take it out of source\.(\w+)": lambda attempt, match: attempt.settings.pop(match[1]),
    r"Map another column|Map magnitudes|Map the redshift|Map each band|map magnitudes that":
        good_mapping,
    r"Correct the name in source\.columns": good_mapping,
    r"Map it to (?:specobjid|objid|\w+_mag_\*)": good_mapping,
    r"convert (?:it|the column|the fluxes) in the file|Convert it in the file": anew,
    r"Divide it by the speed of light in the file": anew,
    r"Fetch the (?:file|folder) again|fetch it again": anew,
    r"Export the table as Parquet|Export it as Parquet": as_parquet,
    r"Write the table again|Write the file again with the values": anew,
    r"write the file again with gzip": anew,
    r"Save the table with its values inside|Save the table again": anew,
    r"Write the (?:true values|column as)|Write it as one boolean|Correct arraysize": anew,
    r"Leave the column out of source\.columns": as_parquet,
    r"Give each column its own name": anew,
    r"Write the parts again with one schema": anew,
    r"Unpack it: funpack": anew,
    r"Map a column\.|Set source\.path to a file": anew,
    r"Leave those out": lambda attempt, match: [
        attempt.settings["columns"].pop(f"psf_mag_{band}") for band in BANDS
    ],
    r"delete the keywords DATASUM and CHECKSUM": not_sums,
    r"set source\.path to the other file": other_file,
    r"Copy the table into one file": one_file,
    r"else move it elsewhere": not_there,
    r"remove _metadata": lambda attempt, match: (attempt.path / "_metadata").unlink(),
    r"write it again without compression": uncompressed,
    r"Elements are counted from 0|for example (\w+)\[0\]": anew,
    r"Set source\.table to a group whose datasets": anew,
    r"Use the HDF5 file of a catalogue": anew,
}  # fmt: skip


def mapped(file: str = "a.csv", drop: tuple[str, ...] = (), **columns: str) -> Any:
    """Return a way to write the good table under other names, and their mapping."""

    def make(folder: Path) -> Path:
        frame = good_frame()
        for name, ref in columns.items():
            frame[ref] = frame[good_columns().get(name, "u")] * (0.01 if "rad" in ref else 1)
        return write(frame, folder / file)

    kept = {name: to for name, to in good_columns().items() if name not in drop}
    return make, {"columns": kept | columns}


def hdf5(make: Any, settings: dict[str, Any]) -> Any:
    def write_both(folder: Path) -> Path:
        with h5py.File(folder / "other.h5", "w") as other:
            test_hdf5.columns_in(other)
        return test_hdf5.made(make, folder)

    return write_both, settings


def united(column: str, unit: str, **settings: Any) -> Any:
    def make(folder: Path) -> Path:
        return test_masks_and_units.with_unit(folder / "a.fits", column, unit)

    return make, settings


def spoilt(spoil: Callable[[Path], None]) -> Any:
    def make(folder: Path) -> Path:
        path = write(good_frame(), folder / "a.fits")
        test_fits_files.with_sums(path)
        spoil(path)
        return path

    return make, {}


def changed_header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"table extension", b"table Extension", 1))


def folder_of(make: Callable[[Path], Any]) -> Any:
    def in_own(folder: Path) -> Path:
        (folder / "photo").mkdir()
        make(folder / "photo")
        return folder / "photo"

    return in_own, {}


def external(file: Any, name: str) -> None:
    file[name] = h5py.ExternalLink("other.h5", f"/{name}")


def packed_constants() -> Any:
    def make(file: Any) -> None:
        for name in ("redshift", *BANDS):
            value = 0.5 if name == "redshift" else 19.0
            file.create_dataset(name, data=np.full(100_000, value), compression="gzip")

    few = {f"model_mag_{band}": band for band in BANDS} | {"zspec": "redshift"}
    return hdf5(make, {"columns": few})


def dered(**settings: Any) -> Any:
    make, both = mapped(**{f"model_mag_{band}": f"dered_{band}" for band in BANDS})
    return make, both | settings


def dered_and_observed() -> Any:
    names = {f"model_mag_{b}": f"dered_{b}" for b in BANDS}
    make, both = mapped(**names, **{f"psf_mag_{b}": f"psfMag_{b}" for b in BANDS})
    return make, both | {"extinction_applied": True}


CASES: dict[str, Any] = {
    "fluxes by name": mapped(**{f"model_mag_{band}": f"psfFlux_{band}" for band in BANDS}),
    "corrected by name": dered(),
    "corrected in part": dered_and_observed(),
    "an error": mapped(zspec="zErr"),
    "a photometric redshift": mapped(zspec="photoz"),
    "a velocity": mapped(zspec="cz"),
    "another kind": mapped(model_mag_u="psfMag_u"),
    "another band": mapped(model_mag_u="mag_g"),
    "radians by name": mapped(ra="ra_rad"),
    "another id": mapped(objid="specObj", drop=("specobjid",)),
    "nanomaggies": united("u", "nanomaggies"),
    "Jansky": united("g", "Jy"),
    "milli-magnitudes": united("u", "mag", units={"model_mag_u": "dex"}),
    "arcminutes": united("ra", "arcmin"),
    "two units": united("ra", "arcmin", units={"ra": "arcsec"}),
    "units of nothing": united("ra", "deg", units={"alpha": "rad"}),
    "confirmed nothing": united("ra", "deg", confirmed=["alpha"]),
    "a changed byte": spoilt(test_fits_files.flip),
    "a changed header": spoilt(changed_header),
    "FITS cut short": spoilt(lambda path: path.write_bytes(path.read_bytes()[:-3000])),
    "packed inside": spoilt(lambda path: fits.setval(path, "ZTABLE", value=True, ext=1)),
    "a name twice": spoilt(lambda path: test_fits_files.renamed(path, b"plate", b"RA")),
    **{
        f"FITS table {table}": (
            lambda folder: test_fits_files.two_tables(folder / "a.fits"), {"table": table})
        for table in (None, 0, "OTHER")
    },
    **{
        f"HDF5 {number}: {found}": hdf5(make, settings)
        for number, (make, settings, found) in enumerate(test_hdf5.REFUSED)
        if number not in (1, 2) and make is not test_hdf5.endless_nan
    },
    "far more than it holds": packed_constants(),
    "external link": hdf5(test_hdf5.beside(u=external), {}),
    "array": (lambda folder: test_hdf5.made(test_hdf5.columns_in, folder), {"table": "u"}),
    "array in a group": (
        lambda folder: test_hdf5.made(
            lambda file: test_hdf5.columns_in(file.create_group("a")), folder),
        {"table": "a/u"},
    ),
    "two tables": (
        lambda folder: test_hdf5.made(
            lambda file: [test_hdf5.columns_in(file.create_group("a")),
                          file.create_dataset("b/x", data=[1])], folder), {}),
    **{
        f"folder, {name}": folder_of(make)
        for name, (make, _) in test_parquet.FOLDERS.items()
        if name not in ("a broken part", "a column is missing")
    },
}  # fmt: skip


@pytest.fixture
def low_limit(monkeypatch):
    monkeypatch.setattr(limits, "ALWAYS_READ", 1 << 20)


def ways_of(text: str) -> list[tuple[Follow, re.Match]]:
    return [(follow, match) for words, follow in WAYS.items() if (match := re.search(words, text))]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("low_limit")
def test_every_way_that_a_message_names_leads_to_a_catalogue(name, tmp_path):
    make, settings = CASES[name]
    tried = 0
    while True:
        folder = tmp_path / str(tried)
        folder.mkdir()
        attempt = Attempt(make(folder), deepcopy(settings))
        text, seen = attempt.message(), []
        assert ways_of(text), f"no way for: {text}"
        follow, match = ways_of(text)[tried]
        while text:
            assert text not in seen, f"the advice leads back to: {text}"
            seen.append(text)
            follow(attempt, match)
            text = attempt.message()
            assert not text or ways_of(text), f"no way for: {text}"
            follow, match = (ways_of(text) or [(follow, match)])[0]
        tried += 1
        if tried == len(ways_of(seen[0])):
            break
