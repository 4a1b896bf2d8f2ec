"""FITS tables: which one, whether it is whole, and columns of other kinds than numbers."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.readers import read_source
from tests.acquire.files.good_table import (
    BANDS,
    LABELLED,
    ROWS,
    catalogue,
    good_columns,
    good_frame,
    source,
    write,
)

VECTOR = {"spec_class": "class", **{f"model_mag_{b}": f"mag[{k}]" for k, b in enumerate(BANDS)}}


def flip(path):
    with fits.open(path) as file:
        place = file[1].fileinfo()["datLoc"] + 101
    body = bytearray(path.read_bytes())
    body[place] ^= 1
    path.write_bytes(body)


def renamed(path, old, new):
    card = b"= '%-8s'"
    assert card % old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(card % old, card % new, 1))


def with_sums(path):
    with fits.open(path, memmap=False) as file:
        file.writeto(path, overwrite=True, checksum=True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_sums_that_a_file_carries_hold(pack, tmp_path):
    path = write(good_frame(), tmp_path / "a.fits")
    with_sums(path)
    packed = tmp_path / "b.fits"
    packed.write_bytes(pack(path.read_bytes()))
    assert catalogue(packed).num_rows == ROWS
    flip(path)
    packed.write_bytes(pack(path.read_bytes()))
    with pytest.raises(CatalogueError, match="does not match the DATASUM"):
        catalogue(packed)


@pytest.mark.parametrize("scaling", [{}, {"TZERO": 10}, {"TSCAL": 2.0}])
def test_vectors_of_varying_length_have_nulls_and_no_scaling(scaling, tmp_path):
    path = write(good_frame(), tmp_path / "a.fits")
    redshifts = np.fromiter(([0, k, -7][: 2 + k % 2] for k in range(ROWS)), object, ROWS)
    redshifts[3] = [0, -7]
    with fits.open(path) as file:
        vectors = fits.Column("v", "PJ()", array=redshifts, null=-7)
        table = fits.BinTableHDU.from_columns(file[1].columns + fits.ColDefs([vectors]))
        for key, value in scaling.items():
            table.header[f"{key}{len(table.columns)}"] = value
        table.writeto(tmp_path / "b.fits")
    settings = source(tmp_path / "b.fits", columns=good_columns() | {"zspec": "v[1]"})
    if scaling:
        with pytest.raises(
            CatalogueError, match="column 'v': vectors of varying length are scaled"
        ):
            read_source(tmp_path / "b.fits", settings)
    else:
        found = read_source(tmp_path / "b.fits", settings).table["zspec"].to_pylist()
        assert found == [None if k == 3 else k for k in range(ROWS)]


@pytest.mark.parametrize("new", [b"ra", b"RA", b"Ra"])
def test_a_name_twice_is_refused_in_any_case(new, tmp_path):
    path = write(good_frame(), tmp_path / "a.fits")
    renamed(path, b"plate", new)
    columns = {name: to for name, to in good_columns().items() if name != "plate"}
    with pytest.raises(CatalogueError, match="names 'ra'.* 2 times"):
        catalogue(path, columns=columns)


def two_tables(path):
    photo = fits.open(write(good_frame(), path))[1]
    photo.name = "PHOTO"
    other = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=[1])], name="OTHER")
    last = fits.BinTableHDU.from_columns([fits.Column("y", "J", array=[1])], name="OTHER")
    hdus = fits.HDUList([fits.PrimaryHDU(), other, photo, last])
    hdus.writeto(path.with_name("b.fits"))
    return path.with_name("b.fits")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (None, "the selected table has no column 'objID'. Another table of the file has it: "
               "set source.table to PHOTO."),
        (1, "set source.table to PHOTO"),
        (0, "no table 0. Set source.table to one of: 1 OTHER, 2 PHOTO"),
        (-1, "no table -1"),
        ("OTHER", "2 tables are called 'OTHER'. Set source.table to the number of one"),
        (2, ""),
        ("2", ""),
        ("PHOTO", ""),
        ("photo", ""),
    ],
)  # fmt: skip
def test_one_of_several_tables(table, words, tmp_path):
    path = two_tables(tmp_path / "a.fits")
    if words:
        with pytest.raises(CatalogueError) as error:
            catalogue(path, table=table)
        assert words in str(error.value)
    else:
        assert catalogue(path, table=table).num_rows == ROWS


def test_a_misspelt_column_is_no_reason_to_hide_the_other_tables(tmp_path):
    path = two_tables(tmp_path / "a.fits")
    with pytest.raises(CatalogueError, match=r"did you mean.*these tables \(source.table\): 1, 3"):
        catalogue(path, table=2, columns=good_columns() | {"zspec": "redshfit"})


def table_with(path, *columns):
    good = good_frame()
    plain = [fits.Column("class", "6A", array=np.array(good["class"].tolist()))]
    plain += [fits.Column(band, "D", array=np.array(good[band])) for band in BANDS]
    fits.BinTableHDU.from_columns([*plain, *columns]).writeto(path)
    return path


def rows_of(lengths):
    values = good_frame()[list(BANDS)].to_numpy()
    rows = np.empty(ROWS, object)
    rows[:] = [values[k][: lengths[k % len(lengths)]] for k in range(ROWS)]
    return rows


def test_elements_of_vectors_of_any_length(tmp_path):
    path = table_with(tmp_path / "a.fits", fits.Column("mag", "PD()", array=rows_of([5])))
    expected = catalogue(path, columns=LABELLED)
    assert catalogue(path, columns=VECTOR).equals(expected, check_metadata=False)


@pytest.mark.parametrize(
    ("column", "columns", "words"),
    [
        (lambda: fits.Column("mag", "PD()", array=rows_of([5, 4])), VECTOR,
         "mag[4] does not exist"),
        (lambda: fits.Column("mag", "PD()", array=rows_of([5])), LABELLED | {"model_mag_u": "mag"},
         "mag[0] for the first"),
    ],
)  # fmt: skip
def test_what_is_no_value_per_row_is_refused(column, columns, words, tmp_path):
    path = table_with(tmp_path / "a.fits", column())
    with pytest.raises(CatalogueError) as error:
        catalogue(path, columns=columns)
    assert words in str(error.value)


def test_a_logical_value_may_be_empty_but_nothing_else(tmp_path):
    flags = np.arange(ROWS) % 2 == 0
    path = table_with(tmp_path / "a.fits", fits.Column("clean", "L", array=flags))
    with fits.open(path) as file:
        header, place = file[1].header, file[1].fileinfo()["datLoc"]
    raw = bytearray(path.read_bytes())
    raw[place + 3 * header["NAXIS1"] - 1] = 0
    path.write_bytes(raw)
    found = read_source(path, source(path, columns=LABELLED | {"clean": "clean"})).table["clean"]
    assert found.to_pylist() == [True, False, None, *flags[3:].tolist()]
    raw[place + 4 * header["NAXIS1"] - 1] = ord("Y")
    path.write_bytes(raw)
    with pytest.raises(CatalogueError, match="column 'clean', row 3: a logical value"):
        catalogue(path, columns=LABELLED | {"clean": "clean"})


def test_numbers_of_an_ascii_table_are_null_where_blank_or_tnull(tmp_path):
    good, path = good_frame(), tmp_path / "a.fits"
    columns = [fits.Column("class", "A6", array=np.array(good["class"].tolist()))]
    columns += [fits.Column(band, "F10.5", array=np.array(good[band])) for band in BANDS]
    columns += [fits.Column("plate", "I6", null="-99", array=1000 + np.arange(ROWS))]
    fits.TableHDU.from_columns(columns).writeto(path)
    raw = path.read_bytes().replace(b"  1003", b"   -99").replace(b"  1004", b"      ")
    path.write_bytes(raw)
    plates = catalogue(path, columns=LABELLED | {"plate": "plate"})["plate"].to_pylist()
    assert plates == [1000, 1001, 1002, None, None, *range(1005, 1000 + ROWS)]


def test_offsets_of_unsigned_numbers_may_be_written_with_a_point(tmp_path):
    plates = np.arange(33_000, 33_000 + ROWS, dtype=np.uint16)
    column = fits.Column("plate", "I", bzero=32768, array=plates)
    path = table_with(tmp_path / "a.fits", column)
    fits.setval(path, "TZERO7", value=32768.0, ext=1)
    found = read_source(path, source(path, columns=LABELLED | {"plate": "plate"})).table
    assert found["plate"].to_pylist() == plates.tolist()


def test_unsigned_integers_that_astropy_masked_are_null(tmp_path):
    table = Table.from_pandas(good_frame())
    masked = np.arange(ROWS) < 3
    table["specObjID"] = MaskedColumn(table["specObjID"], mask=masked)
    table.write(tmp_path / "a.fits")
    found = catalogue(tmp_path / "a.fits")["specobjid"]
    assert [value is None for value in found.to_pylist()] == masked.tolist()
