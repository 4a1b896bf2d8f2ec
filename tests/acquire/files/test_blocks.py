"""Tables read in blocks and in parts: the rows of the whole, whatever the format."""

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.io.votable import from_table, writeto
from astropy.table import Table

from sdssflow.acquire.checks import Defects
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files import text_streams, votable
from sdssflow.acquire.files.conform import conform_block
from sdssflow.acquire.files.readers import read_blocks, read_source
from tests.acquire.files.good_table import ROWS, good_columns, good_frame, imported, source, write
from tests.acquire.files.test_hdf5 import compound, vaex

UNSIGNED = {"specObjID": str}  # VOTable has no such integers of 64 bits


def in_blocks(path, number=0, of=1, rows=5, **settings):
    """Return the first row and the number of rows of each block, and their rows as one table."""
    found = list(read_blocks(path, source(path, **settings), number, of, rows))
    rows = pa.concat_tables(block.table for block in found)
    return [(block.first_row, len(block.table)) for block in found], of_one_text(rows)


def of_one_text(table):
    """Return a table with texts of one kind, of which Arrow has two."""
    kinds = {pa.large_string(): pa.string()}
    schema = pa.schema([its.with_type(kinds.get(its.type, its.type)) for its in table.schema])
    return table.cast(schema)


def as_a_whole(path, **settings):
    return of_one_text(read_source(path, source(path, **settings)).table)


def arrow(path):
    with pa.ipc.new_file(path, pa.Schema.from_pandas(good_frame())) as file:
        file.write_table(pa.Table.from_pandas(good_frame()), max_chunksize=4)


def categories(path):
    frame = good_frame()
    named = {name: frame[name].astype("category") for name in ("objID", "class", "plate", "r")}
    frame.assign(**named).to_parquet(path)


def of_votable(form, masked=()):
    def write_it(path):
        table = Table.from_pandas(good_frame().astype(UNSIGNED))
        found = from_table(Table(table, masked=True))
        found.get_first_table().format = form
        for row in masked:
            found.get_first_table().array.mask[row] = True
        writeto(found, str(path))

    return write_it


def hdf5(lay_out):
    def write_it(path):
        with h5py.File(path, "w") as file:
            lay_out(file)

    return write_it


WRITERS = {
    **{
        f"a.{name}": lambda path: write(good_frame(), path)
        for name in ("csv", "csv.gz", "ecsv", "fits", "vot", "parquet", "npy", "h5")
    },
    "a.arrow": arrow,
    "categories.parquet": categories,
    "binary.vot": of_votable("binary"),
    "binary2.vot": of_votable("binary2", masked=(6, 11)),
    "rows.vot": of_votable("tabledata", masked=(6, 11)),
    "compound.h5": hdf5(compound),
    "vaex.h5": hdf5(vaex),
}


@pytest.mark.parametrize("file", WRITERS)
def test_blocks_have_the_rows_of_the_whole_once_and_in_order(file, tmp_path):
    path = tmp_path / file
    WRITERS[file](path)
    whole = as_a_whole(path)
    assert len(whole) == ROWS
    places, found = in_blocks(path)
    assert found.equals(whole)
    assert sum(size for _, size in places) == ROWS
    assert all(size <= 5 for _, size in places)
    parts = [in_blocks(path, number, 3, 3) for number in range(3)]
    assert pa.concat_tables(table for _, table in parts).equals(whole)
    assert [places[0][0] for places, _ in parts] == [0, 4, 8]


def test_defects_name_the_row_of_the_file(tmp_path):
    frame = good_frame().astype({"objID": object})
    frame.loc[7, "objID"] = frame.loc[8, "objID"] = None
    frame.loc[9, "objID"] = 0
    frame.loc[11, "objID"] = frame.loc[10, "objID"]
    frame.loc[4, "objID"] = frame.loc[10, "objID"]
    frame.loc[8, "class"] = ""
    path = write(frame, tmp_path / "a.csv")
    whole = imported(path)[1]
    assert whole["example_row"].tolist() == [7, 9, 8, 10]
    repeated = whole["defect"] == "duplicate"
    assert whole.loc[repeated, "count"].tolist() == [2]
    whole = whole[~repeated]  # blocks don't see those in other blocks
    defects = Defects()
    for block in read_blocks(path, source(path), rows=5):
        conform_block(block, source(path), defects)
    columns = ["column", "defect"]
    assert defects.frame().sort_values(columns).to_dict("list") == whole.sort_values(
        columns
    ).to_dict("list")


def test_texts_and_flags_of_vaex_are_those_of_their_rows(tmp_path):
    path = tmp_path / "a.h5"
    hdf5(vaex)(path)
    known = np.arange(ROWS) % 3 > 0
    with h5py.File(path, "a") as file:
        column = file["table/columns/class"]
        column["null_bitmap"] = np.packbits(known, bitorder="little")
        # as in a slice of a longer column
        shifted = column["indices"][...] + 7
        del column["indices"]
        column["indices"] = shifted
    expected = [
        word if its else None for word, its in zip(good_frame()["class"], known, strict=True)
    ]
    for rows in (1, 5, 11):
        assert in_blocks(path, rows=rows)[1]["spec_class"].to_pylist() == expected


def test_text_in_blocks_is_read_no_further_than_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(text_streams, "BLOCK", 4096)
    path = write(pd.concat([good_frame()] * 100), tmp_path / "a.csv")
    path.write_text(path.read_text() + "too,few\n")
    blocks = read_blocks(path, source(path), rows=10)
    assert next(blocks).table.num_rows == 10
    with pytest.raises(CatalogueError, match=r"line 1202: the header names 12 columns"):
        list(blocks)


@pytest.mark.parametrize("block", [*range(100, 160, 7), 4096])
def test_blocks_of_text_end_where_rows_do(block, tmp_path, monkeypatch):
    notes = ['of\r\n"two", lines\n\n', '5" disk', "plain", "", "\n"]
    frame = good_frame().assign(note=[notes[row % 5] for row in range(ROWS)], more='"')
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False, lineterminator="\r\n")
    path.write_bytes(
        path.read_bytes().replace(b'"5"" disk"', b'5" disk').replace(b"\r\n", b"\r\n\n", 3)
    )
    whole = as_a_whole(path)
    assert whole["ra"].to_pylist() == [str(value).encode() for value in frame["ra"]]
    monkeypatch.setattr(text_streams, "BLOCK", block)
    assert in_blocks(path, rows=5)[1].equals(whole)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
@pytest.mark.parametrize("file", ["a.csv", "a.ecsv"])
def test_text_of_other_encodings_in_blocks(file, encoding, tmp_path):
    path = write(good_frame(), tmp_path / file)
    whole = as_a_whole(path)
    path.write_bytes(path.read_text().encode(encoding))
    assert in_blocks(path, 1, 2)[1].equals(whole.slice(6))


def test_rows_of_ecsv_end_where_their_quotes_do(tmp_path):
    frame = good_frame().assign(note=['of\n\n"two" lines', '5" # disk', "plain"] * (ROWS // 3))
    path = write(frame, tmp_path / "a.ecsv")
    assert in_blocks(path, rows=2)[1].equals(as_a_whole(path))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:-3], "# not observed: ", *lines[-3:]]))
    with pytest.raises(CatalogueError, match=rf"line {len(lines) - 2}: a line among the rows"):
        in_blocks(path, rows=2)
    path.write_text(
        "".join([*lines[:-1], lines[-1].replace("GALAXY", "1 2 3").replace("STAR", "1 2 3")])
    )
    with pytest.raises(
        CatalogueError, match=r"line \d+: the file can't be read as ECSV from this line"
    ):
        in_blocks(path, rows=2)


def test_columns_of_hdf5_that_differ_in_length_are_no_table(tmp_path):
    path = write(good_frame(), tmp_path / "a.h5")
    with h5py.File(path, "a") as file:
        longer = np.resize(file["objects/z"][...], 2 * ROWS)
        del file["objects/z"]
        file["objects/z"] = longer
    with pytest.raises(CatalogueError, match="columns differ in length"):
        in_blocks(path)


@pytest.mark.parametrize("form", ["binary", "binary2"])
@pytest.mark.parametrize("text_too", [False, True])
def test_a_binary_votable_that_ends_amid_a_row_is_refused(form, text_too, tmp_path):
    path = tmp_path / "a.vot"
    of_votable(form)(path)
    if not text_too:  # rows are of one length then
        table = Table.from_pandas(good_frame().drop(columns=["class", "specObjID"]))
        table.write(path, format="votable", tabledata_format=form, overwrite=True)
    columns = {name: to for name, to in good_columns().items() if to not in ("class", "specObjID")}
    assert len(in_blocks(path, columns=columns)[1]) == ROWS
    content = path.read_text()
    end = content.index("</STREAM>")
    path.write_text(content[:end].rstrip()[:-8] + "\n" + content[end:])
    for read in (
        lambda its: in_blocks(path, columns=its),
        lambda its: read_source(path, source(path, columns=its)),
    ):
        with pytest.raises(CatalogueError, match="last row is incomplete"):
            read(columns)


def resource(path, table, inner=b""):
    """Return a RESOURCE with other things inside it, which the standard lets come first."""
    table.write(path, format="votable", tabledata_format="binary2", overwrite=True)
    content = path.read_bytes()
    start, end = content.index(b"<RESOURCE"), content.index(b"</RESOURCE>") + len(b"</RESOURCE>")
    at = content.index(b">", start) + 1
    return content[start:at] + inner + content[at:end], content[:start], content[end:]


def test_nulls_are_those_of_the_table_that_is_read(tmp_path):
    path = tmp_path / "a.vot"
    table = Table.from_pandas(good_frame().astype(UNSIGNED))
    inner, *_ = resource(path, table)
    masked = Table(table, masked=True)
    masked["class"].mask[[2, 7]] = True
    outer, before, after = resource(path, masked, inner)
    path.write_bytes(before + outer + after)
    with pytest.raises(CatalogueError, match="holds 2 tables"):
        in_blocks(path)
    for number, nulls in ((0, 2), (1, 0)):
        assert in_blocks(path, table=number)[1]["spec_class"].null_count == nulls
        assert read_source(path, source(path, table=number)).table["spec_class"].null_count == nulls


def test_a_votable_that_has_no_blocks_is_read_if_it_is_small(tmp_path, monkeypatch):
    path = write(good_frame(), tmp_path / "a.vot")
    whole = as_a_whole(path)
    content = path.read_text().replace('encoding="utf-8"', "")
    path.write_text(content, encoding="utf-16")
    assert in_blocks(path, 1, 2)[1].equals(whole.slice(6))
    monkeypatch.setattr(votable, "MOST_AS_A_WHOLE", 1000)
    with pytest.raises(CatalogueError, match=r"more than 1,000\. Write it as Parquet or FITS"):
        in_blocks(path)
