from pathlib import Path

import pytest
import yaml

from sdssflow.doctor.configuration import (
    archive_addresses,
    check_configuration,
    load_configuration,
    simulated_samples,
)
from sdssflow.doctor.findings import FAULT, OK

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config/config.yaml"


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Return a function that lays keys over the shipped configuration."""
    monkeypatch.chdir(ROOT)

    def make(**keys):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(keys))
        return load_configuration([SHIPPED, path])

    return make


def test_the_shipped_configuration_is_ok_and_asks_no_archive(configured):
    content = configured()
    assert check_configuration(content).state == OK
    assert archive_addresses(content.samples) == {}
    assert simulated_samples(content.samples) == ["mocksky", "mocksky_galaxies"]


def test_sections_merge_and_lists_replace(configured):
    content = configured(samples=["mgs"], figures={"dpi": 77})
    assert list(content.samples) == ["mgs"]
    assert (content.run.figures.dpi, content.run.figures.format) == (77, "png")


def test_archives_with_their_samples(configured):
    content = configured(samples=["mgs", "lecture", "quasars"])
    assert archive_addresses(content.samples) == {
        "https://skyserver.sdss.org": ["lecture", "quasars"]
    }


def test_a_mistake_is_a_fault_in_the_words_of_the_configuration(configured):
    found = check_configuration(configured(seeds=["one"]))
    assert found.state == FAULT and "seeds" in found.found
    found = check_configuration(configured(samples=["mgss"]))
    assert found.state == FAULT and "did you mean 'mgs'" in found.found


@pytest.mark.parametrize(
    ("text", "shown"), [("a: [", "not valid YAML"), ("- a\n", "mapping"), (None, "No such file")]
)
def test_a_file_that_can_not_be_read_is_named(tmp_path, monkeypatch, text, shown):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "mine.yaml"
    if text:
        path.write_text(text)
    found = check_configuration(load_configuration([SHIPPED, path]))
    assert found.state == FAULT and "mine.yaml" in found.found and shown in found.found


def test_missing_tables_are_named(configured):
    content = configured(samples=["dr14"])
    table = Path(content.samples["dr14"].source.path)
    found = check_configuration(content)
    assert found.state == (OK if table.is_file() else FAULT)
    if found.state == FAULT:
        assert str(table) in found.found and "sample dr14" in found.found
