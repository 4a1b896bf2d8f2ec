"""Identifiers have the bits that the SDSS documents."""

import numpy as np
import pytest

from skyserver_standin.sky.conventions import (
    pack_objid,
    pack_specobjid,
    run2d_code,
    unpack_objid,
    unpack_specobjid,
)

# (plate, fiber, mjd, run2d, id): a spectrum in the SkyServer, and the example in pydl's docstring
SPECTRA = [
    (751, 160, 52251, "26", 845594848269461504),
    (4055, 408, 55359, "v5_7_0", 4565636362342690816),
]


@pytest.mark.parametrize(("plate", "fiber", "mjd", "run2d", "specobjid"), SPECTRA)
def test_known_spectra(plate, fiber, mjd, run2d, specobjid):
    packed = pack_specobjid(plate, fiber, mjd, run2d_code(run2d))
    assert int(packed) == specobjid
    parts = {name: int(value) for name, value in unpack_specobjid(np.uint64(specobjid)).items()}
    assert parts == {"plate": plate, "fiberID": fiber, "mjd": mjd, "run2d": run2d_code(run2d)}


def test_a_known_object():
    # run 3606, camcol 2, field 79 of a public copy of DR17; its id is rounded to 1024 there
    parts = unpack_objid(np.array([1237660961327743200]))
    names = ("sky_version", "rerun", "run", "camcol", "first_field", "field")
    assert [int(parts[name][0]) for name in names] == [2, 301, 3606, 2, 0, 79]


def test_ids_of_late_plates_are_above_the_signed_range():
    assert int(pack_specobjid(8191, 4095, 66383, 16383)) < 2**63
    assert int(pack_specobjid(8192, 0, 50000, 0)) == 2**63


def test_packing_is_undone_by_unpacking():
    rng = np.random.default_rng(0)
    n = 1000
    fields = [rng.integers(0, high, n) for high in (1 << 16, 8, 1 << 12, 1 << 16)]
    objid = pack_objid(*fields)
    assert objid.dtype == np.int64
    parts = unpack_objid(objid)
    for name, values in zip(("run", "camcol", "field", "obj"), fields, strict=True):
        np.testing.assert_array_equal(parts[name], values)
    spectrum = [rng.integers(0, 1 << 14, n), rng.integers(0, 1 << 12, n)]
    spectrum += [50000 + rng.integers(0, 1 << 14, n), rng.integers(0, 1 << 14, n)]
    parts = unpack_specobjid(pack_specobjid(*spectrum))
    for name, values in zip(("plate", "fiberID", "mjd", "run2d"), spectrum, strict=True):
        np.testing.assert_array_equal(parts[name], values)


@pytest.mark.parametrize(
    ("run2d", "code"),
    [("26", 26), ("103", 103), ("104", 104), ("v5_13_2", 1302), ("v6_0_4", 10004)],
)
def test_pipeline_versions(run2d, code):
    assert run2d_code(run2d) == code


@pytest.mark.parametrize(
    "fields", [(1 << 14, 1, 52000, 26), (1, 1 << 12, 52000, 26), (1, 1, 49999, 26)]
)
def test_what_does_not_fit_is_refused(fields):
    with pytest.raises(ValueError, match="bits from"):
        pack_specobjid(*fields)
