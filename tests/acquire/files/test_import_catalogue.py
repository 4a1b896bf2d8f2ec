"""The script, run as Snakemake would."""

from pathlib import Path
from types import SimpleNamespace

import import_catalogue
import pytest

from sdssflow.acquire.errors import CatalogueError
from sdssflow.configuration.sources import EmbeddedSource, FileSource
from sdssflow.files import file_digest
from sdssflow.tables import content_digest, metadata, read_csv, read_parquet
from tests.acquire.files.good_table import good_columns, good_frame, with_cell, write

ROOT = Path(__file__).parents[3]


def run_script(folder, table, source, sample="mine"):
    output = SimpleNamespace(
        catalogue=str(folder / "catalogue.parquet"), defects=str(folder / "defects.csv")
    )
    import_catalogue.main(
        SimpleNamespace(
            params=SimpleNamespace(
                source=source.canonical(), source_files=[str(table)], sample=sample
            ),
            output=output,
        )
    )
    return output


def test_embedded_table(tmp_path):
    source = EmbeddedSource(kind="embedded", table="mclass")
    output = run_script(tmp_path, ROOT / "data/embedded/mclass.parquet", source, "mclass")
    catalogue = read_parquet(output.catalogue)
    about = metadata(catalogue.schema)
    assert sorted(about) == [
        "data_digest",
        "extinction_applied",
        "magnitude_system",
        "sample",
        "source_sha256",
    ]
    assert about["data_digest"] == content_digest(catalogue)
    assert catalogue.schema.field("psf_mag_u").metadata[b"unit"] == b"mag"
    assert len(read_csv(output.defects)) == 10


def test_users_file_twice_gives_the_same_bytes(tmp_path):
    path = write(good_frame(), tmp_path / "mine.csv")
    source = FileSource(
        kind="file",
        path=str(path),
        columns=good_columns(),
        extinction_applied=True,
        magnitude_system="pogson",
    )
    first = run_script(tmp_path / "a", path, source)
    second = run_script(tmp_path / "b", path, source)
    assert file_digest(first.catalogue) == file_digest(second.catalogue)
    about = metadata(read_parquet(first.catalogue).schema)
    assert about["extinction_applied"] is True
    assert about["magnitude_system"] == "pogson"
    assert about["source_sha256"] == file_digest(path)
    assert Path(first.defects).read_text() == "column,defect,count,action,example_row\n"


def test_bad_file_leaves_no_output(tmp_path):
    path = write(with_cell(0, "ra", 400.0), tmp_path / "mine.csv")
    source = FileSource(kind="file", path=str(path), columns=good_columns())
    with pytest.raises(CatalogueError):
        run_script(tmp_path / "a", path, source)
    assert not (tmp_path / "a").exists()
