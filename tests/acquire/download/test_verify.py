import numpy as np
import pyarrow as pa
import pytest

from sdssflow.acquire.download.client_skyserver import SkyServerLanguage
from sdssflow.acquire.download.client_tap import TapLanguage
from sdssflow.acquire.download.errors import TransientError
from sdssflow.acquire.download.keys import PLATES
from sdssflow.acquire.download.plan import EVERYTHING
from sdssflow.acquire.download.verify import Tally, check_tally
from tests.acquire.download.walk import PHOTOMETRY, source
from tests.acquire.tap.walk import source as tap_source

SKYSERVER = SkyServerLanguage(source())
PHOTOMETRIC = SkyServerLanguage(source(**PHOTOMETRY))
MIRROR = TapLanguage(tap_source(columns={name: name for name in SKYSERVER.complete}))


def rows(**changes):
    """Three spectra of plate 8200, beyond 2^63; `changes` by column."""
    fiber = np.array([1, 2, 700])
    ids = (np.uint64(8200) << np.uint64(50)) | (fiber.astype(np.uint64) << np.uint64(38))
    columns = {
        "specobjid": pa.array(ids),
        "objid": pa.array([1237648720693755918, 1237648720693755919, 1237648720693755921]),
        "plate": pa.array([8200] * 3, pa.int32()),
        "fiberid": pa.array(fiber, pa.int32()),
        "ra": pa.array([0.0, 359.9, 10.0]),
        "dec": pa.array([-1.0, 0.0, 89.0]),
    }
    return pa.table(columns | changes)


def test_good_rows_pass():
    SKYSERVER.check_keys(rows(), PLATES.keys(8200, 8200))
    SKYSERVER.check_positions(rows())
    SKYSERVER.check_keys(rows().slice(0, 0), PLATES.keys(1, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"specobjid": rows()["specobjid"].take([1, 0, 2])}, "row 1 .* not larger"),
        ({"specobjid": rows()["specobjid"].take([0, 0, 2])}, "row 1 .* not larger"),
        ({"objid": pa.array([1, None, 3])}, "row 1 of the answer has no objid"),
        ({"plate": pa.array([8200, 8200, 8201])}, "row 2 .* plate contradicts its specObjID"),
        ({"fiberid": pa.array([1, 3, 700])}, "row 1 .* fiberid contradicts its specObjID"),
    ],
)
def test_rows_that_contradict_themselves(changes, message):
    with pytest.raises(TransientError, match=message):
        SKYSERVER.check_keys(rows(**changes), EVERYTHING)


def objects(**changes):
    """Three objects of fields of run 756; `changes` by column."""
    columns = {
        "objid": pa.array([1237648720693755918, 1237648720693755919, 1237648720693821441]),
        "run": pa.array([756] * 3, pa.int32()),
        "camcol": pa.array([2] * 3, pa.int32()),
        "field": pa.array([427, 427, 428], pa.int32()),
        "rerun": pa.array([301] * 3, pa.int32()),
    }
    return pa.table(columns | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objid": objects()["objid"].take([1, 0, 2])}, "row 1 .* not larger"),
        ({"objid": objects()["objid"].take([0, 0, 2])}, "row 1 .* its objID is not larger"),
        ({"field": pa.array([427, None, 428])}, "row 1 of the answer has no field"),
        ({"run": pa.array([756, 756, 757])}, "row 2 .* its run contradicts its objID"),
        ({"camcol": pa.array([2, 3, 2])}, "row 1 .* its camcol contradicts its objID"),
        ({"field": pa.array([427, 427, 427])}, "row 2 .* its field contradicts its objID"),
        ({"rerun": pa.array([301, 40, 301])}, "row 1 .* its rerun contradicts its objID"),
    ],
)
def test_objects_that_contradict_themselves(changes, message):
    PHOTOMETRIC.check_keys(objects(), EVERYTHING)
    with pytest.raises(TransientError, match=message):
        PHOTOMETRIC.check_keys(objects(**changes), EVERYTHING)
    mirror = TapLanguage(tap_source(columns={n: n for n in objects().column_names}, key="objid"))
    if "row 1 .* not larger" not in message and "has no" not in message:
        with pytest.raises(TransientError, match="contradicts its objid|is repeated"):
            mirror.check_keys(objects(**changes), EVERYTHING)


def test_two_sums_of_one_id_have_two_divisors():
    ids = objects()["objid"].to_pylist()
    sums = [sum(i % prime for i in ids) for prime in (1_000_003, 999_983)]
    tally = PHOTOMETRIC.tally(objects())
    assert tally == (3, min(ids), max(ids), *sums, None)
    # another row, of which neither number nor ends nor the first sum tells
    ids[1] += 1_000_003
    ids[2] += 1 << 31
    whole = PHOTOMETRIC.tally(objects(objid=pa.array(ids)))
    ids[1] -= 1_000_003
    other = PHOTOMETRIC.tally(objects(objid=pa.array(ids)))
    assert other[:4] == whole[:4]
    with pytest.raises(TransientError, match="second sum over ids"):
        check_tally(other, whole)


@pytest.mark.parametrize("language", [SKYSERVER, MIRROR])
def test_rows_of_another_range(language):
    with pytest.raises(TransientError, match="outside the requested range"):
        language.check_keys(rows(), PLATES.keys(8201, 8300))


def test_rows_of_a_mirror_come_in_any_order_but_each_once():
    mixed = rows().take([2, 0, 1])
    MIRROR.check_keys(mixed, PLATES.keys(8200, 8200))
    assert MIRROR.in_order(mixed).equals(rows())
    for places, message in (
        ([2, 0, 0], "row 2 .* its specobjid is repeated"),
        ([2, 0, None], "row 2 of the answer has no specobjid"),
    ):
        with pytest.raises(TransientError, match=message):
            MIRROR.check_keys(rows().take(pa.array(places)), EVERYTHING)
    with pytest.raises(TransientError, match="its plate contradicts its specobjid"):
        MIRROR.check_keys(rows(plate=pa.array([8200, 8201, 8200])), EVERYTHING)


@pytest.mark.parametrize("value", [360.1, -0.1, None, np.nan])
def test_a_position_that_is_none(value):
    bad = rows(ra=pa.array([0.0, 1.0, value], pa.float64()))
    with pytest.raises(TransientError, match="row 2 .*: ra is out of range"):
        SKYSERVER.check_positions(bad)


def test_a_tally_is_that_of_sql():
    tally = SKYSERVER.tally(rows())
    ids = rows()["specobjid"].to_pylist()
    assert tally == (3, min(ids), max(ids), sum(i % 1_000_003 for i in ids),
                     sum(i % 1_000_003 for i in rows()["objid"].to_pylist()), None)  # fmt: skip
    assert SKYSERVER.tally(rows().slice(0, 0)) == (0, *[None] * 5)


@pytest.mark.parametrize("place", range(5))
def test_any_figure_that_differs_is_told(place):
    tally = SKYSERVER.tally(rows())
    other = Tally(*[v + 1 if i == place else v for i, v in enumerate(tally[:5])])
    with pytest.raises(TransientError, match="the server counts"):
        check_tally(tally, other)
    check_tally(tally, tally)
