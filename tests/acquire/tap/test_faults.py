"""A mirror that breaks off, lies or stays silent; mistakes of the user."""

import io

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import parse_single_table
from pydantic import ValidationError

from sdssflow.acquire.download.chunks import make_plan
from sdssflow.acquire.download.client_tap import TapServer
from sdssflow.acquire.download.errors import (
    DownloadError,
    SilenceError,
    TooMuchError,
    TransientError,
)
from sdssflow.acquire.errors import CatalogueError
from skyserver_standin.loopback import Answer
from skyserver_standin.tap import VOTABLE, error_votable, write_votable
from tests.acquire.bulk.walk import assert_same_rows
from tests.acquire.download import walk
from tests.acquire.tap.walk import (
    LEGACY,
    MAPPING,
    PHOTOMETRY,
    archive_at,
    by_skyserver,
    fetched,
    source,
)
from tests.skyserver import broken_answers as wire
from tests.skyserver.broken_answers import WireAnswer
from tests.skyserver.clocks import OWN


def says(message, status=400):
    return lambda request, application: Answer(status, VOTABLE, error_votable(message))


def bytes_of(change):
    def answer(request, application):
        right = application(request)
        return Answer(right.status, right.content_type, change(right.content()))

    return answer


def ask(server, adql):
    return TapServer(server.tap_url, 10, walk.NETWORK, OWN).ask(adql)


def silent(request, application):
    answer = WireAnswer(b"", wire.silent(100))
    answer.clock = OWN
    return answer


HEALED = {
    "cut in the middle": bytes_of(lambda body: body[: len(body) // 2]),
    "without its end": bytes_of(lambda body: body.rstrip()[:-4]),
    "empty": bytes_of(lambda body: b""),
    "a page": lambda request, application: Answer(200, "text/html", b"<html>Sorry</html>"),
    "unavailable": lambda request, application: Answer(503, "text/html", b"<html>down</html>"),
    "an error inside": lambda request, application: Answer(500, "text/plain", b"java.lang.Oops"),
    "busy": says("Too many queries at once"),
    "silent once": silent,
}


@pytest.mark.parametrize("name", HEALED)
def test_a_broken_answer_is_asked_again(name, server, board, tmp_path):
    asked = source(server.tap_url, chunks=1)
    archive = archive_at(server.tap_url, tmp_path, asked)
    board.order(HEALED[name], match="^SELECT objid,")
    table, _ = fetched(archive, asked, tmp_path)
    assert len([r for r in board.asked if r.sql.startswith("SELECT objid,")]) == 2
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", [LEGACY]))


def other_rows(places):
    """Answer, as a whole VOTable, with rows of these places, and all from the fourth on."""

    def answer(request, application):
        table = parse_single_table(io.BytesIO(application(request).content())).to_table()
        chosen = [*places, *range(3, len(table))]
        rows = {name: np.asarray(table[name])[chosen].tolist() for name in table.colnames}
        return Answer(200, VOTABLE, write_votable(pa.table(rows), "OK"))

    return answer


@pytest.mark.parametrize("rows", [{}, PHOTOMETRY], ids=["spectra", "photometry"])
@pytest.mark.parametrize(
    ("places", "message"),
    [
        ((1, 2), "rows, the server counts .*: rows are missing"),
        ((0, 0, 1, 2), "is repeated"),
        ((), "rows, the server counts .*: rows are missing"),
    ],
)
def test_rows_that_are_not_those_counted_are_noticed(
    places, message, rows, server, board, tmp_path
):
    asked = source(server.tap_url, chunks=1, **rows)
    twice = walk.NETWORK.model_copy(update={"attempts": 2})
    archive = archive_at(server.tap_url, tmp_path, asked, twice)
    board.order(other_rows(places), match="^SELECT objid,", times=99)
    with pytest.raises(TransientError, match=message):
        fetched(archive, asked, tmp_path)


def with_units(body):
    for name, unit in ((b"u", b"nmgy"), (b"g", b"AB mag")):
        assert b'name="%b"' % name in body
        body = body.replace(b'name="%b"' % name, b'name="%b" unit="%b"' % (name, unit))
    return body


def test_another_unit_than_the_catalogues_is_refused_unless_confirmed(server, board, tmp_path):
    asked = source(server.tap_url, chunks=1)
    board.order(bytes_of(with_units), match="^SELECT objid,", times=99)
    message = r"'u': its unit is 'nmgy', model_mag_u is in mag.*confirmed: \[model_mag_u\]"
    with pytest.raises(CatalogueError, match=message):
        fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    asked = source(server.tap_url, chunks=1, confirmed=["model_mag_u"])
    table, _ = fetched(archive_at(server.tap_url, tmp_path, asked), asked, tmp_path)
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", [LEGACY]))


def test_a_service_that_stays_silent_is_given_up(server, board, tmp_path):
    asked = source(server.tap_url, chunks=1)
    archive = archive_at(server.tap_url, tmp_path, asked)
    board.order(silent, times=99)
    started = OWN.monotonic()
    with pytest.raises(DownloadError, match="can't be downloaded|incomplete after"):
        make_plan(archive, asked, "mirror")
    assert OWN.monotonic() - started < walk.NETWORK.give_up_s + 100
    with pytest.raises(SilenceError, match="was silent for 60 s"):
        ask(server, "SELECT plate FROM sdss_dr17.specobj")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {**MAPPING, "model_mag_u": "psfFlux_u"}}, "a flux.*Map magnitudes. If"),
        ({"columns": {**MAPPING, "clean": "klean"}}, "refuses the query: .*klean.*source.columns"),
        ({"table": "sdss_dr17.photoplate"}, "refuses the query: .*photoplate.*source.table"),
    ],
)
def test_a_wrong_name_is_told_at_once(changes, message, server, board, tmp_path):
    asked = source(server.tap_url, chunks=1, **changes)
    archive = archive_at(server.tap_url, tmp_path, asked)
    with pytest.raises(DownloadError, match=message) as error:
        fetched(archive, asked, tmp_path)
    assert not isinstance(error.value, TransientError)
    assert len({r.sql for r in board.asked}) == len(board.asked)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_error_votable_is_read_whatever_its_status(status, server, board):
    board.order(says("Column zsp_ does not exist", status))
    with pytest.raises(DownloadError, match="Column zsp_ does not exist") as error:
        ask(server, "SELECT zsp_ FROM sdss_dr17.specobj")
    assert not isinstance(error.value, TransientError)


def test_a_time_out_of_the_service_asks_for_less(server, board):
    board.order(says("Query timed out: statement timeout", 400))
    with pytest.raises(TooMuchError):
        ask(server, "SELECT plate FROM sdss_dr17.specobj")


def test_no_service_there(server):
    with pytest.raises(DownloadError, match="404, there is no TAP service. Correct source.url"):
        TapServer(f"{server.url}/tap/nothing", 10, walk.NETWORK, OWN).ask("SELECT 1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {"specobjid": "id; DROP"}}, "should match pattern"),
        ({"columns": {"specobjid": "id", "redshift": "z"}}, "'redshift' is not a column of SDSS"),
        ({"columns": {"zspec": "z"}}, "maps no integer column to 'specobjid'"),
        ({"key": "zspec"}, "maps no integer column to 'zspec'"),
        ({"selection": [{"column": "survey", "any_of": ["sdss"]}]}, "does not map 'survey'"),
        ({"selection": [{"column": "specobjid", "minimum": 5}]}, "specobjid is negative from"),
        ({"selection": [{"column": "specobjid", "any_of": [2**63]}]}, "specobjid is negative from"),
        ({"table": "a b"}, "should match pattern"),
        ({"url": "ftp://x"}, "should match pattern"),
        ({"url": "http://x.org/"}, "should match pattern"),
        ({"url": "http://x.org/a b"}, "should match pattern"),
        (
            {"url": "http://me:secret@x.org"},
            r"user name or password, .* folder names: put .* \.netrc",
        ),
        ({"url": "https://me@x.org/tap"}, "a URL must not contain a user name"),
        ({"url": "https://me:sec/ret@x.org/tap"}, "a URL must not contain a user name"),
        ({"url": "https://me%3Asecret%40x.org/tap"}, "a URL must not contain a user name"),
        ({"url": "https://x.org/tap?token=secret"}, "not the URL of a server"),
        ({"url": "https://x.org/tap#a"}, "not the URL of a server"),
        ({"url": "https://x.org:99999/tap"}, "not the URL of a server"),
        ({"url": "https://x.org:secret/tap"}, "not the URL of a server"),
        ({"url": "https://[::1/tap"}, "not the URL of a server"),
    ],
)
def test_a_mapping_that_can_not_be_asked_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        source(**changes)
