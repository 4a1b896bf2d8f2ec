import time
from urllib.parse import urlencode

import pytest
import requests

from skyserver_standin.server import SkyServer
from tests.skyserver.clocks import OwnClock
from tests.skyserver.faults import Switchboard
from tests.skyserver.small_sky import QUERIES, write_small_sky

PATIENCE_S = 600  # for what has to come, on a machine as busy as can be


@pytest.fixture(scope="session")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    write_small_sky(folder)
    return folder


@pytest.fixture(scope="module")
def board():
    return Switchboard(OwnClock())


@pytest.fixture(scope="module")
def server(sky, board):
    with SkyServer(sky, middleware=board) as running:
        yield running


@pytest.fixture
def ask(server, board):
    """Send a query as astroquery does, without its parser."""
    board.clear()

    def send(sql, release=17, **options):
        return requests.get(address(server.url, sql, release), **{"timeout": PATIENCE_S, **options})

    return send


@pytest.fixture
def address_of(server):
    return lambda sql: address(server.url, sql)


@pytest.fixture(scope="module")
def right(server, board):
    """The right answers, as bytes."""
    board.clear()
    return {
        phase: requests.get(address(server.url, sql), timeout=PATIENCE_S).content
        for phase, sql in QUERIES.items()
    }


def address(url, sql, release=17):
    parameters = urlencode({"cmd": sql, "format": "csv", "searchtool": "SQL"})
    return f"{url}/dr{release}/en/tools/search/x_results.aspx?{parameters}"


def wait_for(condition):
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
