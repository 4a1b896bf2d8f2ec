"""Folders of Parquet parts, and Parquet files that hold less, more or other than they say."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files import containers
from sdssflow.acquire.files.parquet import folder_digest
from sdssflow.tables import content_digest, metadata
from tests.acquire.files.good_table import (
    BANDS,
    LABELLED,
    ROWS,
    catalogue,
    good_columns,
    good_frame,
    write,
)


def parts(folder, number=3, name="part-{}.parquet", change=None):
    """Write the good table in parts; `change` edits the frame of part k."""
    for k in range(number):
        frame = good_frame().iloc[k * ROWS // number : (k + 1) * ROWS // number]
        frame = frame if change is None else change(k, frame)
        table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame)
        path = folder / name.format(k)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    return folder


def list_parts(folder):
    """Write ``_metadata``, as Spark and Dask do."""
    listed = []
    for path in sorted(folder.glob("*.parquet")):
        listed.append(pq.read_metadata(path))
        listed[-1].set_file_path(path.name)
    for other in listed[1:]:
        listed[0].append_row_groups(other)
    listed[0].write_metadata_file(folder / "_metadata")


def one_has(file):
    """Return a change that gives part 1 another column u, in `file`'s way."""
    return lambda k, frame: file(frame) if k == 1 else frame


def in_jansky(frame):
    table = pa.Table.from_pandas(frame)
    place = table.column_names.index("g")
    return table.set_column(
        place, pa.field("g", pa.float64(), metadata={"unit": "mag"}), table["g"]
    )


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "all.parquet"),
        (3, "part-{}.parquet"),
        (12, "part.{}.parquet"),  # part.10 comes after part.9
        (3, "part-0000{}-5d1e.snappy.parquet"),
        (4, "Norder=0/Npix={}.pq"),
    ],
)
def test_parts_are_read_in_order_as_one_table(number, name, tmp_path):
    expected = catalogue(write(good_frame(), tmp_path / "a.csv"))
    folder = parts(tmp_path / "photo", number, name)
    for aside in ("_SUCCESS", "._SUCCESS.crc", ".part-0.parquet.crc", "_common_metadata"):
        (folder / aside).touch()
    found = catalogue(folder)
    assert content_digest(found) == content_digest(expected)
    assert content_digest(catalogue(f"{folder}/")) == content_digest(expected)
    assert metadata(found.schema)["source_sha256"] == folder_digest(str(folder))


def test_folders_named_as_hive_does_are_columns(tmp_path):
    for word, rows in good_frame().groupby("class"):
        path = tmp_path / f"class={word}" / "part.parquet"
        path.parent.mkdir()
        rows.drop(columns="class").assign(plate=None).to_parquet(path)
    found = catalogue(tmp_path, columns={n: c for n, c in good_columns().items() if n != "plate"})
    expected = good_frame().sort_values("class", kind="stable")
    assert found["spec_class"].to_pylist() == expected["class"].tolist()
    assert found["objid"].to_pylist() == expected["objID"].tolist()


def test_the_value_of_a_folder_may_be_missing(tmp_path):
    for word in ("700", "__HIVE_DEFAULT_PARTITION__"):
        path = tmp_path / f"plate={word}" / "part.parquet"
        path.parent.mkdir()
        good_frame().drop(columns="plate").to_parquet(path)
    assert catalogue(tmp_path)["plate"].to_pylist() == [700] * ROWS + [None] * ROWS


def test_a_column_without_values_has_no_type_to_differ(tmp_path):
    folder = parts(tmp_path, change=one_has(lambda frame: frame.assign(plate=None)))
    assert catalogue(folder)["plate"].null_count == 4


def test_the_digest_of_a_folder_is_of_names_and_contents(tmp_path):
    first = folder_digest(str(parts(tmp_path / "a")))
    assert folder_digest(str(parts(tmp_path / "b"))) == first
    catalogue(tmp_path / "a", sha256=first)
    (tmp_path / "a/part-1.parquet").rename(tmp_path / "a/part-9.parquet")
    assert folder_digest(str(tmp_path / "a")) != first
    with pytest.raises(CatalogueError, match="SHA-256"):
        catalogue(tmp_path / "a", sha256=first)


def test_a_list_of_parts_is_no_table(tmp_path):
    list_parts(parts(tmp_path))
    with pytest.raises(CatalogueError, match="as 'part-0.parquet'. Set source.path to the folder"):
        catalogue(tmp_path / "_metadata", format="parquet")


def test_a_column_twice_is_refused_if_it_is_mapped(tmp_path):
    table = pa.Table.from_pandas(good_frame())
    twice = pa.Table.from_arrays([*table.columns, table["u"]], [*table.column_names, "ra"])
    pq.write_table(twice, tmp_path / "a.parquet")
    with pytest.raises(CatalogueError, match="names 'ra' 2 times"):
        catalogue(tmp_path / "a.parquet")
    no_position = {n: c for n, c in good_columns().items() if n not in ("ra", "dec")}
    catalogue(tmp_path / "a.parquet", columns=no_position)


def test_a_wrong_sum_of_a_page_is_noticed(tmp_path):
    path, table = tmp_path / "a.parquet", pa.Table.from_pandas(good_frame())
    pq.write_table(table, path, write_page_checksum=True, compression="none", use_dictionary=False)
    catalogue(path)
    raw = bytearray(path.read_bytes())
    raw[raw.find(good_frame()["u"].to_numpy()[2:4].tobytes())] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CatalogueError, match="CRC checksum"):
        catalogue(path)


def test_repeated_numbers_meet_the_limit_before_they_are_unpacked(tmp_path, monkeypatch):
    values = pa.array(np.full(100_000, 19.0))
    labels = pa.array(["STAR"] * 100_000)
    table = pa.table({"class": labels, **dict.fromkeys(BANDS, values)})
    pq.write_table(table, tmp_path / "a.parquet")
    monkeypatch.setattr(containers, "ALWAYS_READ", 1 << 20)
    with pytest.raises(CatalogueError, match="expand to .* write it again without compression"):
        catalogue(tmp_path / "a.parquet", columns=LABELLED)


def test_a_long_text_in_each_row_meets_the_limit_before_it_is_unpacked(tmp_path):
    rows = 20_000
    texts = pa.DictionaryArray.from_arrays(np.zeros(rows, "i4"), ["x" * 100_000])
    table = pa.table({"class": texts, **dict.fromkeys(BANDS, pa.array(np.full(rows, 19.0)))})
    pq.write_table(table, tmp_path / "a.parquet", compression="gzip")
    with pytest.raises(CatalogueError, match="expand to 2,000,000,000 bytes"):
        catalogue(tmp_path / "a.parquet", columns=LABELLED)


def test_a_file_that_is_as_long_as_it_says_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "ALWAYS_READ", 1)
    assert catalogue(write(good_frame(), tmp_path / "a.parquet")).num_rows == ROWS
