"""What a file says of its own columns: where they mean nothing, and what they are in."""

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.units import NOTHING, SPELLINGS, parse_unit
from tests.acquire.files.good_table import (
    FEW,
    ROWS,
    good_columns,
    good_frame,
    imported,
    write_groups,
)

pytestmark = pytest.mark.filterwarnings("ignore")
HIDDEN = {"objID": 2, "u": 3, "plate": 5, "class": 7}
MISSING = {("objid", 2), ("model_mag_u", 3), ("plate", 5), ("spec_class", 7)}


def masked_table(kind):
    """Four columns of different types, each with a believable value under its mask."""
    good = good_frame()
    as_text = "U6" if kind != "h5" else "S6"
    if kind == "vot":
        good["specObjID"] = good["specObjID"].astype(str)
    table = Table({name: np.array(good[name]) for name in good if name != "class"})
    table["class"] = np.array(good["class"].tolist(), as_text)
    for name, row in HIDDEN.items():
        table[name] = MaskedColumn(table[name], mask=np.arange(ROWS) == row)
    table["u"].unit, table["ra"].unit = "mag", "deg"
    return table


def quantities(kind):
    table = QTable(masked_table(kind))
    values = np.asarray(good_frame()["u"])
    table["u"] = Masked(values * units.mag, mask=np.arange(ROWS) == HIDDEN["u"])
    return table


WRITTEN = {
    "h5": {"path": "photo", "serialize_meta": True},
    "h5 without header": {"path": "photo"},
    "h5 deep, gzip": {"path": "a/b/photo", "serialize_meta": True, "compression": True},
    "parquet": {},
    "fits": {},
    "vot": {"format": "votable"},
    "vot binary2": {"format": "votable", "tabledata_format": "binary2"},
}


@pytest.mark.parametrize("make", [masked_table, quantities])
@pytest.mark.parametrize("case", WRITTEN)
def test_what_astropy_masked_is_null_and_counted(make, case, tmp_path):
    kind = case.split()[0]
    path = tmp_path / f"a.{kind}"
    make(kind).write(path, **WRITTEN[case])
    found, defects = imported(path)
    assert set(zip(defects["column"], defects["example_row"], strict=True)) == MISSING
    assert defects["count"].tolist() == [1] * 4
    for name, row in MISSING:
        assert [i for i, value in enumerate(found[name].to_pylist()) if value is None] == [row]


def fits_table(path, name, kind, stored, **keywords):
    """Write the good table with one column of stored integers and keywords for it."""
    good = good_frame()
    columns = [
        fits.Column("class", "6A", array=np.array(good["class"].tolist())),
        *(
            fits.Column(n, "D", array=np.array(good[n]))
            for n in [*"ugriz", "redshift"]
            if n != name
        ),
        fits.Column(name, kind, array=stored),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    for keyword, value in keywords.items():
        fits.setval(path, f"{keyword}{len(columns)}", value=value, ext=1)
    return path


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"TNULL": -32768}, lambda stored: stored),
        ({"TNULL": -32768, "TZERO": 32768}, lambda stored: stored + 32768),
        ({"TNULL": 0, "TZERO": 32768}, lambda stored: stored + 32768),
    ],
)
def test_tnull_is_a_stored_value_of_integers(keywords, expected, tmp_path):
    stored = np.arange(1, ROWS + 1)
    stored[4] = keywords["TNULL"]
    path = fits_table(tmp_path / "a.fits", "plate", "I", stored, **keywords)
    plates = imported(path, columns={**FEW, "plate": "plate"})[0]["plate"].to_pylist()
    known = [None if row == 4 else int(value) for row, value in enumerate(expected(stored))]
    assert plates == known


def test_tnull_is_a_stored_value_of_scaled_numbers(tmp_path):
    stored = np.round((good_frame()["u"].to_numpy() - 20) * 1000).astype("i2")
    stored[4] = -32768
    path = fits_table(tmp_path / "a.fits", "u", "I", stored, TSCAL=0.001, TZERO=20.0, TNULL=-32768)
    u = imported(path, columns=FEW)[0]["model_mag_u"]
    assert [i for i, value in enumerate(u.to_pylist()) if value is None] == [4]
    known = np.delete(u.to_numpy(), 4)
    np.testing.assert_allclose(known, np.delete(good_frame()["u"], 4), atol=0.0006)


def test_attributes_of_netcdf_are_masks(tmp_path):
    good = good_frame()
    path = write_groups(good, tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        file["objects/u"].attrs["_FillValue"] = good["u"][6]
    assert imported(path)[0]["model_mag_u"].to_pylist().index(None) == 6


@pytest.mark.parametrize("null", [-7.1, np.float32(-7.1), "", [-7.1, 20.0]])
def test_missing_values_of_netcdf_have_any_type(null, tmp_path):
    path = write_groups(good_frame(), tmp_path / "a.h5")
    column = np.full(ROWS, 0.5, np.float32)
    column[6] = -7.1
    with h5py.File(path, "a") as file:
        file["objects/wide"] = column
        file["objects/wide"].attrs["missing_value"] = null
    declared = {"wide": {"unit": "mag", "missing": "not_observed", "meaning": "a magnitude"}}
    found, _ = imported(path, columns=good_columns() | {"wide": "wide"}, declared=declared)
    is_null = null != ""
    assert found["wide"].is_null().to_pylist() == [is_null and row == 6 for row in range(ROWS)]


@pytest.mark.parametrize("mask", [["a"] * ROWS, [0.5] * ROWS, [2] * ROWS, [None] * ROWS])
def test_a_mask_that_is_none_is_refused(mask, tmp_path):
    table = pa.Table.from_pandas(good_frame()).append_column("u.mask", pa.array(mask))
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(CatalogueError, match="'u.mask' is not a mask for it"):
        imported(tmp_path / "a.parquet")


def with_unit(path, column, unit):
    """Write the good table with the unit of one column, as each format states it."""
    good, kind = good_frame(), path.suffix
    if kind == ".parquet":
        table = pa.Table.from_pandas(good)
        place = table.column_names.index(column)
        field = pa.field(column, table[column].type, metadata={"unit": unit})
        pq.write_table(table.set_column(place, field, table[column]), path)
    elif kind == ".h5":
        with h5py.File(write_groups(good, path), "a") as file:
            file[f"objects/{column}"].attrs["units"] = unit
    elif kind == ".fits":
        Table.from_pandas(good).write(path)
        number = list(good).index(column) + 1
        fits.setval(path, f"TUNIT{number}", value=unit, ext=1)
    else:
        good["specObjID"] = good["specObjID"].astype(str)
        Table.from_pandas(good).write(path, format="votable")
        text = path.read_text().replace(f'name="{column}"', f'name="{column}" unit="{unit}"')
        path.write_text(text)
    return path


FORMATS = ["a.fits", "a.vot", "a.parquet", "a.h5"]
FOREIGN = {
    "u": ["nmgy", "nanomaggy", "nanomaggies", "nMgy", "maggies", "Jy", "mJy", "dex", "ct",
          "mag(ST)", "vegamag", "dimensionless", "erg / (s cm2 Hz)", "banana"],
    "ra": ["h", "hours", "hr", "hourangle", "rad", "radians", "arcmin", "arcsec", "mas", "hms"],
    "redshift": ["km/s", "mag", "Mpc"],
}  # fmt: skip


@pytest.mark.parametrize("file", FORMATS)
@pytest.mark.parametrize("column", FOREIGN)
def test_a_foreign_unit_is_refused_in_every_format(file, column, tmp_path):
    for number, unit in enumerate(FOREIGN[column]):
        (tmp_path / str(number)).mkdir()
        path = with_unit(tmp_path / str(number) / file, column, unit)
        with pytest.raises(CatalogueError, match="the file gives it in") as error:
            imported(path)
        # astropy writes what it knows of a VOTable's units anew
        assert unit in str(error.value) or path.suffix == ".vot"
        assert column in str(error.value)


@pytest.mark.parametrize("file", FORMATS)
def test_a_unit_in_other_words_is_taken(file, tmp_path):
    words = [("u", "AB mag"), ("u", "Magnitudes"), ("u", "mag(AB)"), ("ra", "Degrees"), ("u", "--")]
    for number, (column, unit) in enumerate(words):
        (tmp_path / str(number)).mkdir()
        imported(with_unit(tmp_path / str(number) / file, column, unit))


def test_every_stated_spelling_is_read():
    for unit, spellings in SPELLINGS.items():
        expected = {"mag": "mag", "d": "d", "": ""}.get(unit, "deg")
        for spelling in spellings.split():
            assert parse_unit(spelling.upper(), expected) == units.Unit(unit)
    assert {parse_unit(word, "mag") for word in NOTHING} == {None}


@pytest.mark.parametrize(
    ("unit", "factor"), [("hourangle", 15), ("rad", 180 / np.pi), ("arcmin", 1 / 60), ("deg", 1)]
)
def test_a_unit_that_is_asked_for_is_converted(unit, factor, tmp_path):
    good = good_frame()
    good["ra"] = good["ra"] / factor
    good.loc[3, "ra"] = -9999.0
    path = tmp_path / "a.csv"
    good.to_csv(path, index=False)
    found, defects = imported(path, units={"ra": unit})
    expected = np.where(np.arange(ROWS) == 3, np.nan, good_frame()["ra"])
    np.testing.assert_allclose(found["ra"].to_numpy(), expected, rtol=1e-14)
    assert defects["defect"].tolist() == ["sentinel -9999"]


def test_units_of_astropy_and_pandas_beside_a_parquet_table(tmp_path):
    table = Table.from_pandas(good_frame())
    table["g"].unit = "Jy"
    table.write(tmp_path / "a.parquet")
    with pytest.raises(CatalogueError, match="g -> model_mag_g.*'Jy'"):
        imported(tmp_path / "a.parquet")
    frame = good_frame()
    frame.attrs["units"] = {"g": "nanomaggies"}
    frame.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(CatalogueError, match="g -> model_mag_g.*'nanomaggies'"):
        imported(tmp_path / "b.parquet")


@pytest.mark.parametrize("key", ["TUNIT8", "FIELD_7_UNITS", "g_unit", "g.units"])
def test_units_of_a_compound_dataset(key, tmp_path):
    rows = good_frame().drop(columns="class").to_records(index=False)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["photo"] = rows
        file["photo"].attrs[key] = "Jy"
    columns = {name: to for name, to in good_columns().items() if to != "class"}
    with pytest.raises(CatalogueError, match="g -> model_mag_g.*'Jy'"):
        imported(tmp_path / "a.h5", columns=columns)


def test_nulls_of_pandas_are_null(tmp_path):
    frame = good_frame().astype({"plate": "Int64", "u": "Float64", "class": "category"})
    for name, row in HIDDEN.items():
        if name != "objID":
            frame.loc[row, name] = pd.NA
    frame.to_parquet(tmp_path / "a.parquet")
    _, defects = imported(tmp_path / "a.parquet")
    assert set(zip(defects["column"], defects["example_row"], strict=True)) < MISSING
    assert len(defects) == 3
