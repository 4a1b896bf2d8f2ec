from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from sdssflow.configuration.cuts import Cut, Cuts
from sdssflow.prepare.columns import MissingColumnError
from sdssflow.prepare.cuts import apply_cuts, describe, rows_kept
from tests.prepare.catalogues import make_catalogue


def read(*cuts):
    return Cuts.model_validate({"cuts": list(cuts)}).cuts


def test_every_row_is_kept_or_counted():
    table = make_catalogue()
    cuts = read(
        {"cut": "magnitude_range", "band": "r", "maximum": 19},
        {"cut": "redshift_range", "minimum": 0.05},
        {"cut": "classes", "keep": ["GALAXY", "STAR"]},
    )
    kept, flow = apply_cuts(table, cuts)
    assert flow["removed"].sum() + kept.num_rows == table.num_rows
    assert list(flow["cut"]) == ["catalogue", "magnitude_range", "redshift_range", "classes"]
    assert (flow["before"][1:].to_numpy() == flow["after"][:-1].to_numpy()).all()
    assert flow["after_QSO"].iloc[-1] == 0
    by_class = flow[["after_GALAXY", "after_QSO", "after_STAR"]].sum(axis=1)
    assert (by_class == flow["after"]).all()


def test_order_of_cuts_changes_counts_and_not_the_outcome():
    table = make_catalogue()
    one = {"cut": "magnitude_range", "band": "g", "minimum": 17}
    two = {"cut": "redshift_range", "maximum": 0.2}
    kept, flow = apply_cuts(table, read(one, two))
    swapped, other = apply_cuts(table, read(two, one))
    assert kept.column("row_id").equals(swapped.column("row_id"))
    assert flow["removed"].tolist() != other["removed"].tolist()


def test_limits_are_included_and_missing_values_are_in_no_range():
    redshift = np.full(200, 0.1)
    redshift[:3] = [0.05, 0.2, np.nan]
    table = make_catalogue(zspec=redshift)
    kept, _ = apply_cuts(table, read({"cut": "redshift_range", "minimum": 0.05, "maximum": 0.2}))
    assert kept.num_rows == 199
    assert 2 not in kept.column("row_id").to_pylist()


def test_magnitudes_at_a_limit_are_kept_although_they_are_stored_as_float32():
    values = np.tile([0.05, 0.1, 17.77, 18.3], 50)
    columns = {f"model_mag_err_{band}": np.where(values < 1, values, 0.0) for band in "gri"}
    table = make_catalogue(model_mag_r=np.where(values > 1, values, 18.0), **columns)
    cuts = [{"cut": "magnitude_error", "maximum": limit} for limit in (0.1, 0.05)]
    assert [apply_cuts(table, read(cut))[0].num_rows for cut in cuts] == [200, 150]
    within = {"cut": "magnitude_range", "band": "r", "minimum": 17.77, "maximum": 18.3}
    assert apply_cuts(table, read(within))[0].num_rows == 200


def test_redshift_exactly_zero_goes_and_nearly_zero_stays():
    redshift = np.full(200, 0.1)
    redshift[:2] = [0.0, 1e-9]
    kept, flow = apply_cuts(make_catalogue(zspec=redshift), read({"cut": "nonzero_redshift"}))
    assert kept.column("row_id")[0].as_py() == 1
    assert flow["removed"].iloc[-1] == 1


def test_a_missing_magnitude_or_error_fails_complete_photometry():
    magnitude = np.full(200, 18.0)
    magnitude[5] = np.nan
    error = np.full(200, 0.1)
    error[6] = np.nan
    table = make_catalogue(model_mag_u=magnitude, model_mag_err_z=error)
    without, _ = apply_cuts(table, read({"cut": "complete_photometry"}))
    with_errors, _ = apply_cuts(table, read({"cut": "complete_photometry", "errors": True}))
    assert (without.num_rows, with_errors.num_rows) == (199, 198)


def test_unique_objects_keeps_the_first_row_of_each():
    table = make_catalogue(objid=np.repeat(np.arange(1, 101), 2))
    kept, _ = apply_cuts(table, read({"cut": "unique_objects"}))
    assert kept.column("row_id").to_pylist() == list(range(0, 200, 2))


def test_a_missing_column_names_column_and_cut():
    with pytest.raises(MissingColumnError, match=r"cuts: z_warning needs the column 'z_warning'"):
        apply_cuts(make_catalogue(), read({"cut": "z_warning"}))


def test_removing_everything_names_the_cut():
    with pytest.raises(ValueError, match=r"cut 1 \(magnitude_range: model r ≤ 2 mag\) removes"):
        apply_cuts(make_catalogue(), read({"cut": "magnitude_range", "maximum": 2}))


def test_an_empty_range_is_refused():
    with pytest.raises(ValidationError, match="minimum 3 is not below maximum 2"):
        read({"cut": "redshift_range", "minimum": 3, "maximum": 2})


def test_every_cut_has_a_mask_and_a_description():
    required = {
        "magnitude_range": {"maximum": 22.0},
        "magnitude_error": {"maximum": 0.1},
        "complete_columns": {"columns": ["wise_mag_w1"]},
    }
    table = make_catalogue(wise_mag_w1=np.full(200, 14.0), z_warning=np.zeros(200, int))
    for kind in get_args(get_args(Cut)[0]):
        (name,) = get_args(kind.model_fields["cut"].annotation)
        (cut,) = read({"cut": name, **required.get(name, {})})
        assert describe(cut)
        if name != "unique_objects":
            assert rows_kept(table, cut).shape == (200,)
