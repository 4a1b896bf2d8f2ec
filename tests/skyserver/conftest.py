from urllib.parse import urlencode

import pytest
import requests

from sdssflow.standin.server import SkyServer
from tests.skyserver.faults import Switchboard
from tests.skyserver.small_sky import QUERIES, write_small_sky


@pytest.fixture(scope="session")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    write_small_sky(folder)
    return folder


@pytest.fixture(scope="module")
def board():
    return Switchboard()


@pytest.fixture(scope="module")
def server(sky, board):
    with SkyServer(sky, middleware=board) as running:
        yield running


@pytest.fixture
def ask(server, board):
    """Send a query as astroquery does, without its parser."""
    board.clear()

    def send(sql, release=17, **options):
        return requests.get(address(server.url, sql, release), **{"timeout": 10, **options})

    return send


@pytest.fixture
def address_of(server):
    return lambda sql: address(server.url, sql)


@pytest.fixture(scope="module")
def right(server, board):
    """The right answers, as bytes."""
    board.clear()
    return {
        phase: requests.get(address(server.url, sql), timeout=10).content
        for phase, sql in QUERIES.items()
    }


def address(url, sql, release=17):
    parameters = urlencode({"cmd": sql, "format": "csv", "searchtool": "SQL"})
    return f"{url}/dr{release}/en/tools/search/x_results.aspx?{parameters}"
