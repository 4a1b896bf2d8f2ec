"""Rows from the bulk files are those of SkyServer, whatever the files look like."""

import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from sdssflow.acquire.bulk import importing
from sdssflow.acquire.bulk.importing import in_order
from sdssflow.acquire.bulk.join import BULK_COLUMNS
from sdssflow.configuration.selection import DOWNLOADABLE, SELECTABLE
from sdssflow.tables import metadata, read_schema
from tests.acquire.bulk import release as bulk_release
from tests.acquire.bulk.release import PHOTOMETRY, SPECTRA, write_release
from tests.acquire.bulk.walk import assert_same_rows, downloaded, imported, source

SELECTIONS = {
    "everything": [],
    "galaxies": [
        {"column": "spec_class", "any_of": ["galaxy"]},
        {"column": "zspec", "minimum": 0.002, "maximum": 0.4},
        {"column": "z_warning", "any_of": [0]},
        {"column": "science_primary", "any_of": [1]},
    ],
    "targets": [{"column": "legacy_target1", "any_bit": [6, 7, 8]}],
    "magnitudes": [
        {"column": "petro_mag_r", "maximum": 20.5, "dereddened": True},
        {"column": "model_mag_u", "maximum": 24},
        {"column": "survey", "any_of": ["sdss", "boss", "eboss"]},
    ],
}

DECLARED = {
    "weight": {
        "maximum": 1.0, "missing": "not_observed", "meaning": "weight of a fit",
        "sdss": "p.fracDeV_r", "bulk": "FRACDEV[2]",
    }
}  # fmt: skip


@pytest.mark.parametrize("name", SELECTIONS)
def test_rows_are_those_of_skyserver(name, server, release, tmp_path):
    selection = SELECTIONS[name]
    columns = list(DOWNLOADABLE)
    bulk, completeness, _ = imported(
        release, tmp_path / "b.parquet", selection, columns=columns[:40]
    )
    theirs = downloaded(server, tmp_path / "sky", selection, columns=columns[:40])
    assert_same_rows(bulk, theirs)
    written = completeness.set_index("stage")["rows"]
    assert written["written"] == bulk.num_rows
    assert (bulk.num_rows < written["with photometry"]) == bool(selection)


def test_optional_columns_are_those_of_skyserver(server, release, tmp_path):
    columns = ["psf_mag_err_g", "petro_mag_u", "petro_mag_r", "petro_mag_err_z"]
    columns += ["petro_r90_r", "axis_ratio_dev_r", "axis_ratio_exp_r", "frac_dev_r"]
    asked = {"columns": columns, "declared": DECLARED}
    bulk, _, _ = imported(release, tmp_path / "b.parquet", **asked)
    assert bulk["weight"].to_pylist() == bulk["frac_dev_r"].to_pylist()
    assert_same_rows(bulk, downloaded(server, tmp_path / "sky", [], **asked))


def test_what_the_files_lack_is_refused(release):
    with pytest.raises(ValidationError, match="'wise_mag_w1' is not in the bulk files"):
        source(release, columns=["wise_mag_w1"])
    nowhere = {"weight": {key: its for key, its in DECLARED["weight"].items() if key != "bulk"}}
    with pytest.raises(ValidationError, match=r"declared.weight: give the column of SDSS as bulk"):
        source(release, declared=nowhere)


def test_defects_are_those_of_skyserver(server, release, tmp_path):
    _, _, defects = imported(release, tmp_path / "b.parquet")
    downloaded(server, tmp_path / "sky", [])
    defects.to_csv(tmp_path / "defects.csv", index=False)
    assert (tmp_path / "defects.csv").read_text() == (tmp_path / "sky/defects.csv").read_text()
    assert len(defects) > 3


@pytest.mark.parametrize("ids", ["integers", "signed"])
def test_ids_may_be_integers(ids, sky, release, tmp_path):
    write_release(sky, tmp_path / "other", ids=ids)
    text, _, _ = imported(release, tmp_path / "text.parquet")
    numbers, _, _ = imported(tmp_path / "other", tmp_path / "numbers.parquet")
    assert numbers.equals(text)
    assert text["specobjid"].to_numpy().max() > 1 << 63


def test_any_order_of_plates_gives_the_same_bytes(sky, release, tmp_path):
    rows = pq.read_metadata(sky / "specobj.parquet").num_rows
    write_release(sky, tmp_path / "mixed", order=np.random.default_rng(1).permutation(rows))
    imported(release, tmp_path / "a.parquet")
    imported(tmp_path / "mixed", tmp_path / "b.parquet")
    ours, theirs = (pq.read_table(tmp_path / f"{name}.parquet") for name in "ab")
    assert ours.equals(theirs)


def test_blocks_do_not_change_the_catalogue(release, tmp_path):
    digests = set()
    for rows in (17, 640, 100_000):
        imported(release, tmp_path / "c.parquet", SELECTIONS["galaxies"], block_rows=rows)
        digests.add((tmp_path / "c.parquet").read_bytes())
    assert len(digests) == 1


def test_limit_takes_the_first_rows_of_skyservers_order(server, release, tmp_path):
    selection = SELECTIONS["galaxies"]
    bulk, completeness, _ = imported(release, tmp_path / "b.parquet", selection, limit=123)
    assert bulk.num_rows == 123
    assert completeness.set_index("stage")["rows"]["written"] == 123
    assert_same_rows(bulk, downloaded(server, tmp_path / "sky", selection, limit=123))


def test_rows_are_counted_on_their_way(sky, release, tmp_path):
    _, completeness, _ = imported(release, tmp_path / "b.parquet", SELECTIONS["targets"])
    spec, photo = bulk_release.matched(sky)
    targeted = (spec["legacy_target1"].to_numpy() & (64 + 128 + 256) != 0) & (
        spec["bestObjID"].to_numpy() != 0
    )
    assert completeness["rows"].tolist() == [
        *(spec.num_rows, spec.num_rows),
        photo.num_rows - photo["objID"].null_count,
        *(targeted.sum(), targeted.sum()),
    ]
    assert completeness["digest"].str.len().tolist() == [64, 64, 0, 0, 0]


def test_provenance_names_files_selection_and_content(release, copy, tmp_path):
    imported(release, tmp_path / "a.parquet", SELECTIONS["targets"], limit=10)
    about = metadata(read_schema(tmp_path / "a.parquet"))
    assert about["archive"] == f"{SPECTRA} with {PHOTOMETRY}"
    assert "legacy_target1" in about["query"]
    assert (about["release"], about["limit"], about["simulated"]) == (17, 10, False)
    with (copy / SPECTRA).open("ab") as stream:  # the rows stay the same, the file does not
        stream.write(b"\0" * 2880)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        imported(copy, tmp_path / "b.parquet", SELECTIONS["targets"], limit=10)
    other = metadata(read_schema(tmp_path / "b.parquet"))
    assert other["data_digest"] == about["data_digest"]
    assert other["source_sha256"] != about["source_sha256"]


def test_files_can_have_other_names(copy, tmp_path):
    (copy / SPECTRA).rename(copy / "s.fits")
    table, _, _ = imported(copy, tmp_path / "c.parquet", spectra="s.fits", limit=5)
    assert table.num_rows == 5


def test_every_column_has_its_place_in_the_files():
    in_files = {name for name, its in SELECTABLE.items() if its.table in ("spec", "photo")}
    assert set(BULK_COLUMNS) == {*in_files, "best_objid"}
    assert {n for n, c in SELECTABLE.items() if c.table == "spec"} == {
        n for n, c in BULK_COLUMNS.items() if c.file == "spectra"
    } - {"best_objid"}


@pytest.mark.parametrize("limit", [None, 1, 70, 10_000])
@pytest.mark.parametrize("run_rows", [10, 64, 100_000])
def test_rows_come_in_order_whatever_the_runs(limit, run_rows, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "SPILL_ROWS", 4)  # so that runs are read back in many pieces
    ids = np.random.default_rng(2).permutation(
        np.arange(5000, dtype=np.uint64)[::3] << np.uint64(51)
    )
    table = pa.table({"id": ids, "same": ids.astype(str)})
    blocks = [table.slice(start, 37) for start in range(0, len(ids), 37)]
    found = pa.concat_tables(in_order(blocks, "id", tmp_path, limit, run_rows))
    expected = np.sort(ids)
    assert found["id"].to_numpy()[:limit].tolist() == expected[:limit].tolist()
    assert found["same"].to_pylist() == [str(i) for i in found["id"].to_pylist()]
    assert not list(tmp_path.iterdir())
