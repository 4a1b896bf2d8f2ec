import numpy as np
import pyarrow as pa
import pytest

from sdssflow.acquire.download.errors import DownloadError, TooMuchError, TransientError
from sdssflow.acquire.download.votable import parse_votable
from sdssflow.standin.votable import write_votable

IDS = [1 << 50, (1 << 63) + 5, (1 << 64) - 1024]


@pytest.mark.parametrize("tabledata", [True, False])
@pytest.mark.parametrize(
    "column",
    [
        np.array(IDS, np.uint64).view(np.int64),
        np.array([str(number) for number in IDS]),
        np.array([str(number) for number in np.array(IDS, np.uint64).view(np.int64)]),
    ],
    ids=["signed", "text", "signed text"],
)
def test_unsigned_ids_come_exact(column, tabledata):
    body = write_votable(pa.table({"specobjid": column.tolist()}), "OK", tabledata)
    found = parse_votable(body, {"specobjid": pa.uint64()}, 10)
    assert found["specobjid"].to_pylist() == IDS


def test_ids_that_came_through_floating_point_are_refused():
    body = write_votable(pa.table({"objid": [1.2376e18, 1.2377e18]}), "OK")
    with pytest.raises(DownloadError, match="sends objid as floating point") as error:
        parse_votable(body, {"objid": pa.int64()}, 10)
    assert not isinstance(error.value, TransientError)


def test_sums_that_a_service_makes_floating_point_are_taken():
    body = write_votable(pa.table({"n": [3.0], "h1": [123456789012.0]}), "OK")
    found = parse_votable(body, {"n": pa.int64(), "h1": pa.int64()}, 10)
    assert found.to_pylist() == [{"n": 3, "h1": 123456789012}]


def test_missing_values_are_null_and_text_keeps_its_cells():
    table = pa.table({"z": pa.array([0.5, None], pa.float32()), "class": ["QSO", ""]})
    types = {"Z": pa.float64(), "CLASS": pa.string()}
    found = parse_votable(write_votable(table, "OK", tabledata=True), types, 10)
    assert found.to_pylist() == [{"Z": 0.5, "CLASS": "QSO"}, {"Z": None, "CLASS": ""}]


@pytest.mark.parametrize("rows", [2, 3])
def test_a_full_answer_counts_as_cut(rows):
    body = write_votable(pa.table({"n": list(range(rows))}), "OK")
    with pytest.raises(TooMuchError, match="full"):
        parse_votable(body, {"n": pa.int64()}, 2)


@pytest.mark.parametrize("end", range(1, 12))
def test_a_body_cut_anywhere_is_refused(end):
    body = write_votable(pa.table({"n": [1, 2]}), "OK", tabledata=True).rstrip()
    parse_votable(body, {"n": pa.int64()}, 10)
    with pytest.raises(TransientError, match="no whole VOTable|VOTable without its table"):
        parse_votable(body[: len(body) * end // 12], {"n": pa.int64()}, 10)


def test_other_columns_are_refused():
    body = write_votable(pa.table({"n": [1]}), "OK")
    with pytest.raises(TransientError, match="columns of the answer are n, expected m"):
        parse_votable(body, {"m": pa.int64()}, 10)
