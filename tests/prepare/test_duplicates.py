import numpy as np
import pytest

from sdssflow.prepare import duplicates
from tests.prepare.catalogues import make_catalogue


def object_keys(*args, **kwargs):
    return np.array(duplicates.object_keys(*args, **kwargs).to_pylist())


def test_the_same_objid_is_one_object():
    keys = object_keys(make_catalogue(n=4, objid=[11, 12, 11, 13], positions=False))
    assert keys[0] == keys[2] == "objid:11"
    assert len(set(keys)) == 3


def test_positions_within_the_radius_are_one_object_also_across_ra_zero():
    arcsec = 1 / 3600
    table = make_catalogue(
        n=4, ra=[359.99999, 0.00001, 10.0, 10.0], dec=[0.0, 0.0, 5.0, 5.0 + 0.6 * arcsec]
    )
    near = object_keys(table, radius_arcsec=0.1)
    wide = object_keys(table, radius_arcsec=0.7)
    assert near[0] == near[1]
    assert near[2] != near[3]
    assert wide[2] == wide[3]


@pytest.mark.parametrize(
    "spectra",
    [
        {"specobjid": [2**63, 2**63 + 1024, 2**63, None]},
        {"plate": [266, 266, 266, None], "mjd": [51630] * 4, "fiberid": [7, 8, 7, 7]},
    ],
)
def test_one_spectrum_is_of_one_object(spectra):
    keys = object_keys(make_catalogue(n=4, objid=[11, 12, 13, 14], **spectra))
    assert keys[0] == keys[2] == "objid:11"
    assert len(set(keys)) == 3


def test_a_chain_of_neighbours_is_one_object():
    step = 0.4 / 3600
    table = make_catalogue(n=3, ra=[10.0] * 3, dec=[0.0, step, 2 * step])
    assert len(set(object_keys(table, 0.5))) == 1


def test_identical_magnitudes_count_only_without_id_and_position():
    same = {f"model_mag_{band}": [18.0, 18.0] for band in "ugriz"}
    far = make_catalogue(n=2, ra=[1.0, 2.0], dec=[0.0, 0.0], **same)
    unknown = make_catalogue(n=2, positions=False, **same)
    assert len(set(object_keys(far))) == 2
    assert len(set(object_keys(unknown))) == 1


def test_a_row_without_id_and_position_is_the_row_it_copies():
    known = {"ra": [1.0, 2.0, np.nan, np.nan], "dec": [0.0, 0.0, np.nan, np.nan]}
    magnitudes = {f"model_mag_{band}": [18.0, 18.0, 18.0, 19.0] for band in "ugriz"}
    keys = object_keys(make_catalogue(n=4, **known, **magnitudes))
    assert keys[2] == keys[0]
    assert len(set(keys)) == 3


def test_rows_added_behind_change_no_key():
    table = make_catalogue(n=300)
    assert (object_keys(table.slice(0, 200)) == object_keys(table)[:200]).all()


def test_missing_positions_are_not_neighbours():
    table = make_catalogue(n=3, ra=[np.nan] * 3, dec=[np.nan] * 3)
    assert len(set(object_keys(table))) == 3
