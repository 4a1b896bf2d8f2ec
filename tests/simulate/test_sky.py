"""Both tables are whole, ordered, reproducible and made in blocks."""

import itertools

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sdssflow.bands import SFD_COEFFICIENT
from sdssflow.files import file_digest
from skyserver_standin.sky.conventions import (
    BANDS,
    PHOTOOBJ,
    SPECOBJ,
    run2d_code,
    unpack_objid,
    unpack_specobjid,
)
from skyserver_standin.sky.plates import (
    PLATE_RADIUS,
    PROGRAMMES,
    blocks_of_plates,
    galactic_latitude,
    in_footprint,
    plan_plates,
)
from skyserver_standin.sky.simulation import make_block, simulate_sky, sky_blocks

MAGNITUDES = [f"{prefix}{band}" for prefix in ("", "psfMag_", "petroMag_") for band in BANDS]


def numbers(table, name):
    return table[name].to_numpy()


def separation(ra, dec, other_ra, other_dec):
    a, b, c, d = np.radians([ra, dec, other_ra, other_dec])
    cosine = np.sin(b) * np.sin(d) + np.cos(b) * np.cos(d) * np.cos(a - c)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_schemas(sky):
    spec, photo, _ = sky
    assert spec.schema.equals(SPECOBJ)
    assert photo.schema.equals(PHOTOOBJ)
    assert spec.num_rows == 40_000
    assert all(column.null_count == 0 for table in sky for column in table.columns)


def test_identifiers_ascend_and_say_what_the_columns_say(sky):
    spec, photo, _ = sky
    specobjid, objid = numbers(spec, "specObjID"), numbers(photo, "objID")
    assert (specobjid[1:] > specobjid[:-1]).all()
    assert (objid[1:] > objid[:-1]).all()
    assert (specobjid > np.uint64(2**63)).any()
    parts = unpack_specobjid(specobjid)
    for name in ("plate", "fiberID", "mjd"):
        np.testing.assert_array_equal(parts[name], numbers(spec, name))
    np.testing.assert_array_equal(parts["plate"], specobjid >> np.uint64(50))
    codes = [run2d_code(name) for name in spec["run2d"].to_pylist()]
    np.testing.assert_array_equal(parts["run2d"], codes)
    parts = unpack_objid(objid)
    assert set(parts["sky_version"]) == {2}
    for name in ("rerun", "run", "camcol", "field", "obj"):
        np.testing.assert_array_equal(parts[name], numbers(photo, name))


def test_plates_and_fibers_are_those_of_their_survey(sky):
    frame = sky[0].select(["survey", "plate", "fiberID", "run2d"]).to_pandas()
    for programme in PROGRAMMES:
        part = frame[frame["survey"] == programme.survey]
        assert part["plate"].between(programme.first_plate, programme.last_plate).all()
        assert part["fiberID"].between(1, programme.fibers).all()
        assert set(part["run2d"]) == {programme.run2d}


def test_objects_are_in_the_order_of_their_first_spectra(sky):
    spec, photo, _ = sky
    best = numbers(spec, "bestObjID")
    matched = best[best != 0]
    first = matched[np.sort(np.unique(matched, return_index=True)[1])]
    np.testing.assert_array_equal(first, numbers(photo, "objID"))
    assert 0.005 < np.mean(best == 0) < 0.02


def test_repeats_share_the_object_and_the_position(sky):
    frame = sky[0].to_pandas()
    repeats = frame[frame["sciencePrimary"] == 0]
    assert 0.02 < len(repeats) / len(frame) < 0.04
    known = repeats[repeats["bestObjID"] != 0]
    first = frame[frame["sciencePrimary"] == 1].set_index("bestObjID").loc[known["bestObjID"]]
    assert (first["specObjID"].to_numpy() < known["specObjID"].to_numpy()).all()
    assert (first["mjd"].to_numpy() < known["mjd"].to_numpy()).all()
    np.testing.assert_array_equal(first["ra"], known["ra"])
    # the same object, measured again
    assert (first["z"].to_numpy() != known["z"].to_numpy()).all()
    agree = np.abs(first["z"].to_numpy() - known["z"].to_numpy()) < 0.01
    assert agree.mean() > 0.9
    counts = frame.loc[(frame["sciencePrimary"] == 1) & (frame["bestObjID"] != 0), "bestObjID"]
    assert counts.is_unique


def test_positions_agree_and_lie_on_the_plates_of_the_footprint(sky):
    spec, photo, _ = (table.to_pandas() for table in sky)
    both = spec.merge(photo, left_on="bestObjID", right_on="objID")
    np.testing.assert_array_equal(both["ra_x"], both["ra_y"])
    plates = plan_plates(40_000, np.random.default_rng([7, 0]))
    at = np.searchsorted(plates.plate, spec["plate"])
    away = separation(spec["ra"], spec["dec"], plates.ra[at], plates.dec[at])
    assert away.max() <= PLATE_RADIUS + 1e-6
    # even over the disk: half of the objects outside 0.71 radii
    assert np.median(away) == pytest.approx(PLATE_RADIUS / np.sqrt(2), rel=0.02)
    latitude = np.abs(galactic_latitude(spec["ra"].to_numpy(), spec["dec"].to_numpy()))
    assert latitude.min() > 20 - PLATE_RADIUS
    north, south = in_footprint(plates.ra, plates.dec)
    assert (north | south).all()
    assert 0.6 < north.mean() < 0.9


def test_a_range_of_spectra_has_a_narrow_range_of_objects(sky):
    spec, photo, _ = sky
    best, objid = numbers(spec, "bestObjID"), numbers(photo, "objID")
    for start in range(0, 40_000, 4_000):
        part = best[start : start + 1000]
        part = part[part != 0]
        inside = (objid >= part.min()) & (objid <= part.max())
        assert inside.sum() <= 1000


def test_extinction_follows_the_coefficients(sky):
    photo = sky[1]
    reference = numbers(photo, "extinction_r")
    assert reference.min() > 0
    assert 0.03 < np.median(reference) < 0.15
    for band in BANDS:
        ratio = numbers(photo, f"extinction_{band}") / reference
        expected = SFD_COEFFICIENT[band] / SFD_COEFFICIENT["r"]
        np.testing.assert_allclose(ratio, expected, rtol=1e-5)
    latitude = np.abs(galactic_latitude(numbers(photo, "ra"), numbers(photo, "dec")))
    assert np.median(reference[latitude < 35]) > 1.3 * np.median(reference[latitude > 60])


def test_defects_are_there_and_few(sky):
    spec, photo, _ = sky
    missing = np.stack([numbers(photo, name) for name in BANDS], axis=1) == -9999
    errors = np.stack([numbers(photo, f"err_{band}") for band in BANDS], axis=1) == -9999
    np.testing.assert_array_equal(missing, errors)
    assert 0.001 < missing.any(axis=1).mean() < 0.006
    assert missing.sum(axis=1).max() == 1
    assert (numbers(photo, "clean")[missing.any(axis=1)] == 0).all()
    assert 0.90 < numbers(photo, "clean").mean() < 0.97
    assert (numbers(photo, "petroRad_r") == -9999).any()
    warned = numbers(spec, "zWarning") != 0
    assert 0.02 < warned.mean() < 0.08
    # the rest are real numbers: faint, negative fluxes too
    values = np.stack([numbers(photo, name) for name in MAGNITUDES])
    assert np.isfinite(values).all()
    assert values[values != -9999].min() > 8


def test_subclasses_need_quoting_and_may_be_empty(sky):
    names = set(sky[0]["subClass"].to_pylist())
    assert {"", "BROADLINE", "STARFORMING", "F5", "K3V (32147)", "F3/F5V (30743)"} <= names


def test_files_are_the_blocks_and_the_same_bytes_again(tmp_path):
    for name in ("one", "two"):
        simulate_sky(tmp_path / name, 3_000, 5)
    for table in ("specobj.parquet", "photoobj.parquet", "wise.parquet"):
        assert file_digest(tmp_path / "one" / table) == file_digest(tmp_path / "two" / table)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        *("photoobj.parquet", "specobj.parquet", "wise.parquet")
    ]
    spec, photo, _ = next(sky_blocks(3_000, 5))
    assert pq.read_table(tmp_path / "one/specobj.parquet").equals(spec)
    assert pq.read_table(tmp_path / "one/photoobj.parquet").equals(photo)
    simulate_sky(tmp_path / "three", 3_000, 6)
    assert not pq.read_table(tmp_path / "three/specobj.parquet").equals(spec)


def test_a_failed_simulation_leaves_no_files(tmp_path, monkeypatch):
    simulate_sky(tmp_path, 100, 1)
    before = file_digest(tmp_path / "specobj.parquet")

    def broken(*arguments):
        yield next(sky_blocks(200, 1))
        raise RuntimeError("power cut")

    monkeypatch.setattr("skyserver_standin.sky.simulation.sky_blocks", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        simulate_sky(tmp_path, 200, 1)
    assert file_digest(tmp_path / "specobj.parquet") == before
    assert len(list(tmp_path.iterdir())) == 3


def test_blocks_follow_each_other_and_need_no_other_block():
    blocks = list(sky_blocks(12_000, 3, rows=2_000))
    assert len(blocks) == 6
    assert sum(spec.num_rows for spec, *_ in blocks) == 12_000
    for name, which in (("specObjID", 0), ("objID", 1), ("sdss_objid", 2)):
        ranges = [pc.min_max(tables[which][name]).as_py() for tables in blocks]
        assert all(a["max"] < b["min"] for a, b in itertools.pairwise(ranges))
    plates = plan_plates(12_000, np.random.default_rng([3, 0]))
    draws = np.random.default_rng([3, 5]), np.random.default_rng([3, 4, 2])
    alone = make_block(plates, blocks_of_plates(plates, 2_000)[4], *draws)
    assert all(one.equals(other) for one, other in zip(alone, blocks[4], strict=True))


def test_a_hundred_million_spectra_come_in_small_blocks():
    plates = plan_plates(10**8, np.random.default_rng(0))
    assert plates.spectra.sum() == 10**8
    assert len(plates.plate) < 13_000
    assert len(set(plates.plate.tolist())) == len(plates.plate)
    rows = [plates.spectra[block].sum() for block in blocks_of_plates(plates, 50_000)]
    assert max(rows) < 100_000
    spec, photo, _ = next(sky_blocks(10**8, 1))
    assert spec.num_rows == rows[0]
    specobjid, objid = numbers(spec, "specObjID"), numbers(photo, "objID")
    assert (specobjid[1:] > specobjid[:-1]).all()
    assert (objid[1:] > objid[:-1]).all()


@pytest.mark.parametrize(("objects", "seed"), [(0, 1), (-5, 1), (10, -1)])
def test_impossible_requests_are_refused(tmp_path, objects, seed):
    with pytest.raises(ValueError, match="must be at least"):
        simulate_sky(tmp_path, objects, seed)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("objects", [1, 2, 7])
def test_tiny_skies(objects):
    (spec, photo, _), *rest = sky_blocks(objects, 2)
    assert not rest
    assert spec.num_rows == objects
    assert photo.num_rows <= objects
