"""What the bytes of an answer give away, with answers of the stand-in."""

import random

import pyarrow as pa
import pytest
import requests

from sdssflow.acquire.download.archive import Archive
from sdssflow.acquire.download.client_skyserver import check_bytes, parse
from sdssflow.acquire.download.errors import TransientError
from sdssflow.acquire.download.plan import EVERYTHING
from sdssflow.acquire.download.sql import Queries
from sdssflow.acquire.download.store import Store
from tests.acquire.download.walk import NETWORK, source

HEADERS = ["n", "x", "word"]
TYPES = {"n": pa.int64(), "x": pa.float32(), "word": pa.string()}
GOOD = b"#Table1\nn,x,word\n1,0.5,GALAXY\n2,,\n"


def read(body):
    check_bytes(body, HEADERS)
    return parse(body, TYPES)


def test_an_answer():
    assert read(GOOD).to_pylist() == [
        {"n": 1, "x": 0.5, "word": "GALAXY"},
        {"n": 2, "x": None, "word": ""},
    ]
    assert read(b"#Table1\nN,X,Word\n").num_rows == 0  # names may come in other letters


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"#Table1", b"#Table2", "begins with '#Table2'"),
        (b"#Table1\n", b"", "begins with 'n,x,word'"),
        (b"x,word", b"y,word", "columns of the answer are 'n,y,word', expected n,x,word"),
        (b"x,word", b"word,x", "expected n,x,word"),
        (b"2,,\n", b"2,,", "is truncated in its last line"),
        (b"2,,\n", b"#Table2\n2,,\n", "a comment or a second table"),
        (b"1,0.5", b"<p>", "a piece of HTML"),
        (b"2,,\n", b"2,,\n3,4\n", "Expected 3 columns, got 2"),
        (b"2,,\n", b"2,,,\n", "Expected 3 columns, got 4"),
        (b"0.5", b"null", "invalid value 'null'"),
        (b"0.5", b"NaN", "x is not finite"),
        (b"0.5", b"inf", "x is not finite"),
        (b"1,0.5", b"1.5,0.5", "invalid value '1.5'"),
        (b"1,0.5", b"1E+18,0.5", "invalid value '1E\\+18'"),
        (b"GALAXY", b"GAL\0AXY", "a NUL byte among the rows"),
        (b"2,,\n", b"2,,\n\0\n", "a NUL byte among the rows"),
        (GOOD, b"", "an empty answer"),
        (GOOD, b"<html>", "begins with '<html>'"),
    ],
)
def test_answers_that_are_none(old, new, message):
    assert old in GOOD
    with pytest.raises(TransientError, match=message):
        read(GOOD.replace(old, new))


def test_ids_are_unsigned_and_exact():
    types = {"id": pa.uint64()}
    assert parse(b"#Table1\nid\n18446744073709551615\n", types)["id"][0].as_py() == 2**64 - 1
    for word in (b"-1", b"18446744073709551616", b"1.23764587686127E+18"):
        with pytest.raises(TransientError, match="can't be read"):
            parse(b"#Table1\nid\n" + word + b"\n", types)


def test_2000_answers_cut_at_random_are_all_refused(server, tmp_path):
    """Cut anywhere, also between two lines, and delivered as if it were whole."""
    queries = Queries(source())
    sql = queries.rows(EVERYTHING)
    count = get(server, queries.count(EVERYTHING))
    body = get(server, sql)
    draw = random.Random(20)
    points = [draw.randrange(len(body)) for _ in range(1900)]
    ends = [at for at in range(len(body)) if body[at] == ord("\n")]
    points += draw.sample([at + 1 for at in ends[:-1]], 100)  # after a whole line
    once = NETWORK.model_copy(update={"attempts": 1})
    accepted = []
    for number, at in enumerate(points):
        answers = {sql: body[:at], queries.count(EVERYTHING): count}
        archive = Archive(source(rows_per_query=100_000), answers.get, once, Store(tmp_path / "s"))
        try:
            list(archive.rows(EVERYTHING))
        except TransientError:
            continue
        accepted.append((number, at))
    assert accepted == []
    # and the whole one is taken
    answers = {sql: body, queries.count(EVERYTHING): count}
    (piece,) = Archive(source(), answers.get, once, Store(tmp_path / "s")).rows(EVERYTHING)
    assert piece.table.num_rows == piece.tally.n > 1500


def get(server, sql):
    address = f"{server.url}/dr17/en/tools/search/x_results.aspx"
    parameters = {"cmd": sql, "format": "csv", "searchtool": "SQL"}
    return requests.get(address, params=parameters, timeout=20).content
