"""The script, run as Snakemake would."""

from pathlib import Path

import import_catalogue
import pytest

from sdssflow.acquire.errors import CatalogueError
from sdssflow.configuration.sources import EmbeddedSource
from sdssflow.files import file_digest
from sdssflow.tables import content_digest, metadata, read_csv, read_parquet
from tests.acquire.files.good_table import good_frame, source, with_cell, write
from tests.jobs import run

ROOT = Path(__file__).parents[3]


def run_script(folder, table, source, sample="mine"):
    outputs = {"catalogue": folder / "catalogue.parquet", "defects": folder / "defects.csv"}
    params = {"source": source.canonical(), "source_files": [table], "sample": sample}
    return run(import_catalogue, {}, outputs, **params)


def test_embedded_table(tmp_path):
    table = ROOT / "data/embedded/mclass.parquet"
    output = run_script(tmp_path, table, EmbeddedSource(kind="embedded", table="mclass"), "mclass")
    catalogue = read_parquet(output.catalogue)
    about = metadata(catalogue.schema)
    names = "data_digest extinction_applied magnitude_system sample source_sha256"
    assert sorted(about) == names.split()
    assert about["data_digest"] == content_digest(catalogue)
    assert catalogue.schema.field("psf_mag_u").metadata[b"unit"] == b"mag"
    assert len(read_csv(output.defects)) == 10


def test_users_file_twice_gives_the_same_bytes(tmp_path):
    path = write(good_frame(), tmp_path / "mine.csv")
    mine = source(path, extinction_applied=True, magnitude_system="pogson")
    first = run_script(tmp_path / "a", path, mine)
    second = run_script(tmp_path / "b", path, mine)
    assert file_digest(first.catalogue) == file_digest(second.catalogue)
    about = metadata(read_parquet(first.catalogue).schema)
    assert about["extinction_applied"] is True
    assert about["magnitude_system"] == "pogson"
    assert about["source_sha256"] == file_digest(path)
    assert first.defects.read_text() == "column,defect,count,action,example_row\n"


def test_bad_file_leaves_no_output(tmp_path):
    path = write(with_cell(0, "ra", 400.0), tmp_path / "mine.csv")
    with pytest.raises(CatalogueError):
        run_script(tmp_path / "a", path, source(path))
    assert not (tmp_path / "a").exists()
