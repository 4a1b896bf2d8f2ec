import pytest

from skyserver_standin.server import SkyServer
from skyserver_standin.sky.simulation import simulate_sky
from tests.acquire.tap.walk import Board


@pytest.fixture(scope="package")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    simulate_sky(folder, objects=2500, seed=8)
    return folder


@pytest.fixture(scope="package")
def running(sky):
    board = Board()
    with SkyServer(sky, middleware=board) as server:
        yield server, board


@pytest.fixture
def server(running):
    running[1].orders.clear()
    running[1].asked.clear()
    return running[0]


@pytest.fixture
def board(running, server):
    return running[1]
