import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sdssflow import tables
from sdssflow.failures import absent
from sdssflow.files import file_digest, replacing, write_json, write_text
from sdssflow.tables import (
    content_digest,
    metadata,
    read_csv,
    read_parquet,
    read_schema,
    with_metadata,
    write_csv,
    write_parquet,
    write_parquet_blocks,
)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_json_refuses_what_json_has_no_word_for(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"value": float("nan")})
    assert not list(tmp_path.iterdir())


def table():
    return pa.table(
        {"id": pa.array([2**63 + 5, 7, None], type=pa.uint64()), "name": ["a", None, ""]}
    )


def test_parquet_keeps_ids_metadata_and_bytes(tmp_path):
    one = with_metadata(table(), sample="x", seed=3)
    write_parquet(one, tmp_path / "a.parquet")
    write_parquet(one, tmp_path / "b.parquet")
    back = read_parquet(tmp_path / "a.parquet")
    assert back.equals(one)
    assert metadata(back.schema) == {"sample": "x", "seed": 3}
    assert file_digest(tmp_path / "a.parquet") == file_digest(tmp_path / "b.parquet")


def test_a_missing_column_names_the_file_and_what_there_is(tmp_path):
    write_parquet(table(), tmp_path / "a.parquet")
    with pytest.raises(KeyError, match=r"a.parquet: no column 'ra'; it has id, name"):
        read_parquet(tmp_path / "a.parquet", columns=["ra"])


def test_content_digest_sees_values_nulls_order_and_nothing_else():
    base = content_digest(table())
    chunked = pa.concat_tables([table().slice(0, 1), table().slice(1)])
    assert content_digest(chunked) == base
    assert content_digest(with_metadata(table(), note="x")) == base
    assert content_digest(table().take([1, 0, 2])) != base
    zero = pa.array([2**63 + 5, 7, 0], type=pa.uint64())  # null is not zero
    assert content_digest(table().set_column(0, "id", zero)) != base


@pytest.mark.parametrize("digest", ["131763e82692", "004711004711", "1", "1e5"])
@pytest.mark.parametrize("column", ["digest", "data_digest"])
def test_a_digest_that_looks_like_a_number_reads_back_as_text(tmp_path, column, digest):
    write_csv(pd.DataFrame({column: [digest, digest], "n": [1, 2]}), tmp_path / "t.csv")
    assert list(read_csv(tmp_path / "t.csv")[column]) == [digest, digest]


def test_text_that_no_row_has_reads_back_as_text(tmp_path):
    write_csv(pd.DataFrame({"remark": ["", ""], "lower": [np.nan, np.nan]}), tmp_path / "t.csv")
    back = read_csv(tmp_path / "t.csv")
    assert back["remark"].tolist() == ["", ""]
    assert back["lower"].isna().all()


def test_csv_reads_back_equal(tmp_path):
    texts = {"text": ["a", "", "c,d"], "partition": ["NA", "nan", "1e5"], "said": ["None", "a", ""]}
    frame = pd.DataFrame({"x": [0.1, np.inf, np.nan], "n": [1, 2, 3], **texts})
    write_csv(frame, tmp_path / "t.csv")
    back = read_csv(tmp_path / "t.csv")
    assert back["x"].equals(frame["x"])
    assert back[[*texts]].to_dict("list") == texts
    assert b"\r" not in (tmp_path / "t.csv").read_bytes()


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(tmp_path):
    path = tmp_path / "a.parquet"
    code = (
        "import os, signal, sys\n"
        "from sdssflow.files import replacing\n"
        "with replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    where = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "scripts")}
    subprocess.run([sys.executable, "-c", code, str(path)], env=where, check=False)
    (orphan,) = tmp_path.iterdir()
    with replacing(path) as first:
        assert not orphan.exists()
        with replacing(path) as second:
            second.write_text("second")
        assert first.exists()
        first.write_text("first")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def blocks_of(table, size):
    return [table.slice(start, size) for start in range(0, table.num_rows, size)]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_a_table_in_blocks_is_the_same_file_whatever_the_blocks(tmp_path, size, monkeypatch):
    monkeypatch.setattr(tables, "ROW_GROUP", 64)
    n = 300
    table = pa.table(
        {
            "id": pa.array(np.arange(n, dtype=np.uint64) + np.uint64(2**63)),
            "x": pa.array([None if k % 7 == 0 else k / 3 for k in range(n)], pa.float32()),
            "word": pa.array([None if k % 5 == 0 else "ab"[: k % 3] for k in range(n)]),
        }
    )
    digest = write_parquet_blocks([table], table.schema, tmp_path / "one.parquet", {"a": 1})
    again = write_parquet_blocks(
        blocks_of(table, size), table.schema, tmp_path / "many.parquet", {"a": 1}
    )
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "many.parquet").read_bytes()
    found = read_parquet(tmp_path / "many.parquet")
    assert found.equals(table)
    assert metadata(found.schema) == {"a": 1, "data_digest": digest}
    assert digest == again == content_digest(table)
    assert metadata(read_schema(tmp_path / "many.parquet")) == metadata(found.schema)


def test_no_rows_in_blocks(tmp_path):
    schema = pa.schema([("x", pa.float32())])
    write_parquet_blocks([], schema, tmp_path / "none.parquet", {})
    assert read_parquet(tmp_path / "none.parquet").num_rows == 0


@pytest.mark.parametrize(
    "other",
    [
        {"x": ["ab", "c"]},
        {"x": ["a", None]},
        {"x": ["a", "bc"], "y": [1, 2]},
        {"y": ["a", "bc"]},
        {"x": ["a", "bc", ""]},
    ],
)
def test_a_digest_tells_tables_apart(other):
    assert content_digest(pa.table({"x": ["a", "bc"]})) != content_digest(pa.table(other))


def test_a_name_in_other_letters_is_suggested(tmp_path):
    (tmp_path / "PHOTO.CSV").touch()
    assert "did you mean 'PHOTO.CSV'?" in absent(str(tmp_path / "photo.csv"))
