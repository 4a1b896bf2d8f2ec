import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sdssflow.files import file_digest, replacing, write_json, write_text
from sdssflow.tables import (
    content_digest,
    metadata,
    read_csv,
    read_parquet,
    with_metadata,
    write_csv,
    write_parquet,
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
    zero = pa.table({"id": pa.array([2**63 + 5, 7, 0], type=pa.uint64()), "name": ["a", None, ""]})
    assert content_digest(zero) != base
    filled = pa.table({"id": table().column("id"), "name": ["a", "", ""]})
    assert content_digest(filled) != base
    assert content_digest(table().rename_columns(["id", "other"])) != base


def test_csv_reads_back_equal(tmp_path):
    frame = pd.DataFrame({"x": [0.1, 1 / 3, np.nan], "text": ["a", "", "c,d"], "n": [1, 2, 3]})
    write_csv(frame, tmp_path / "t.csv")
    back = read_csv(tmp_path / "t.csv")
    assert back["x"].equals(frame["x"])
    assert back["text"].tolist() == frame["text"].tolist()
    assert b"\r" not in (tmp_path / "t.csv").read_bytes()
