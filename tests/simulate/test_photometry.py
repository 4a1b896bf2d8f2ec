"""Objects without spectra: faint, mostly stars and galaxies, and the truth kept apart."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sdssflow.files import file_digest
from skyserver_standin.sky.conventions import PHOTOOBJ, unpack_objid
from skyserver_standin.sky.plates import in_footprint
from skyserver_standin.sky.simulation import (
    PRIMARY,
    SECONDARY,
    TRUTH,
    photometry_blocks,
    simulate_photometry,
    sky_blocks,
)

OBJECTS = 20_000


@pytest.fixture(scope="module")
def blocks():
    return list(photometry_blocks(OBJECTS, 7, rows=5_000))


@pytest.fixture(scope="module")
def tables(blocks):
    return tuple(pa.concat_tables(part) for part in zip(*blocks, strict=True))


@pytest.fixture(scope="module")
def objects(tables):
    """Both tables beside each other, rows with an r magnitude."""
    photo, _, truth = (table.to_pandas() for table in tables)
    both = photo.assign(spec_class=truth["spec_class"], zspec=truth["zspec"])
    return both[both["r"] > 0]


def test_both_tables_have_the_same_rows_and_no_truth_is_in_the_photometry(tables):
    photo, wise, truth = tables
    assert photo.schema.equals(PHOTOOBJ)
    assert truth.schema.equals(TRUTH)
    assert photo.num_rows == OBJECTS
    assert photo["objID"].equals(truth["objid"])
    assert all(column.null_count == 0 for table in tables for column in table.columns)
    second = photo.filter(pc.equal(photo["mode"], 2))["objID"]
    assert wise.num_rows > 0
    assert not pc.any(pc.is_in(wise["sdss_objid"], second.combine_chunks())).as_py()


def test_ids_are_valid_and_ascend_over_many_runs(tables):
    objid = tables[0]["objID"].to_numpy()
    assert (np.diff(objid) > 0).all()
    parts = unpack_objid(objid)
    assert (set(parts["sky_version"]), set(parts["rerun"])) == ({2}, {301})
    assert parts["camcol"].min() >= 1 and parts["camcol"].max() <= 6
    for name in ("rerun", "run", "camcol", "field", "obj"):
        np.testing.assert_array_equal(parts[name], tables[0][name].to_numpy())
    assert len(set(parts["run"])) == OBJECTS / 100


def test_objects_are_fainter_than_those_with_spectra_and_of_another_mix(objects):
    ((_, photo, _),) = sky_blocks(OBJECTS, 7)
    with_spectra = photo["r"].to_numpy()
    assert objects["r"].median() > np.median(with_spectra) + 0.8
    assert 21.5 < objects["r"].quantile(0.95) < 22.3
    shares = objects["spec_class"].value_counts(normalize=True)
    assert 0.45 < shares["STAR"] < 0.60
    assert 0.40 < shares["GALAXY"] < 0.52
    assert 0.005 < shares["QSO"] < 0.03


def test_redshifts_are_of_their_class(objects):
    redshift = objects.groupby("spec_class")["zspec"]
    assert redshift.get_group("STAR").abs().max() < 0.003
    # photometric galaxies of the SDSS have a median of about 0.35
    assert 0.28 < redshift.get_group("GALAXY").median() < 0.42
    assert redshift.get_group("QSO").quantile(0.9) > 1.8
    bright = objects[(objects["spec_class"] == "GALAXY") & (objects["r"] < 19)]
    assert bright["zspec"].median() < redshift.get_group("GALAXY").median() - 0.1
    assert (bright["type"] == 3).mean() > 0.9


def test_second_observations_show_the_same_object_anew(objects):
    second = objects[objects["mode"] == SECONDARY]
    assert set(objects["mode"]) == {PRIMARY, SECONDARY}
    assert 0.08 < len(second) / len(objects) < 0.12
    first = objects[objects["mode"] == PRIMARY].set_index(["ra", "dec"])
    assert first.index.is_unique
    places = list(zip(second["ra"], second["dec"], strict=True))
    known = [place in first.index for place in places]
    assert np.mean(known) > 0.99  # a few first ones lack r
    same = first.loc[[place for place, there in zip(places, known, strict=True) if there]]
    second = second[known]
    np.testing.assert_array_equal(same["zspec"], second["zspec"])
    assert (same["r"].to_numpy() != second["r"].to_numpy()).all()
    assert np.median(np.abs(same["r"].to_numpy() - second["r"].to_numpy())) < 0.15


def test_positions_are_spread_over_the_footprint(objects):
    north, south = in_footprint(objects["ra"].to_numpy(), objects["dec"].to_numpy())
    assert (north | south).all()
    assert 0.7 < north.mean() < 0.8


def test_blocks_follow_each_other_and_the_same_seed_gives_the_same_bytes(blocks, tmp_path):
    assert [photo.num_rows for photo, *_ in blocks] == [5_000] * 4
    for name in ("a", "b"):
        simulate_photometry(tmp_path / name, 1_500, 4)
    simulate_photometry(tmp_path / "c", 1_500, 5)
    digests = {
        name: [file_digest(path) for path in sorted((tmp_path / name).iterdir())] for name in "abc"
    }
    assert digests["a"] == digests["b"] != digests["c"]
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "photoobj.parquet",
        "truth.parquet",
        "wise.parquet",
    }
    read = pq.read_table(tmp_path / "a/photoobj.parquet")
    assert read["objID"].equals(next(photometry_blocks(1_500, 4))[0]["objID"])


@pytest.mark.parametrize("objects", [1, 2, 101])
def test_tiny_skies(objects):
    ((photo, _, truth),) = photometry_blocks(objects, 2)
    assert photo.num_rows == truth.num_rows == objects


@pytest.mark.parametrize(("objects", "seed"), [(0, 1), (10, -1)])
def test_impossible_requests_are_refused(tmp_path, objects, seed):
    with pytest.raises(ValueError, match="must be at least"):
        simulate_photometry(tmp_path, objects, seed)
    assert not list(tmp_path.iterdir())
