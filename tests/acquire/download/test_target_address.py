"""A target whose rows lie in a file somewhere else."""

import gzip
import hashlib
from pathlib import Path

import fetch_file
import pytest

from sdssflow.acquire.errors import CatalogueError
from sdssflow.configuration.downloads import Downloads
from sdssflow.configuration.targets import Target
from sdssflow.estimate.partitions import partitions
from sdssflow.estimate.streaming import Estimates, catalogue_blocks
from sdssflow.estimate.summary import Counts, Drawn
from tests.acquire.download.raw_server import honest, serving
from tests.jobs import run


def test_a_target_is_read_from_the_file_behind_an_address(trusted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [f"model_mag_{band}" for band in "ugriz"]
    content = gzip.compress(",".join(names).encode() + b"\n19,18,17,16.5,16\n20,19,18,17.5,17\n")
    asked = []
    with serving(lambda head: asked.append(head) or honest(content)(head), trusted) as url:
        source = {
            "kind": "url",
            "url": f"{url}/data/rows.csv.gz",
            "sha256": hashlib.sha256(content).hexdigest(),
            "columns": {name: name for name in names},
        }
        target = Target(title="far", source=source, models=[{"bundle": "b"}], partitions=2)
        found = partitions("far", target)
        (path,) = {part.path for part in found.values()}
        ways = target.source.ways()
        for _ in range(2):  # the second time from the store
            resources = {"addresses": ways, "network": Downloads().canonical()}
            run(fetch_file, {}, {"file": path}, 1, resources, sha256=target.source.sha256)
    assert len(asked) == 1
    estimates = Estimates(Counts(), Drawn(1))
    blocks = [list(catalogue_blocks(target, "far", part, estimates)) for part in found.values()]
    assert [[block["model_mag_u"].to_pylist() for block in part] for part in blocks] == [
        [[19.0]],
        [[20.0]],
    ]
    Path(path).write_bytes(gzip.compress(b"another table"))
    with pytest.raises(CatalogueError, match=r"its SHA-256 is .*, source.sha256 expects"):
        list(catalogue_blocks(target, "far", found["0000"], estimates))
    moved = source | {"mirrors": ["https://nowhere.example.org/rows.csv.gz"], "largest_mb": 7}
    other = Target(title="far", source=moved, models=[{"bundle": "b"}], partitions=2)
    assert other.question() == target.question()  # estimates nothing again
