"""Binary files that can't be believed, and names and units that say another thing.

Each with words that its message has to contain.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.io import fits

from tests.acquire.files import test_fits, test_hdf5, test_units
from tests.acquire.files.bad_inputs import BadInput
from tests.acquire.files.good_table import BANDS, ROWS, columns_in, good_columns, good_frame, write
from tests.acquire.files.test_hdf5 import pandas_table, vaex
from tests.acquire.files.test_parquet import in_jansky, list_parts, one_has, parts


def beside(**others):
    """Write the good columns, some of them otherwise: as a function of the file."""

    def make(file):
        columns_in(file, skip=others)
        for name, put in others.items():
            put(file, name)

    return make


def put(value):
    def at(file, name):
        file[name] = value

    return at


def part_written(file, name):
    dataset = file.create_dataset(name, (ROWS,), "f8", chunks=(4,), fillvalue=19.0)
    dataset[:4] = 19.0


def virtual(file, name):
    layout = h5py.VirtualLayout((ROWS,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "u", shape=(ROWS,))
    file.create_virtual_dataset(name, layout)


def raw_storage(file, name):
    file.create_dataset(name, (ROWS,), "f8", external=[("/etc/passwd", 0, ROWS * 8)])


def circle(file, name):
    file[name] = h5py.SoftLink("/v")
    file["v"] = h5py.SoftLink(f"/{name}")


def through_another(file, name):
    file["e"] = h5py.ExternalLink("other.h5", "/")
    file[name] = h5py.SoftLink("/e/u")


def enumeration_without_word(file, name):
    kind = h5py.enum_dtype({"GALAXY": 0}, basetype="i1")
    file.create_dataset(name, data=np.ones(ROWS, "i1"), dtype=kind)


def packed(file, name):
    file[name] = np.zeros(ROWS)
    file[name].attrs["scale_factor"] = 0.01


def huge(file):
    for name in good_frame():
        file.create_dataset(name, (10**12,), "f8", chunks=(10**6,), fillvalue=19.0)


def endless_nan(file):
    for name in good_frame():
        file.create_dataset(name, (10**12,), "f8", chunks=(10**6,), fillvalue=np.nan)


def malicious_names(file):
    pandas_table(file)
    raw = b"cos\nsystem\n(S'true'\ntR."
    file["photo/table"].attrs["values_block_0_kind"] = np.bytes_(raw)


REFUSED = [
    (beside(u=put(h5py.ExternalLink("other.h5", "/u"))), {}, "link to another file, 'other.h5'"),
    (lambda file: put(h5py.ExternalLink("other.h5", "/u"))(file, "objects"), {}, "another file"),
    (lambda file: put(h5py.ExternalLink("o.h5", "/u"))(file, "a"), {"table": "a/b"}, "another fil"),
    (beside(u=through_another), {}, "'e' is a link to another file"),
    (beside(u=circle), {}, "does not exist or is a cycle"),
    (beside(u=put(h5py.SoftLink("/nowhere"))), {}, "does not exist or is a cycle"),
    (beside(u=virtual), {}, "a virtual dataset"),
    (beside(u=raw_storage), {}, "raw storage"),
    (beside(u=part_written), {}, "only some of its 12 values were written"),
    (beside(u=lambda file, name: file.create_dataset(name, (ROWS,), "f8")), {}, "only some"),
    (huge, {}, "only some of its 1,000,000,000,000 values"),
    (endless_nan, {}, "at most 100 times its size is read"),
    (beside(u=put(1.0)), {}, "a single value, not one per row"),
    (beside(u=put(h5py.Empty("f8"))), {}, "it holds no values"),
    (beside(u=put(np.zeros(ROWS - 1))), {}, "differ in length"),
    (beside(u=put(np.zeros((ROWS, 2)))), {}, "u[0]"),
    (beside(u=put(np.zeros((ROWS, 2, 2)))), {}, "arrays of 2 by 2"),
    (beside(u=put(np.zeros(ROWS, "c16"))), {}, "complex128"),
    (beside(u=packed), {}, "scale_factor is 0.01"),
    (beside(**{"class": enumeration_without_word}), {}, "1 is not in its enumeration"),
    (beside(**{"class": put([b"GAL\xff"] * ROWS)}), {}, "not UTF-8"),
    (vaex, {"table": "table/columns/ra"}, "is one column, not a table"),
    (malicious_names, {}, "not plain texts"),
    (lambda file: file.create_group("a"), {}, "holds no table"),
]  # fmt: skip


def without(name):
    def make(folder):
        parts(folder)
        list_parts(folder)
        (folder / name).unlink()

    return make


def with_file(name, content="x"):
    def make(folder):
        parts(folder)
        (folder / name).write_text(content)

    return make


def one_too_many(folder):
    parts(folder)
    list_parts(folder)
    (folder / "part-9.parquet").write_bytes((folder / "part-1.parquet").read_bytes())


FOLDERS = {
    "empty": (lambda folder: None, "holds no Parquet file"),
    "no part": (lambda folder: (folder / "a.csv").touch(), "holds no Parquet file"),
    "an unfinished part": (with_file("part-3.parquet.tmp"), "part-3.parquet.tmp"),
    "something else": (with_file("README.txt"), "'README.txt', which is not a .parquet file"),
    "a broken part": (with_file("part-3.parquet"), "part-3.parquet: the file can't be read"),
    "a part is missing": (without("part-1.parquet"), "_metadata lists 'part-1.parquet'"),
    "a part too many": (one_too_many, "_metadata lists no 'part-9.parquet'"),
    "types differ": (
        lambda folder: parts(folder, change=one_has(lambda x: x.astype({"u": "float32"}))),
        "part-0.parquet has double, part-1.parquet has float",
    ),
    "units differ": (
        lambda folder: parts(folder, change=one_has(in_jansky)),
        "part-0.parquet has double, part-1.parquet has double in mag",
    ),
    "a column is missing": (
        lambda folder: parts(folder, change=one_has(lambda x: x.drop(columns="u"))),
        "part-1.parquet: the file has no column 'u'",
    ),
}


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
            columns_in(other)
        return test_hdf5.made(make, folder)

    return write_both, settings


def united(column: str, unit: str, **settings: Any) -> Any:
    def make(folder: Path) -> Path:
        return test_units.with_unit(folder / "a.fits", column, unit)

    return make, settings


def spoilt(spoil: Callable[[Path], None]) -> Any:
    def make(folder: Path) -> Path:
        path = write(good_frame(), folder / "a.fits")
        test_fits.with_sums(path)
        spoil(path)
        return path

    return make, {}


def name_twice(folder: Path) -> Path:
    path = write(good_frame(), folder / "a.fits")
    test_fits.renamed(path, b"plate", b"RA")
    return path


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


NAMES = {
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
}
OTHERS = {
    "nanomaggies": (united("u", "nanomaggies"), "'nanomaggies'"),
    "Jansky": (united("g", "Jy"), "'Jy'"),
    "milli-magnitudes": (united("u", "mag", units={"model_mag_u": "dex"}), "in 'dex'"),
    "arcminutes": (united("ra", "arcmin"), "in 'arcmin'"),
    "two units": (united("ra", "arcmin", units={"ra": "arcsec"}), "'arcsec', the file in 'arcmin'"),
    "units of nothing": (united("ra", "deg", units={"alpha": "rad"}), "units names 'alpha'"),
    "confirmed nothing": (united("ra", "deg", confirmed=["alpha"]), "confirmed names 'alpha'"),
    "a changed byte": (spoilt(test_fits.flip), "DATASUM"),
    "a changed header": (spoilt(changed_header), "CHECKSUM"),
    "a header cut short": (
        spoilt(lambda path: path.write_bytes(path.read_bytes()[:-3000])), "truncated"),
    "packed inside": (
        spoilt(lambda path: fits.setval(path, "ZTABLE", value=True, ext=1)), "funpack"),
    "a name twice": (
        (name_twice, {}), "'RA' 2 times"
    ),
    "repeated numbers": (packed_constants(), "expand to 4,800,000 bytes"),
    "external link": (hdf5(beside(u=external), {}), "link to another file"),
    "array": (hdf5(columns_in, {"table": "u"}), "Remove source.table"),
    "array in a group": (
        hdf5(lambda file: columns_in(file.create_group("a")), {"table": "a/u"}),
        "Set source.table to 'a'",
    ),
    "a table and an array": (
        hdf5(lambda file: [columns_in(file.create_group("a")),
                           file.create_dataset("b/x", data=[1])], {}), "2 tables"),
}  # fmt: skip
TABLES = {
    f"FITS table {table}": (
        lambda folder: test_fits.two_tables(folder / "a.fits"),
        {"table": table},
    )
    for table in (None, 0, "OTHER")
}
# what their advice asks for is not at hand here
NO_WAY = (
    "HDF5: another file (1)",
    "HDF5: another fil (2)",
    "HDF5: at most 100 times its size is read (11)",
    "folder: a broken part",
    "folder: a column is missing",
)

CASES = [
    BadInput(name, make, (words,), settings)
    for name, (make, settings), words in [
        *((name, case, "source.columns maps") for name, case in NAMES.items()),
        *((name, case, words) for name, (case, words) in OTHERS.items()),
        *((name, case, "b.fits") for name, case in TABLES.items()),
        *(
            (f"HDF5: {words} ({number})", hdf5(make, settings), words)
            for number, (make, settings, words) in enumerate(REFUSED)
        ),
        *((f"folder: {name}", folder_of(make), words) for name, (make, words) in FOLDERS.items()),
    ]
]
