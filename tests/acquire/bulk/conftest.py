import shutil

import pytest

from skyserver_standin.server import SkyServer
from skyserver_standin.sky.simulation import simulate_sky
from tests.acquire.bulk.release import write_release


@pytest.fixture(scope="package")
def sky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    simulate_sky(folder, objects=3000, seed=5)
    return folder


@pytest.fixture(scope="package")
def server(sky):
    with SkyServer(sky) as running:
        yield running


@pytest.fixture(scope="package")
def release(sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    write_release(sky, folder)
    return folder


@pytest.fixture
def copy(release, tmp_path):
    """A release of its own, to be spoilt."""
    return shutil.copytree(release, tmp_path / "copy")
