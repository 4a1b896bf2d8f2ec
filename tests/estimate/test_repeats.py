"""Objects in several rows or partitions of estimates are found and named."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sdssflow.estimate import gathering, repeats


def estimates_of(folder, ids):
    """Write estimates with these objids, one table each, and return their paths."""
    paths = [folder / f"{place}.parquet" for place in range(len(ids))]
    for path, its in zip(paths, ids, strict=True):
        pq.write_table(pa.table({"objid": pa.array(its, pa.int64())}), path, row_group_size=100)
    return paths


def test_objects_that_partitions_share_are_named(tmp_path):
    low, high, odd = range(0, 1000, 2), range(5000, 6000), [*range(1, 500, 2), 4, 10, 5500]
    paths = estimates_of(tmp_path, [low, high, odd, [], [None, None, 7], [900_000]])
    pq.write_table(pa.table({"row_id": pa.array([], pa.int64())}), tmp_path / "aside.parquet")
    paths.append(tmp_path / "aside.parquet")
    repeated = repeats.repeats_across(list("abcdefg"), paths, 200)
    assert repeated == {
        "c": "3 of its objects are in an earlier partition as well (objid 4 in a)",
        "e": "1 of its objects are in an earlier partition as well (objid 7 in c)",
    }
    nothing = {"numbers": {}, "bytes": 0, "pdf_bytes": 0, "refused": ""}
    listed = gathering.listing(list("abcdefg"), paths, [nothing] * 7, repeated)
    with pytest.raises(ValueError, match=r"two partitions(.|\n)*\nc: 3 of its objects"):
        gathering.require_complete(listed, "t")


def test_a_folder_with_brackets_in_its_name_is_no_pattern(tmp_path):
    folder, other = tmp_path / "run[1]", tmp_path / "run1"
    folder.mkdir(), other.mkdir()
    paths = estimates_of(folder, [[1, 1, 2], [2, 3]])
    estimates_of(other, [[4, 5], [6]])
    assert "objid 1 is repeated" in repeats.repeats_within(paths[0], 200)
    assert list(repeats.repeats_across(["a", "b"], paths, 200)) == ["b"]


def test_partitions_of_different_ids_share_none(tmp_path):
    paths = estimates_of(tmp_path, [range(0, 1000, 2), range(1, 1000, 2), range(1000, 1100)])
    assert repeats.repeats_across(list("abc"), paths, 200) == {}
