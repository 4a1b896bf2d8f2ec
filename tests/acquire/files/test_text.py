"""Tables of text: what is read is what Python's strict reader of CSV reads, whatever the blocks."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files import text_streams
from sdssflow.acquire.files.columns import ALL_ROWS, Part
from sdssflow.acquire.files.text import line_of_row, text_blocks
from sdssflow.tables import content_digest
from tests.acquire.files.good_table import (
    ROWS,
    catalogue,
    good_columns,
    good_frame,
    imported,
    write,
)

NAMES = {"ra": "x", "dec": "y"}


def by_python(body):
    """Return rows and the lines they begin on, None if the text is no sound CSV of two columns."""
    reader = csv.reader(io.StringIO(body, newline=""), strict=True)
    rows, lines, before = [], [], 0
    try:
        for row in reader:
            if len(row) > 1 or (row and row[0].strip()):
                rows.append(row)
                lines.append(before + 2)
            before = reader.line_num
    except csv.Error:
        return None
    return (rows, lines) if all(len(row) == 2 for row in rows) else None


def rows_of(path):
    """Return all rows, each as the bytes of both columns."""
    blocks = text_blocks(str(path), NAMES, True, Part(0, 1), ALL_ROWS)
    columns = [[table[name].to_pylist() for name in NAMES] for _, table in blocks]
    return [row for block in columns for row in zip(*block, strict=True)]


@settings(max_examples=300)
@given(st.text(st.sampled_from('ab",\n\r '), max_size=50))
@example('a,"b\r\n"\r\na,b"c"\r\n')
@example('"a""",b\n"a\n\n""",b\n')
@example('a,"\nb,"\n')
@example('a""b,c""\na,"b"')
@example(",\n,\r\n,\r,")
def test_any_text_is_read_as_python_reads_it_or_refused(tmp_path_factory, body):
    path = tmp_path_factory.mktemp("text") / "a.csv"
    path.write_bytes(b"x,y\n" + body.encode())
    expected = by_python(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_streams, "BLOCK", 64)  # so that blocks end anywhere
        try:
            found = rows_of(path)
        except CatalogueError as error:
            swallowed = "contains line ends and as many separators" in str(error)
            assert expected is None or swallowed
            return
    assert expected is not None
    rows, lines = expected
    assert found == [(x.encode(), y.encode()) for x, y in rows]
    assert [line_of_row(str(path), NAMES, row) for row in range(len(rows))] == lines


@pytest.mark.parametrize("rows", [12, 3000])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_line_breaks_in_quotes_at_any_size(rows, separator, tmp_path):
    """Arrow by itself reads them in files of one block alone."""
    frame = pd.concat([good_frame()] * (rows // ROWS), ignore_index=True)
    frame["objID"] += 2 * np.arange(rows)
    frame["specObjID"] += 2 * np.arange(rows, dtype=np.uint64)
    frame["comment"] = [f'seen twice,\r\n"{"again " * (i % 90)}"\n' for i in range(rows)]
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False, sep=separator)
    mapping = {**good_columns(), "spec_subclass": "comment"}
    found = catalogue(path, columns=mapping)
    assert found["objid"].to_pylist() == frame["objID"].tolist()
    assert found["spec_subclass"].to_pylist() == frame["comment"].str.strip().tolist()
    frame["u"] = frame["u"].astype(object)
    frame.loc[rows - 2, "u"] = "faint"
    frame.to_csv(path, index=False, sep=separator)
    line = path.read_bytes().split(b"faint")[0].count(b"\n") + 1
    with pytest.raises(CatalogueError, match=rf"row {rows - 2} \(line {line}\)"):
        catalogue(path, columns=mapping)


def test_the_limit_of_a_line_does_not_depend_on_where_it_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(text_streams, "LONGEST_LINE", 100)
    monkeypatch.setattr(text_streams, "BLOCK", 400)
    path = tmp_path / "a.csv"
    for before in range(0, 500, 7):
        for length in (96, 97, 98, 99, 100, 101, 150, 500):
            lines = ["x,y", *["1,2"] * before, "a," + "b" * (length - 3), "3,4"]
            path.write_text("\n".join(lines) + "\n")
            if length < 100:
                assert len(rows_of(path)) == before + 2
            elif length > 101:
                with pytest.raises(CatalogueError, match=f"line {before + 2}: .*longer than"):
                    rows_of(path)


FLAGS = [False, True] * (ROWS // 2)


def flags(no, yes, file="a.csv"):
    return lambda folder: write(
        good_frame().assign(clean=[yes if flag else no for flag in FLAGS]), folder / file
    )


FLAG_FILES = {
    "words": flags("False", "True"),
    "small words": flags("false", "true"),
    "capitals": flags("FALSE", "TRUE"),
    "letters": flags("F", "T"),
    "small letters": flags("f", "t"),
    "letters in FITS": flags("F", "T", "a.fits"),
    **{
        f"booleans in {kind}": flags(False, True, f"a.{kind}")
        for kind in ("csv", "ecsv", "parquet", "fits", "vot", "h5")
    },
}


@pytest.mark.parametrize("name", ["clean", "science_primary"])
@pytest.mark.parametrize("file", FLAG_FILES)
def test_booleans_are_flags_in_all_formats(file, name, tmp_path):
    columns = {**good_columns(), name: "clean"}
    expected = catalogue(flags(0, 1)(tmp_path), columns=columns)
    assert expected[name].to_pylist() == [int(flag) for flag in FLAGS]
    found = catalogue(FLAG_FILES[file](tmp_path), columns=columns)
    assert content_digest(found) == content_digest(expected)


@pytest.mark.parametrize("form", ["0x{:x}", "0X{:X}", "0x{:016x}"])
def test_hexadecimal_ids(form, tmp_path):
    good = good_frame()
    shown = good.assign(**{name: [form.format(n) for n in good[name]]
                           for name in ("objID", "specObjID")})  # fmt: skip
    path = write(shown, tmp_path / "a.csv")
    found = catalogue(path)
    assert found["objid"].to_pylist() == good["objID"].tolist()
    assert found["specobjid"].to_pylist() == good["specObjID"].tolist()


@pytest.mark.parametrize("delimiter", [" ", ","])
@pytest.mark.parametrize("method", [None, "data_mask"])
def test_ecsv_with_its_units_masks_and_types(delimiter, method, tmp_path):
    good = good_frame()
    table = Table.from_pandas(good)
    table["u"] = MaskedColumn(good["u"], mask=np.arange(ROWS) == 3, unit="mag")
    table["plate"] = MaskedColumn(good["plate"], mask=np.arange(ROWS) == 5)
    table["ra"].unit = "deg"
    path = tmp_path / "a.csv"
    table.write(path, format="ascii.ecsv", delimiter=delimiter, serialize_method=method)
    found, defects = imported(path)
    assert found["objid"].to_pylist() == good["objID"].tolist()
    assert found["specobjid"].to_pylist() == good["specObjID"].tolist()
    assert defects.values.tolist() == [
        ["plate", "missing", 1, "kept as null", 5],
        ["model_mag_u", "missing", 1, "kept as null", 3],
    ]
