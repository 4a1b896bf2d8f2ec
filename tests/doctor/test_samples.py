import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from sdssflow.doctor.examination import (
    archive_addresses,
    check_archives,
    check_configuration,
    check_loopback,
    load_configuration,
)
from sdssflow.doctor.findings import FAULT, NOT_NEEDED, OK, WARNING

ROOT = Path(__file__).parents[2]


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Return a function that lays keys over the shipped configuration."""
    monkeypatch.chdir(ROOT)

    def make(**keys):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(keys))
        return load_configuration([path])

    return make


def test_the_shipped_configuration_is_ok_and_asks_no_archive(configured):
    content = configured()
    assert check_configuration(content).state == OK
    assert archive_addresses(content.sources) == {}
    assert check_loopback(content.sources).found == "serves mocksky, mockphoto"


def test_archives_with_their_samples(configured):
    content = configured(samples=["mgs", "lecture", "quasars"])
    assert archive_addresses(content.sources) == {
        "https://skyserver.sdss.org": ["lecture", "quasars"]
    }


def test_a_mistake_is_a_fault_in_the_words_of_the_configuration(configured):
    found = check_configuration(configured(seeds=["one"]))
    assert found.state == FAULT and "seeds" in found.found
    found = check_configuration(configured(samples=["mgss"]))
    assert found.state == FAULT and "did you mean 'mgs'" in found.found


def test_a_file_that_can_not_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = check_configuration(load_configuration([tmp_path / "mine.yaml"]))
    assert found.state == FAULT and "mine.yaml: can't be read: No such file" in found.found


def test_a_default_that_the_run_would_refuse_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yml").write_text("seeds: [2]\n")
    found = check_configuration(load_configuration([]))
    assert found.state == FAULT and "config.yml has to end in .yaml" in found.found


def test_missing_tables_are_named(configured):
    content = configured(samples=["dr14"])
    table = Path(content.samples["dr14"].source.path)
    found = check_configuration(content)
    assert found.state == (OK if table.is_file() else FAULT)
    if found.state == FAULT:
        assert f"sample dr14: source.path: {table}: there is no" in found.found


@pytest.fixture
def target(configured, tmp_path):
    """Return a function that defines the target `survey` and lays it over the configuration."""
    columns = [f"model_mag{error}_{band}" for error in ("", "_err") for band in "ugriz"]

    def make(path, without=(), **model):
        source = {
            "kind": "file",
            "path": str(path),
            "columns": {name: name for name in columns if name not in without},
        }
        models = [model or {"sample": "mgs", "split": "published", "model": "ensemble"}]
        (tmp_path / "survey.yaml").write_text(
            yaml.safe_dump({"title": "A survey", "source": source, "models": models})
        )
        return configured(targets=["survey"], target_folder=str(tmp_path))

    return make


def test_the_files_of_targets_are_looked_at(target, tmp_path):
    rows, folder = tmp_path / "rows.csv", tmp_path / "rows"
    found = check_configuration(target(rows))
    assert found.state == FAULT
    assert f"target survey: source.path: {rows}: there is no such file" in found.found
    rows.write_text("")
    found = check_configuration(target(rows))
    assert found.state == OK and found.found.endswith("; targets survey")
    folder.mkdir()
    assert check_configuration(target(folder)).state == OK  # of files, which Snakemake lists
    found = check_configuration(target(rows, bundle=str(tmp_path / "model.zip")))
    assert found.state == FAULT
    assert f"target survey: models: bundle: {tmp_path}/model.zip: there is no" in found.found


def test_the_models_of_targets_are_looked_at(target, tmp_path):
    rows = tmp_path / "rows.csv"
    found = check_configuration(target(rows, sample="mgs", split="published", model="linear"))
    assert found.state == FAULT and "linear gives no p(z)" in found.found
    found = check_configuration(target(rows, without=["model_mag_err_u"]))
    assert found.state == FAULT
    assert "survey.yaml: models: mgs needs the column 'model_mag_err_u'" in found.found


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


def test_without_downloads_no_network_is_needed(configured):
    assert check_archives({}).state == NOT_NEEDED
    assert check_loopback(configured(samples=["mgs"]).sources).state == NOT_NEEDED


def test_a_loopback_that_can_not_be_served_is_a_fault(configured):
    found = check_loopback(configured().sources, "192.0.2.1")  # an address of no machine
    assert found.state == FAULT and "mocksky" in found.advice
