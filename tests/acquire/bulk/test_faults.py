"""Files that are no release, or no whole one, are named and leave no catalogue."""

import numpy as np
import pytest
from astropy.io import fits

from sdssflow.acquire.errors import CatalogueError
from tests.acquire.bulk import release as bulk_release
from tests.acquire.bulk.release import PHOTOMETRY, SPECTRA
from tests.acquire.bulk.walk import imported
from tests.acquire.files.test_fits import flip, renamed


def rewritten(path, change):
    """Read a table of the release, change its columns, write it again."""
    with fits.open(path, memmap=False) as file:
        data = file[1].data
        columns = {name: fits.Column(name, c.format, array=data[name].copy())
                   for name, c in zip(data.names, file[1].columns, strict=True)}  # fmt: skip
    change(columns)
    bulk_release.write_table(path, list(columns.values()))


def cut(folder, file, part):
    path = folder / file
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * part)])


def swap(columns):
    for column in columns.values():
        column.array[[1500, 1502]] = column.array[[1502, 1500]]


def stamped(path, change):
    """Write the checksums of the table, then change a byte or a keyword of the file."""
    with fits.open(path, memmap=False) as file:
        file[1].add_checksum()
        file.writeto(path, overwrite=True)
    change(path)


def with_unit(path, name, unit):
    with fits.open(path) as file:
        number = file[1].columns.names.index(name) + 1
    fits.setval(path, f"TUNIT{number}", value=unit, ext=1)


def set_to(name, row, value):
    def change(columns):
        columns[name].array[row] = value

    return change


def in_spectra(change):
    return lambda folder: rewritten(folder / SPECTRA, change)


def in_photometry(change):
    return lambda folder: rewritten(folder / PHOTOMETRY, change)


def with_column(name, kind, array):
    return lambda columns: columns.update({name: fits.Column(name, kind, array=array)})


def without_last_row(columns):
    for name, column in columns.items():
        columns[name] = fits.Column(name, column.format, array=column.array[:-1])


def last_twice(columns):
    for column in columns.values():
        column.array[2000] = column.array[2001]


FAULTS = {
    "missing": (
        lambda folder: (folder / PHOTOMETRY).unlink(),
        "photoPosPlate-dr17.fits: the file can't be read (No such file or directory). Set "
        "source.folder",
    ),
    "cut": (
        lambda folder: cut(folder, SPECTRA, 0.5),
        "specObj-dr17.fits: the file is truncated: its header states 3,000 rows, it holds 1,4",
    ),
    "cut near the end": (
        lambda folder: cut(folder, PHOTOMETRY, 0.99), "Plate-dr17.fits: the file is truncated"),
    "cut in the header": (
        lambda folder: (folder / SPECTRA).write_bytes((folder / SPECTRA).read_bytes()[:4000]),
        "specObj-dr17.fits: ",
    ),
    "gzipped": (
        lambda folder: (folder / SPECTRA).write_bytes(b"\x1f\x8b" + bytes(100)),
        "specObj-dr17.fits: the file is gzipped. Decompress it",
    ),
    "no FITS": (
        lambda folder: (folder / SPECTRA).write_text("<html>404</html>"),
        "specObj-dr17.fits: the file is not FITS",
    ),
    "empty": (lambda folder: (folder / SPECTRA).write_text(""), "the file is not FITS"),
    "no table": (
        lambda folder: fits.PrimaryHDU(np.zeros((4, 4))).writeto(folder / SPECTRA, overwrite=True),
        "specObj-dr17.fits: no extension holds a table",
    ),
    "other number of rows": (
        in_photometry(without_last_row), "photoPosPlate-dr17.fits: the file has 2,999 rows, "),
    "missing column": (
        in_photometry(lambda columns: columns.pop("MODELMAG")),
        "the file has no column 'MODELMAG'",
    ),
    "a column twice": (
        lambda folder: renamed(folder / PHOTOMETRY, b"CLEAN", b"MODE"), "names 'MODE' 2 times"),
    "a column twice but for its case": (
        lambda folder: renamed(folder / PHOTOMETRY, b"CLEAN", b"mode"), "names 'MODE' 2 times"),
    "fluxes, by their unit": (
        lambda folder: with_unit(folder / PHOTOMETRY, "MODELMAG", "nanomaggies"),
        "column 'MODELMAG': its unit is 'nanomaggies', model_mag_u is in mag",
    ),
    "a position in hours": (
        lambda folder: with_unit(folder / PHOTOMETRY, "RA", "h"),
        "column 'RA': its unit is 'h', ra is in deg",
    ),
    "a byte changed, by DATASUM": (
        lambda folder: stamped(folder / PHOTOMETRY, flip),
        "photoPosPlate-dr17.fits: the table does not match the DATASUM in its header",
    ),
    "a header changed, by CHECKSUM": (
        lambda folder: stamped(folder / SPECTRA, lambda path: renamed(path, b"THETA", b"THETB")),
        "specObj-dr17.fits: the table does not match the CHECKSUM in its header",
    ),
    "swapped rows": (in_photometry(swap), "column 'OBJID', row 1500: in rows"),
    "another object": (
        in_spectra(set_to("BESTOBJID", 0, "1237650000000000000")), "row 0: in rows 0 to 699, 1 of "
    ),
    "an id that went through floating point": (
        in_spectra(set_to("SPECOBJID", 7, "2.9948967744493E+17")),
        "column 'SPECOBJID', row 7: '2.9948967744493E+17' is not an integer",
    ),
    "a spectrum twice": (
        lambda folder: [in_spectra(last_twice)(folder), in_photometry(last_twice)(folder)],
        "column 'SPECOBJID': the spectrum ",
    ),
    "another plate than that of its id": (
        in_spectra(set_to("PLATE", 9, 12)), "column 'PLATE', row 9: SPECOBJID "),
    "ids as floats": (
        in_photometry(with_column("OBJID", "D", np.zeros(3000))),
        "column 'OBJID': stored as floating point",
    ),
    "one band alone": (
        in_photometry(with_column("PSFMAG", "E", np.zeros(3000, np.float32))),
        "column 'PSFMAG': no elements per row, expected 5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_and_leaves_no_catalogue(name, copy, tmp_path):
    spoil, message = FAULTS[name]
    spoil(copy)
    with pytest.raises(CatalogueError) as error:
        imported(copy, tmp_path / "out/c.parquet")
    assert message in str(error.value)
    assert not list(tmp_path.glob("out/*"))


def test_no_row_is_an_error(release, tmp_path):
    nothing = [{"column": "plate", "any_of": [1]}]
    with pytest.raises(CatalogueError, match="no row meets all conditions .* Loosen"):
        imported(release, tmp_path / "c.parquet", nothing)


def test_a_missing_number_is_no_number(copy, tmp_path):
    rewritten(copy / SPECTRA, set_to("Z", 4, np.nan))
    everything = [{"column": "zspec", "minimum": -1, "maximum": 9}]
    with_null, _, defects = imported(copy, tmp_path / "a.parquet")
    without, _, _ = imported(copy, tmp_path / "b.parquet", everything)
    assert with_null["zspec"].null_count == 1
    assert with_null.num_rows - without.num_rows == 1
    assert ("zspec", "missing") in set(zip(defects["column"], defects["defect"], strict=True))


def test_right_sums_and_units_are_taken(copy, release, tmp_path):
    with_unit(copy / PHOTOMETRY, "MODELMAG", "mag")
    with_unit(copy / PHOTOMETRY, "RA", "degrees")
    stamped(copy / PHOTOMETRY, lambda path: None)
    plain, _, _ = imported(release, tmp_path / "a.parquet")
    stated, _, _ = imported(copy, tmp_path / "b.parquet")
    assert stated.equals(plain)


@pytest.mark.parametrize(
    ("name", "kind", "scale", "zero"),
    [("ZWARNING", "J", 1.0, 0.0), ("ZWARNING", "I", 1.0, 32768.0), ("Z", "I", 0.001, 0.1)],
)
def test_stored_nulls_are_null_whatever_the_scale(name, kind, scale, zero, copy, tmp_path):
    path = copy / SPECTRA

    def change(columns):
        stored = np.full(3000, 5, np.int32 if kind == "J" else np.int16)
        stored[4] = -7
        columns[name] = fits.Column(name, kind, array=stored)

    rewritten(path, change)
    with fits.open(path) as file:
        number = file[1].columns.names.index(name) + 1
    for keyword, value in (("TSCAL", scale), ("TZERO", zero), ("TNULL", -7)):
        fits.setval(path, f"{keyword}{number}", value=value, ext=1)
    found, _, _ = imported(copy, tmp_path / "c.parquet")
    assert found["z_warning" if name == "ZWARNING" else "zspec"].null_count == 1
