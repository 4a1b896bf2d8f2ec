"""The clients of the field, unchanged, against the stand-in."""

import numpy as np
import pytest
from astropy.table import Table
from astroquery.exceptions import RemoteServiceError
from astroquery.sdss import SDSSClass, conf
from pyvo.dal import DALQueryError, TAPService
from requests import HTTPError

from tests.skyserver.conftest import PATIENCE_S
from tests.skyserver.small_sky import DATA, joined

BOTH = joined()
LEGACY = BOTH[BOTH["s.plate"] < 8192].reset_index(drop=True)


@pytest.fixture
def astroquery(server, board):
    board.clear()

    def query(sql):
        with conf.set_temp("skyserver_baseurl", server.url):
            return SDSSClass().query_sql(sql, cache=False, data_release=17, timeout=PATIENCE_S)

    return query


def test_astroquery_reads_the_data_with_exact_ids(astroquery, server):
    # its parser can't read a quote inside a quoted text, nor can any other
    sql = DATA.replace("s.subClass,", "")
    table = astroquery(sql)
    assert isinstance(table, Table) and len(table) == len(BOTH)
    assert table["specObjID"].dtype == np.uint64
    assert (table["specObjID"] == BOTH["s.specObjID"].to_numpy()).all()
    assert (table["objID"] == BOTH["p.objID"].to_numpy().astype("u8")).all()
    written = BOTH["s.z"].to_numpy()
    assert np.allclose(table["redshift"], written, rtol=5e-7, atol=0)
    assert server.log[-1].sql == f" {sql}"  # it sends a blank before the query


def test_astroquery_raises_what_the_server_says(astroquery):
    with pytest.raises(RemoteServiceError, match="limit is  top 500000"):
        astroquery("select top 500001 z from SpecObj")
    with pytest.raises(HTTPError, match="500"):
        astroquery("select x from SpecObj")
    assert astroquery("select z from SpecObj where z<-5") is None


@pytest.fixture
def tap(server, board):
    board.clear()
    return TAPService(server.tap_url)


def test_pyvo_reads_rows_in_order_with_types(tap):
    result = tap.search(
        "SELECT specobjid, objid, z, zsp, ra, class, subclass, petror50_r "
        "FROM sdss_dr17.specobj WHERE class='QSO' AND zsp<=0.3 ORDER BY specobjid"
    )
    chosen = LEGACY[(LEGACY["s.class"] == "QSO") & (LEGACY["s.z"].astype("f8") <= 0.3)]
    table = result.to_table()
    assert result.query_status == "OK"
    assert len(chosen) > 5
    columns = {"specobjid": "s.specObjID", "objid": "p.objID", "z": "p.z", "zsp": "s.z"}
    for name, column in columns.items():
        assert table[name].tolist() == chosen[column].tolist(), name
    assert table["specobjid"].dtype == np.int64 and table["zsp"].dtype == np.float32
    radius = np.ma.filled(table["petror50_r"].astype("f8"), np.nan)
    assert np.array_equal(radius, chosen["p.petroR50_r"].astype("f8"), equal_nan=True)


def test_tap_has_no_ids_that_do_not_fit_a_long(tap):
    result = tap.search("SELECT plate, specobjid FROM sdss_dr17.specobj ORDER BY specobjid")
    assert max(result["plate"]) < 8192
    assert len(result) == len(LEGACY) < len(BOTH)


def test_tap_tells_of_rows_beyond_maxrec(tap):
    query = "SELECT specobjid FROM sdss_dr17.specobj"
    cut = tap.search(query, maxrec=5)
    assert (len(cut), cut.query_status) == (5, "OVERFLOW")
    whole = tap.search(query, maxrec=len(LEGACY))
    assert (len(whole), whole.query_status) == (len(LEGACY), "OK")
    top = tap.search(query.replace("SELECT", "SELECT TOP 5"), maxrec=5)
    assert (len(top), top.query_status) == (5, "OK")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT x FROM sdss_dr17.specobj", "Invalid column name 'x'"),
        ("SELECT u FROM specobj", "Invalid object name 'specobj'"),
        ("SELECT u FROM dbo.SpecObjAll", "Invalid object name 'dbo.SpecObjAll'"),
        ("SELECT AVG(u) FROM sdss_dr17.specobj", "does not translate this exactly"),
        ("SELECT plate%3 FROM sdss_dr17.specobj", "does not translate this exactly"),
        ("SELECT COUNT_BIG(*) FROM sdss_dr17.specobj", "does not translate this exactly"),
    ],
)
def test_tap_refuses_aloud(tap, query, message):
    with pytest.raises(DALQueryError, match=message):
        tap.search(query)


def test_tap_texts_mind_their_case(tap):
    count = "SELECT COUNT(*) AS n FROM sdss_dr17.specobj WHERE class='%s'"
    assert tap.search(count % "galaxy")["n"].tolist() == [0]
    expected = (LEGACY["s.class"] == "GALAXY").sum()
    assert tap.search(count % "GALAXY")["n"].tolist() == [expected]


def test_tap_compares_a_real_with_a_literal_as_a_double(tap):
    doubles = LEGACY["p.r"].astype("f8").to_numpy()
    # a real a little above the number it is written as: SQL Server would count it
    limit = next(round(value, 2) for value in doubles if value > round(value, 2))
    found = tap.search(f"SELECT COUNT(*) AS n FROM sdss_dr17.specobj WHERE r<={limit}")
    assert found["n"].tolist() == [(doubles <= limit).sum()]
    assert found["n"][0] < (LEGACY["p.r"] <= np.float32(limit)).sum()
