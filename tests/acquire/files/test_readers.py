"""Every format gives the same catalogue, and each format's own traps are met."""

import gzip
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.readers import format_of, read_source
from sdssflow.tables import content_digest
from tests.acquire.files.good_table import (
    BANDS,
    ROWS,
    catalogue,
    good_columns,
    good_frame,
    imported,
    source,
    write,
)


@pytest.fixture
def expected(tmp_path):
    return catalogue(write(good_frame(), tmp_path / "expected.csv"))


def test_a_catalogue_has_the_values_of_its_file(expected):
    good = good_frame()
    assert expected["objid"].to_pylist() == good["objID"].tolist()
    assert expected["specobjid"].to_pylist() == good["specObjID"].tolist()
    assert expected["ra"].to_pylist() == good["ra"].tolist()
    assert expected["row_id"].to_pylist() == list(range(ROWS))
    np.testing.assert_array_equal(expected["model_mag_r"].to_numpy(), good["r"].astype("float32"))


@pytest.mark.parametrize("file", ["a.csv", "a.fits", "a.vot", "a.parquet", "a.npy", "a.h5"])
def test_only_mapped_columns_are_read(file, tmp_path):
    path = write(good_frame(), tmp_path / file)
    few = {"spec_class": "class", **{f"psf_mag_{band}": band for band in BANDS}}
    assert read_source(path, source(path, columns=few)).table.column_names == list(few)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: b"\xef\xbb\xbf" + raw, id="byte order mark"),
        pytest.param(lambda raw: raw.replace(b"\n", b"\r\n"), id="Windows line ends"),
        pytest.param(lambda raw: b"#Table1\n" + raw, id="SkyServer's first line"),
        pytest.param(lambda raw: raw.replace(b"\n", b"\n\n"), id="empty lines"),
        pytest.param(lambda raw: raw.rstrip(b"\n"), id="no last line end"),
        pytest.param(lambda raw: raw.replace(b",", b", ").replace(b", ", b",", 11), id="blanks"),
        pytest.param(lambda raw: raw.replace(b"GALAXY", b'"GALAXY"'), id="quotes"),
        pytest.param(lambda raw: raw.replace(b"\n", b"\r"), id="line ends of old Macs"),
        pytest.param(lambda raw: raw.replace(b"\n", b"\r\r\n"), id="line ends made twice"),
        pytest.param(
            lambda raw: raw.replace(b"\n", b"\r", 5).replace(b"\n", b"\r\n", 4),
            id="all three line ends",
        ),
        pytest.param(
            lambda raw: b"\n  \n\r\n" + raw.replace(b"\n", b"\n \t \n", 3),
            id="empty and blank lines first and between",
        ),
        pytest.param(lambda raw: raw.replace(b",", b";"), id="semicolons"),
        pytest.param(lambda raw: raw.replace(b",", b"\t"), id="tabs"),
        pytest.param(lambda raw: raw.replace(b",", b" | "), id="bars"),
        pytest.param(lambda raw: raw.replace(b",", b" "), id="single blanks"),
        pytest.param(
            lambda raw: b"  " + raw.replace(b",", b" \t ").replace(b"\n", b" \r\n "),
            id="blanks everywhere",
        ),
        pytest.param(lambda raw: b"# " + raw.replace(b",", b"  "), id="TOPCAT's ASCII"),
        pytest.param(
            lambda raw: raw.replace(b",", b" ").replace(b"\n", b' "a b"\n'), id="blanks in quotes"
        ),
        pytest.param(lambda raw: raw.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(
            lambda raw: raw.replace(b",", b"\t").replace(b"\n", b"\r\n").decode().encode("utf-16"),
            id="Excel's Unicode text",
        ),
        pytest.param(lambda raw: b"\xfe\xff" + raw.decode().encode("utf-16-be"), id="UTF-16-BE"),
        pytest.param(lambda raw: raw.decode().encode("utf-32"), id="UTF-32"),
        pytest.param(lambda raw: b"# ra, dec, z\n#\n" + raw, id="comments"),
        pytest.param(lambda raw: b"#my table\n# " + raw, id="names in a comment"),
        pytest.param(lambda raw: b"#" + raw, id="a number sign before the first name"),
        pytest.param(lambda raw: raw.replace(b",", b" , ", 11), id="blanks around names"),
        pytest.param(
            lambda raw: b'"' + raw.replace(b",", b'","').replace(b"\n", b'"\n"')[:-1],
            id="everything in quotes",
        ),
        pytest.param(lambda raw: raw.replace(b"\n", b",\n"), id="a comma at each end"),
        pytest.param(
            lambda raw: raw.replace(b"\n", b',"a ""\n\r\n, b"\n'), id="line breaks in quotes"
        ),
        pytest.param(lambda raw: raw.replace(b"\n", b',5" disk"\n'), id="quotes amid values"),
        pytest.param(lambda raw: raw.replace(b"\n", b",\xe9\n"), id="Latin-1 in a column unmapped"),
        pytest.param(
            lambda raw: b"\n".join(
                line + (b',"of\nall"' if i == 0 else b"," if line else b"")
                for i, line in enumerate(raw.split(b"\n"))
            ),
            id="a line break in a name",
        ),
    ],
)
def test_csv_dialects(change, tmp_path, expected):
    path = write(good_frame(), tmp_path / "a.csv")
    path.write_bytes(change(path.read_bytes()))
    assert content_digest(catalogue(path)) == content_digest(expected)


@pytest.mark.parametrize("separator", [b",", b"\t", b"   "])
@pytest.mark.parametrize("first", [b"", b"# objID specObjID\n\n"])
def test_columns_without_a_header_have_numbers(separator, first, tmp_path, expected):
    path = write(good_frame(), tmp_path / "a.dat.gz")
    rows = gzip.decompress(path.read_bytes()).split(b"\n", 1)[1]
    path.write_bytes(gzip.compress(first + rows.replace(b",", separator)))
    places = {name: str(place + 1) for place, name in enumerate(good_frame())}
    numbered = {name: places[its] for name, its in good_columns().items()}
    found = catalogue(path, columns=numbered, header=False)
    assert content_digest(found) == content_digest(expected)


def test_an_error_without_a_header_names_line_and_number(tmp_path):
    path = tmp_path / "a.dat"
    path.write_text("# a list\n 18 17 16 15 14 0.1\n 18 17 faint 15 14 0.2\n")
    columns = {"zspec": "6", **{f"psf_mag_{b}": str(n + 1) for n, b in enumerate("ugriz")}}
    with pytest.raises(CatalogueError, match=r"3 -> psf_mag_r.*row 1 \(line 3\): 'faint'"):
        catalogue(path, columns=columns, header=False)
    with pytest.raises(CatalogueError, match=r"no column '7'"):
        catalogue(path, columns=columns | {"zspec_err": "7"}, header=False)
    path.write_text("18 17 16 15 14 0.1\n18 17 16 15 14\n")
    with pytest.raises(CatalogueError, match=r"line 2: the first row has 6 values, this line has"):
        catalogue(path, columns=columns, header=False)


@pytest.mark.parametrize("first", ["0,1,2,3,4,5", "1  2 3 4 5 6"])
def test_a_line_of_numbers_of_columns_is_no_row(first, tmp_path):
    (tmp_path / "a.dat").write_text(f"{first}\n18,17,16,15,14,0.1\n")
    columns = {"zspec": "6", **{f"psf_mag_{b}": str(n + 1) for n, b in enumerate("ugriz")}}
    with pytest.raises(CatalogueError, match="line 1: .*the first line numbers the columns"):
        catalogue(tmp_path / "a.dat", columns=columns, header=False)


def test_line_ends_of_old_macs_in_a_large_file(tmp_path):
    rows = [f"{18 + k % 7}    17   16  15 14   {k / 1e5:.5f}" for k in range(40_000)]
    (tmp_path / "a.dat").write_bytes("\r".join(rows).encode())
    columns = {"zspec": "6", **{f"psf_mag_{b}": str(n + 1) for n, b in enumerate("ugriz")}}
    found = catalogue(tmp_path / "a.dat", columns=columns, header=False)
    assert found["zspec"].to_pylist() == [round(k / 1e5, 5) for k in range(40_000)]


def test_a_quote_over_two_lines_between_blanks_is_refused(tmp_path):
    lines = ["n u g r i z zs", '"a  b', 'c  d" 19 18 17 17 17 0.1', "e 19 18 17 17 17 0.1"]
    (tmp_path / "a.dat").write_text("\n".join(lines))
    columns = {"zspec": "zs", "spec_subclass": "n", **{f"psf_mag_{b}": b for b in "ugriz"}}
    with pytest.raises(CatalogueError, match="line 2: a value has an opening quote.* on its line"):
        catalogue(tmp_path / "a.dat", columns=columns)


def test_an_array_of_many_columns(tmp_path):
    frame = good_frame()[["redshift", *BANDS]]
    more = pd.DataFrame(0.0, frame.index, [f"a_long_name_of_a_column_{k}" for k in range(400)])
    records = pd.concat([frame, more], axis=1).to_records(index=False)
    np.save(tmp_path / "a.npy", np.array(records))
    columns = {"zspec": "redshift", **{f"psf_mag_{b}": b for b in BANDS}}
    assert catalogue(tmp_path / "a.npy", columns=columns).num_rows == ROWS


def test_a_value_with_blanks_between_blanks_needs_quotes(tmp_path):
    path = write(good_frame(), tmp_path / "a.csv")
    lines = path.read_text().replace(",", "  ")
    path.write_text(lines.replace("QSO", "A QSO"))
    message = r"line 3: the header names 12 columns, .* 13 values \(4 lines.*that contain blanks"
    with pytest.raises(CatalogueError, match=message):
        catalogue(path)
    path.write_text(lines.replace("QSO", '"A QSO"'))
    labels = {"GALAXY": "GALAXY", "A QSO": "QSO", "STAR": "STAR"}
    assert catalogue(path, class_labels=labels).num_rows == ROWS


def test_plain_numbers_of_numpy_have_numbers_too(tmp_path):
    frame = good_frame()[["redshift", *BANDS]]
    np.save(tmp_path / "a.npy", frame.to_numpy())
    columns = {"zspec": "1", **{f"psf_mag_{b}": str(n + 2) for n, b in enumerate(BANDS)}}
    found = catalogue(tmp_path / "a.npy", columns=columns)
    assert found["zspec"].to_pylist() == frame["redshift"].tolist()


@pytest.mark.parametrize("prefix", [b"", b"#Table1\n", b"\n\n"])
def test_line_of_an_error_is_the_one_in_the_file(prefix, tmp_path):
    frame = good_frame().astype({"u": object})
    frame.loc[8, "u"] = "faint"
    path = write(frame, tmp_path / "a.csv")
    header, *rows = path.read_bytes().splitlines(keepends=True)
    lines = (header if prefix == b"\n\n" else prefix + header, *([prefix] * (prefix == b"\n\n")))
    path.write_bytes(b"".join(lines) + b"".join(rows))
    line = next(i for i, x in enumerate(path.read_text().split("\n"), 1) if "faint" in x)
    with pytest.raises(CatalogueError, match=rf"row 8 \(line {line}\)"):
        catalogue(path)


@pytest.mark.parametrize("name", ["a.csv", "a", "a.txt", "a.fits", ".csv.zip", "a.gz"])
@pytest.mark.parametrize(
    "file", ["a.csv", "a.csv.gz", "a.fits", "a.vot", "a.parquet", "a.npy", "a.h5"]
)
def test_all_formats_give_the_same_catalogue_whatever_the_name_of_the_file(
    file, name, tmp_path, expected
):
    path = write(good_frame(), tmp_path / file).rename(tmp_path / name)
    if (file, name) in (("a.csv", "a.fits"), ("a.csv.gz", "a.fits")):
        with pytest.raises(CatalogueError, match=r"source\.format to csv"):
            format_of(str(path))
        assert content_digest(catalogue(path, format="csv")) == content_digest(expected)
    else:
        assert content_digest(catalogue(path)) == content_digest(expected)


def test_recorded_sha256_is_accepted(tmp_path):
    path = write(good_frame(), tmp_path / "a.csv")
    digest = read_source(path, source(path)).sha256
    assert read_source(path, source(path, sha256=digest)).sha256 == digest


VECTORS = {**good_columns(), **{f"model_mag_{b}": f"modelMag[{k}]" for k, b in enumerate(BANDS)}}


@pytest.mark.parametrize("suffix", ["fits", "vot", "parquet", "h5"])
def test_elements_of_vector_columns(suffix, tmp_path, expected):
    good = good_frame()
    vectors = good[list(BANDS)].to_numpy()
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        flat = pa.array(vectors.ravel())
        lists = pa.FixedSizeListArray.from_arrays(flat, 5)
        pq.write_table(pa.Table.from_pandas(good).append_column("modelMag", lists), path)
    else:
        good["specObjID"] = good["specObjID"].astype(str)
        table = Table.from_pandas(good.drop(columns=list(BANDS)))
        table["modelMag"] = vectors
        if suffix == "h5":
            table["class"] = table["class"].astype("S6")
            table["specObjID"] = table["specObjID"].astype("S20")
        kind = {"vot": "votable", "h5": "hdf5"}.get(suffix, "fits")
        table.write(path, format=kind, **({"path": "photo"} if suffix == "h5" else {}))
    assert content_digest(catalogue(path, columns=VECTORS)) == content_digest(expected)


def test_fits_types_masks_and_extensions(tmp_path):
    """Big-endian floats, TNULL integers, unsigned 64-bit (TZERO), NaN, padded text."""
    good = good_frame()
    good.loc[3, "u"] = np.nan
    plates = good["plate"].to_numpy(np.int32)
    plates[5] = -1
    columns = [
        fits.Column("CLASS", "10A", array=good["class"].to_numpy(str)),
        fits.Column("PLATE", "J", null=-1, array=plates),
        fits.Column("SPECOBJID", "K", bzero=2**63, array=good["specObjID"].to_numpy()),
        *[fits.Column(band, "E", unit="mag", array=good[band].to_numpy(">f4")) for band in BANDS],
    ]
    table = fits.BinTableHDU.from_columns(columns, name="SPECOBJ")
    other = fits.BinTableHDU.from_columns([fits.Column("x", "J", array=[1])])
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), other, table]).writeto(path)
    mapping = {
        "spec_class": "CLASS",
        "plate": "PLATE",
        "specobjid": "SPECOBJID",
        **{f"model_mag_{band}": band for band in BANDS},
    }
    found, defects = imported(path, table="SPECOBJ", columns=mapping)
    assert found["plate"].to_pylist() == [*good["plate"][:5], None, *good["plate"][6:]]
    assert found["specobjid"].to_pylist() == good["specObjID"].tolist()
    assert found["spec_class"].to_pylist() == good["class"].tolist()
    assert found["model_mag_u"].null_count == 1
    assert defects.values.tolist() == [
        ["plate", "missing", 1, "kept as null", 5],
        ["model_mag_u", "not finite", 1, "set to null", 3],
    ]
    by_number = catalogue(path, table="2", columns=mapping)
    assert content_digest(by_number) == content_digest(found)


def test_parquet_dictionaries_decimals_and_binary(tmp_path, expected):
    good = good_frame()
    table = pa.Table.from_pandas(good)
    ids = pa.array([Decimal(int(x)) for x in good["specObjID"]], pa.decimal128(20, 0))
    swaps = {
        "specObjID": ids,  # the server's numeric(20, 0)
        "class": pa.array(good["class"].tolist()).dictionary_encode(),
        "plate": pa.array(good["plate"].tolist(), pa.uint16()),
        "u": pa.array([Decimal(str(x)) for x in good["u"]]),
    }
    for name, values in swaps.items():
        table = table.set_column(table.column_names.index(name), name, values)
    pq.write_table(table, tmp_path / "a.parquet")
    assert content_digest(catalogue(tmp_path / "a.parquet")) == content_digest(expected)


def test_null_cells_are_null_in_every_format(tmp_path):
    frame = good_frame()
    frame["plate"] = pd.array(frame["plate"], dtype="Int64")
    frame.loc[4, "plate"] = pd.NA
    frame.loc[6, "class"] = None
    digests = set()
    for file in ("a.csv", "a.parquet", "a.fits"):
        found = catalogue(write(frame, tmp_path / file))
        assert found["plate"].to_pylist()[4] is None
        digests.add(content_digest(found.drop_columns("spec_class")))
        if file != "a.fits":  # FITS can't tell an empty text from none; both are null here
            assert found["spec_class"].to_pylist()[6] is None
    assert len(digests) == 1
