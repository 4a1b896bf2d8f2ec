import subprocess

import pytest

from sdssflow.acquire.download import transport
from skyserver_standin.server import SkyServer
from skyserver_standin.sky.simulation import simulate_photometry, simulate_sky
from tests.acquire.download.walk import PHOTOMETRY, download, source, written
from tests.skyserver.clocks import OWN
from tests.skyserver.faults import Switchboard


@pytest.fixture(scope="package")
def sky(tmp_path_factory):
    """A folder with a simulated sky of 2,000 spectra."""
    folder = tmp_path_factory.mktemp("sky")
    simulate_sky(folder, objects=2000, seed=3)
    return folder


@pytest.fixture(scope="package")
def photometric_sky(tmp_path_factory):
    """A folder with 2,000 simulated objects without spectra."""
    folder = tmp_path_factory.mktemp("photometry")
    simulate_photometry(folder, objects=2000, seed=3)
    return folder


@pytest.fixture(scope="package")
def board():
    return Switchboard(OWN)


@pytest.fixture(scope="package")
def server(sky, board):
    """A stand-in over the sky that tells no lies unless `board` orders some."""
    with SkyServer(sky, middleware=board) as running:
        yield running


@pytest.fixture(scope="package")
def photometric_server(photometric_sky, board):
    """The same over a sky that has no table of spectra."""
    with SkyServer(photometric_sky, middleware=board) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(request):
    """Each test begins and ends with honest servers and an empty log."""
    servers = {"server", "photometric_server"} & set(request.fixturenames)
    if "board" in request.fixturenames or servers:
        board = request.getfixturevalue("board")
        board.clear()
        board.log.clear()
        for name in servers:
            request.getfixturevalue(name).log.clear()
        yield
        board.clear()
    else:
        yield


@pytest.fixture(scope="package")
def clean_folder(server, tmp_path_factory):
    """The folder of an undisturbed download, with the answers that it kept."""
    folder = tmp_path_factory.mktemp("clean")
    download(server.url, folder)
    return folder


@pytest.fixture(scope="package")
def photometric_folder(photometric_server, tmp_path_factory):
    """The same, of objects without spectra."""
    folder = tmp_path_factory.mktemp("clean_photometry")
    download(photometric_server.url, folder, source(**PHOTOMETRY))
    return folder


@pytest.fixture(scope="package")
def clean(clean_folder):
    """What an undisturbed download writes."""
    return written(clean_folder)


@pytest.fixture(scope="package")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that nobody signed but itself, with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = (folder / "key.pem").read_text() + (folder / "certificate.pem").read_text()
    (folder / "both.pem").write_text(both)
    return folder


@pytest.fixture
def trusted(certificate, monkeypatch):
    """The server's certificate, which our side trusts as it would any other server's."""
    monkeypatch.setattr(transport, "LOCAL", ())
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate / "certificate.pem"))
    return certificate / "both.pem"
