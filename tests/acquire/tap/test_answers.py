import gzip
import io

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import from_table
from astropy.table import MaskedColumn, Table

from sdssflow.acquire.download.client_tap import parse_votable
from sdssflow.acquire.download.errors import DownloadError, TooMuchError, TransientError
from skyserver_standin.tap import write_votable

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


@pytest.mark.parametrize("tabledata", [True, False])
def test_null_texts_are_null_in_binary_too(tabledata):
    table = Table({"n": [1, 2, 3], "class": MaskedColumn(["QSO", "", "STAR"], mask=[0, 1, 0])})
    file = io.BytesIO()
    from_table(table).to_xml(file, tabledata_format="tabledata" if tabledata else "binary2")
    body = file.getvalue()
    found = parse_votable(body, {"n": pa.int64(), "class": pa.string()}, 10)
    assert found["class"].to_pylist() == ["QSO", "" if tabledata else None, "STAR"]


@pytest.mark.parametrize("rows", [2, 3])
def test_a_full_answer_counts_as_cut(rows):
    body = write_votable(pa.table({"n": list(range(rows))}), "OK")
    with pytest.raises(TooMuchError, match="as many as MAXREC"):
        parse_votable(body, {"n": pa.int64()}, 2)


@pytest.mark.parametrize("end", range(1, 12))
def test_a_body_cut_anywhere_is_refused(end):
    body = write_votable(pa.table({"n": [1, 2]}), "OK", tabledata=True).rstrip()
    parse_votable(body, {"n": pa.int64()}, 10)
    with pytest.raises(TransientError, match="not a complete VOTable|VOTable without its table"):
        parse_votable(body[: len(body) * end // 12], {"n": pa.int64()}, 10)


def test_other_columns_are_refused():
    body = write_votable(pa.table({"n": [1]}), "OK")
    with pytest.raises(TransientError, match="columns of the answer are n, expected m"):
        parse_votable(body, {"m": pa.int64()}, 10)


def document(inside, before="", after="", field='datatype="long"', table="", root="", behind=""):
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{root}\n'
        f'<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">{before}'
        f'<RESOURCE type="results">{before}<TABLE{table}><FIELD name="n" {field}/>'
        f"<DATA>{inside}</DATA></TABLE>{after}</RESOURCE>{behind}</VOTABLE>"
    ).encode()


ROWS = "<TABLEDATA><TR><TD>1</TD></TR><TR><TD>2</TD></TR></TABLEDATA>"


def info(value, text="", name="QUERY_STATUS"):
    return f'<INFO name="{name}" value="{value}">{text}</INFO>'


def read(body, most_rows=10):
    return parse_votable(body, {"n": pa.int64()}, most_rows)["n"].to_pylist()


@pytest.mark.parametrize(
    "body",
    [
        document(ROWS),
        document(ROWS, before=info("OK"), after=info("OK", "fine")),
        document(ROWS, before=info("ok")),
        document(ROWS, before=info("ERROR", name="another")),
        document(ROWS, before=info("a &lt;STREAM href='x'&gt;", name="query")),
        document(ROWS, table=' nrows="2"'),
        document(ROWS, before='<LINK href="https://example.org"/>'),
        document(ROWS, root='<!DOCTYPE VOTABLE SYSTEM "http://us-vo.org/xml/VOTable.dtd">'),
        document(ROWS).decode().replace("utf-8", "utf-16").encode("utf-16"),
    ],
)
def test_good_answers(body):
    assert read(body) == [1, 2]


@pytest.mark.parametrize("place", ["before", "after", "behind"])
@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        (info("OVERFLOW"), TooMuchError, r"truncated its answer \(OVERFLOW, MAXREC 10\)\."),
        (info("OVERFLOW", "at 2,000 rows"), TooMuchError, "MAXREC 10.: at 2,000 rows"),
        (info("overflow"), TooMuchError, "OVERFLOW"),
        (info("OK") + info("OVERFLOW"), TooMuchError, "OVERFLOW"),
        (info("OVERFLOW") + info("OK"), TooMuchError, "OVERFLOW"),
        (info("ERROR", "no\n such &amp; column"), DownloadError, "query: no such & column. Corr"),
        (info("ERROR"), DownloadError, "refuses the query: ERROR"),
        (info("error", "Oops"), DownloadError, "refuses the query: Oops"),
        (info("OVERFLOW") + info("ERROR", "Oops"), DownloadError, "refuses the query: Oops"),
        (info("ERROR", "Query timed out"), TooMuchError, "Query timed out"),
        (info("ERROR", "Too many queries"), TransientError, "Too many queries"),
        (info("ABORTED", "by root"), TransientError, "QUERY_STATUS ABORTED: by root"),
        (info("ERROR", "a\x85b" * 9999), DownloadError, "query: a ba b"),
    ],
)
def test_what_the_service_says_of_the_query_counts_wherever_it_stands(place, said, kind, message):
    with pytest.raises(DownloadError, match=message) as error:
        read(document(ROWS, **{place: said}))
    assert type(error.value) is kind
    assert len(str(error.value)) < 900


BINARY = "<BINARY>{}</BINARY>"
SECRET = "file:///etc/hostname"


@pytest.mark.parametrize("href", [SECRET, "http://127.0.0.1:9/x", "ftp://a/x", "other.bin", ""])
@pytest.mark.parametrize(
    "wrapped",
    [
        "<BINARY><STREAM href='{}'/></BINARY>",
        "<BINARY2><STREAM encoding='gzip' href='{}'></STREAM></BINARY2>",
        "<FITS extnum='1'><STREAM href='{}'/></FITS>",
        "<PARQUET type='VOTable-remote-file'><STREAM href='{}'/></PARQUET>",
        "<v:BINARY xmlns:v='x'><v:STREAM href='{}'/></v:BINARY>",
    ],
)
def test_rows_are_never_fetched_from_elsewhere(wrapped, href, monkeypatch):
    def fetch(*arguments, **others):
        raise AssertionError("fetched")

    monkeypatch.setattr("urllib.request.urlopen", fetch)
    for body in (document(wrapped.format(href)), document(wrapped.format(href).replace("'", '"'))):
        with pytest.raises(DownloadError, match="refers to rows at") as error:
            read(body)
        assert not isinstance(error.value, TransientError)
        assert href in str(error.value)


ENTITIES = "".join(f'<!ENTITY e{k + 1} "{f"&e{k};" * 10}">' for k in range(12))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            document("<BINARY>&s;</BINARY>", root=f'<!DOCTYPE V [<!ENTITY s SYSTEM "{SECRET}">]>'),
            "declares XML entities",
        ),
        (
            document(
                "<BINARY><STREAM/></BINARY>",
                root=f'<!DOCTYPE V [<!ATTLIST STREAM href CDATA "{SECRET}">]>',
            ),
            "declares XML entities",
        ),
        (
            document("&e12;", root=f'<!DOCTYPE V [<!ENTITY e0 "ha">{ENTITIES}]>'),
            "declares XML entities",
        ),
        (
            document(ROWS, field='datatype="char" arraysize="100000000"'),
            "column n .* values per row",
        ),
        (
            document(ROWS, field='datatype="int" arraysize="1000x1000"'),
            "column n .* values per row",
        ),
        (document(ROWS, table=' nrows="3"'), "states 3 rows, but has 2"),
        (document(ROWS, table=' nrows="1"'), "states 1 rows, but has 2"),
        (document(ROWS, table=' nrows="999999999999"'), "999,999,999,999 rows, more than MAXREC"),
        (document(ROWS, table=f' nrows="{"9" * 5000}"'), "rows, more than MAXREC"),
        (document(ROWS).replace(b"<TD>1<", b"<TD>1\0<"), "not a complete VOTable"),
        (document(ROWS)[:-4], "not a complete VOTable"),
        (document(ROWS) + b"<x/>", "not a complete VOTable"),
        (document(ROWS.replace("<TR><TD>2</TD></TR>", "<TR></TR>")), "not a complete VOTable"),
        (document(ROWS).replace(b"utf-8", b"no-such"), "not a complete VOTable"),
        (gzip.compress(document(ROWS)), "not a complete VOTable"),
        (b"", "not a complete VOTable"),
    ],
)
def test_tables_that_are_none(body, message):
    with pytest.raises(DownloadError, match=message) as error:
        read(body)
    assert len(str(error.value)) < 900
    assert "\n" not in str(error.value)
