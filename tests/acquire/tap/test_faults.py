"""A mirror that breaks off, lies or stays silent; mistakes of the user."""

import io
import threading

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import parse_single_table
from pydantic import ValidationError

from sdssflow.acquire.download.errors import (
    DownloadError,
    SilenceError,
    TooMuchError,
    TransientError,
)
from sdssflow.acquire.download.languages import TapLanguage
from sdssflow.acquire.download.planning import make_plan
from sdssflow.acquire.download.tap import TapServer
from sdssflow.standin.answers import Answer
from sdssflow.standin.tap import VOTABLE
from sdssflow.standin.votable import error_votable, write_votable
from tests.acquire.bulk.walk import assert_same_rows
from tests.acquire.tap.walk import (
    LEGACY,
    MAPPING,
    PATIENT,
    archive_at,
    by_skyserver,
    fetched,
    source,
)


def says(message, status=400):
    return lambda request, application: Answer(status, VOTABLE, error_votable(message))


def bytes_of(change):
    def answer(request, application):
        right = application(request)
        return Answer(right.status, right.content_type, change(right.content()))

    return answer


OVER = threading.Event()


@pytest.fixture(autouse=True)
def silence_ends_with_the_test():
    OVER.clear()
    yield
    OVER.set()


def silent(request, application):
    OVER.wait()
    return Answer(503, "text/html", b"nobody is there any more")


def first_impatient(url, asked, match):
    """Return what asks a server; impatient only once, when the query begins like that.

    Nothing but silence can meet that time limit, however busy the machine is.
    """
    impatient = PATIENT.model_copy(update={"timeout_s": 0.3})
    most = TapLanguage(asked).most_rows
    servers = [TapServer(url, most, network) for network in (PATIENT, impatient)]

    def ask(query):
        once = len(servers) > 1 and query.startswith(match)
        return (servers.pop() if once else servers[0]).ask(query)

    return ask


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
    ask = None
    if name == "silent once":
        ask = first_impatient(server.tap_url, asked, "SELECT objid,")
    archive = archive_at(server.tap_url, tmp_path, asked, ask=ask)
    board.order(HEALED[name], match="^SELECT objid,")
    table, _ = fetched(archive, asked, tmp_path)
    assert len([r for r in board.asked if r.sql.startswith("SELECT objid,")]) == 2
    assert_same_rows(table, by_skyserver(server, tmp_path / "sky", [LEGACY]))


def lost_row(request, application):
    """Answer without the first row: a whole VOTable, of too few rows."""
    table = parse_single_table(io.BytesIO(application(request).content())).to_table()
    rows = pa.table({name: np.asarray(table[name])[1:].tolist() for name in table.colnames})
    return Answer(200, VOTABLE, write_votable(rows, "OK"))


def test_a_lost_row_is_noticed(server, board, tmp_path):
    asked = source(server.tap_url, chunks=1)
    archive = archive_at(server.tap_url, tmp_path, asked)
    board.order(lost_row, match="^SELECT objid,", times=99)
    with pytest.raises(TransientError, match="rows, the server counts .*: rows are missing"):
        fetched(archive, asked, tmp_path)


def test_a_service_that_stays_silent_is_given_up(server, board, tmp_path):
    network = PATIENT.model_copy(update={"timeout_s": 0.2, "give_up_s": 1.0})
    asked = source(server.tap_url, chunks=1)
    archive = archive_at(server.tap_url, tmp_path, asked, network)
    board.order(silent, times=99)
    with pytest.raises(DownloadError, match="can't be downloaded|not complete after"):
        make_plan(archive, asked, "mirror")
    with pytest.raises(SilenceError, match="was silent for 0.2 s"):
        TapServer(server.tap_url, 10, network).ask("SELECT plate FROM sdss_dr17.specobj")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
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
        TapServer(server.tap_url, 10, PATIENT).ask("SELECT zsp_ FROM sdss_dr17.specobj")
    assert not isinstance(error.value, TransientError)


def test_a_time_out_of_the_service_asks_for_less(server, board):
    board.order(says("Query timed out: statement timeout", 400))
    with pytest.raises(TooMuchError):
        TapServer(server.tap_url, 10, PATIENT).ask("SELECT plate FROM sdss_dr17.specobj")


def test_no_service_there(server):
    with pytest.raises(DownloadError, match="404, there is no TAP service. Correct source.url"):
        TapServer(f"{server.url}/tap/nothing", 10, PATIENT).ask("SELECT 1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {"specobjid": "id; DROP"}}, "should match pattern"),
        ({"columns": {"specobjid": "id", "redshift": "z"}}, "'redshift' is no column of SDSS"),
        ({"columns": {"zspec": "z"}}, "maps no column of whole numbers to 'specobjid'"),
        ({"key": "zspec"}, "maps no column of whole numbers to 'zspec'"),
        ({"selection": [{"column": "survey", "any_of": ["sdss"]}]}, "does not map 'survey'"),
        ({"table": "a b"}, "should match pattern"),
        ({"url": "ftp://x"}, "should match pattern"),
    ],
)
def test_a_mapping_that_can_not_be_asked_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        source(**changes)
