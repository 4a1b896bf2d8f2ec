import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sdssflow.doctor.findings import FAULT, NOT_NEEDED, OK, WARNING
from sdssflow.doctor.network import check_archives, check_loopback


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)


@pytest.fixture
def server():
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(403)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()
        thread.join()


def test_any_answer_will_do_and_one_is_asked_for(server):
    address, asked = server
    assert check_archives({address: ["lecture"]}, seconds=600).state == OK
    assert len(asked) == 1


def test_a_closed_port_is_a_warning_with_the_samples_that_need_it():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # ours, so that nobody else listens there
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        found = check_archives({address: ["lecture", "quasars"]}, seconds=600)
    assert found.state == WARNING
    assert "lecture, quasars" in found.found and "refused" in found.found
    assert "embedded" in found.advice


def test_a_silent_server_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = check_archives({address: ["lecture"]}, seconds=0.5)
    assert found.state == WARNING and "timed out" in found.found


def test_a_name_that_does_not_resolve_is_a_warning():
    found = check_archives({"https://no-such-host.invalid": ["lecture"]})
    assert found.state == WARNING and "no-such-host" in found.found


def test_without_downloads_no_network_is_needed():
    assert check_archives({}).state == NOT_NEEDED
    assert check_loopback([]).state == NOT_NEEDED


def test_loopback():
    assert check_loopback(["mocksky"]).state == OK
    found = check_loopback(["mocksky"], "192.0.2.1")  # an address of no machine
    assert found.state == FAULT and "mocksky" in found.advice
