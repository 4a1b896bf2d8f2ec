"""What becomes null, what is counted, what stays: and no row is ever lost."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdssflow.acquire.checks import Defects, archived, first_failure
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.files.conform import conform
from sdssflow.acquire.files.readers import SourceTable
from sdssflow.acquire.schema import BANDS, COLUMNS
from sdssflow.configuration.sources import FileSource

ROWS = 8


def check(settings=None, **columns):
    """Conform a table of good magnitudes and classes with other or more columns."""
    data = {"spec_class": ["GALAXY", "QSO", "STAR", "STAR"] * (ROWS // 4)}
    data |= {f"model_mag_{band}": [18.0 + k / 10 for k in range(ROWS)] for band in BANDS}
    table = pa.table({**data, **columns})
    names = {name: name for name in table.column_names}
    source = SourceTable("a.parquet", "parquet", "0" * 64, names, table)
    file = FileSource(kind="file", path="a.parquet", columns=names, **(settings or {}))
    return conform(source, file)


def test_nothing_wrong_gives_an_empty_table_with_its_columns():
    catalogue, defects = check()
    assert defects.columns.tolist() == ["column", "defect", "count", "action", "example_row"]
    assert len(defects) == 0
    assert catalogue.num_rows == ROWS


def test_types_order_and_units_are_those_of_the_schema():
    catalogue, _ = check(dec=[1.5] * ROWS, ra=[10.0] * ROWS, plate=[752.0] * ROWS)
    assert catalogue.column_names[:5] == ["row_id", "ra", "dec", "plate", "spec_class"]
    for field in catalogue.schema:
        assert field.type == COLUMNS[field.name].type
        assert field.metadata.get(b"unit", b"").decode() == COLUMNS[field.name].unit
    assert catalogue["plate"].to_pylist() == [752] * ROWS


def test_each_kind_of_defect_is_counted_and_nulled():
    u = [np.nan, -9999.0, np.inf, 99.0, None, 40.0, 18.0, 18.5]
    catalogue, defects = check(model_mag_u=u)
    assert catalogue["model_mag_u"].to_pylist() == [None] * 6 + [18.0, 18.5]
    assert [tuple(row) for row in defects.values] == [
        ("model_mag_u", "missing", 1, "kept as null", 4),
        ("model_mag_u", "not finite", 2, "set to null", 0),
        ("model_mag_u", "sentinel -9999", 1, "set to null", 1),
        ("model_mag_u", "sentinel 99", 1, "set to null", 3),
        ("model_mag_u", "out of range", 1, "set to null", 5),
    ]


@given(
    st.lists(
        st.one_of(st.none(), st.floats(width=32), st.sampled_from([-9999.0, 99.0, 18.25])),
        min_size=ROWS - 1,
        max_size=ROWS - 1,
    )
)
def test_rows_nulls_and_counts_always_balance(values):
    try:
        catalogue, defects = check(model_mag_u=pa.array([20.0, *values], pa.float32()))
    except ValueError as error:  # mostly absurd magnitudes: a wrong column
        assert "are outside [5, 35] mag" in str(error)
        return
    assert catalogue.num_rows == ROWS
    assert catalogue["model_mag_u"].null_count == defects["count"].sum()
    for found, given_value in zip(catalogue["model_mag_u"].to_pylist()[1:], values, strict=True):
        assert found is None or found == given_value


def test_numbers_that_are_sentinels_elsewhere_are_kept_where_they_are_possible():
    catalogue, defects = check(
        ra=[99.0] * ROWS, dec=[0.0] * ROWS, field=[99] * ROWS, fiberid=[999] * ROWS
    )
    assert catalogue["ra"].to_pylist() == [99.0] * ROWS
    assert catalogue["fiberid"].to_pylist() == [999] * ROWS
    assert len(defects) == 0


def test_sentinel_positions_and_plates_become_null():
    positions = [10.0] * (ROWS - 1) + [-9999.0]
    plates = [-9999] + [752] * (ROWS - 1)
    catalogue, defects = check(ra=positions, dec=positions, plate=plates)
    assert catalogue["ra"].to_pylist()[-1] is None
    assert catalogue["plate"].to_pylist()[0] is None
    assert defects["defect"].tolist() == ["sentinel -9999"] * 3


def test_sentinel_of_the_users_own_in_float32():
    u = pa.array([-99.9] + [18.0] * (ROWS - 1), pa.float32())
    _, defects = check({"sentinels": [-99.9]}, model_mag_u=u)
    assert defects[["defect", "count"]].values.tolist() == [["sentinel -99.9", 1]]


def test_zero_redshifts_are_counted_and_kept():
    zspec = [0.0, 0.1, 0.0, -0.0003, 0.2, 0.3, 0.4, 5.0]
    catalogue, defects = check(zspec=zspec)
    assert catalogue["zspec"].to_pylist() == zspec
    assert defects.values.tolist() == [["zspec", "exactly zero", 2, "kept", 0]]


def test_positions_of_zeros_are_none():
    catalogue, defects = check(ra=[0.0, 0.0, 9.0] + [1.0] * 5, dec=[0.0, 8.0, 0.0] + [0.0] * 5)
    assert catalogue["ra"].to_pylist() == [None, 0.0, 9.0] + [1.0] * 5
    assert catalogue["dec"].to_pylist() == [None, 8.0, 0.0] + [0.0] * 5
    said = "ra and dec exactly zero"
    assert defects.values.tolist() == [
        ["ra", said, 1, "set to null", 0],
        ["dec", said, 1, "set to null", 0],
    ]


def test_failed_redshift_errors_become_null():
    catalogue, defects = check(zspec=[0.1] * ROWS, zspec_err=[-4.0] + [1e-5] * (ROWS - 1))
    assert catalogue["zspec_err"].to_pylist()[0] is None
    assert defects["defect"].tolist() == ["out of range"]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"Galaxy": "GALAXY", "Quasar": "QSO", "Star": "STAR"}, ["Galaxy", "Quasar", " Star ", ""]),
        ({"3": "GALAXY", "6": "STAR", "1": "QSO"}, [3, 1, 6, None]),
        ({"G": "GALAXY", "Q": "QSO", "None": "STAR"}, ["G", "Q", "None", "NA"]),
    ],
)
def test_labels_are_the_users_words(labels, words):
    catalogue, defects = check({"class_labels": labels}, spec_class=words * 2)
    assert catalogue["spec_class"].to_pylist() == ["GALAXY", "QSO", "STAR", None] * 2
    assert defects.values.tolist() == [["spec_class", "missing", 2, "kept as null", 3]]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), max_size=20))
def test_text_becomes_the_same_number(numbers):
    text = pa.array([repr(number) for number in numbers], pa.string())
    assert first_failure(text, pa.float64()) is None
    assert text.cast(pa.float64()).to_pylist() == numbers


@given(st.integers(0, 60), st.integers(0, 60))
def test_first_failure_finds_the_first(first, more):
    text = ["1.5"] * first + ["bad"] + ["2"] * more + ["bad"]
    assert first_failure(pa.array(text), pa.float64()) == first


def objids(runs):
    return [2 << 59 | 301 << 48 | run << 32 | 3 << 29 | 100 << 16 | 7 for run in runs]


def specobjids(plates, at=50):
    return [plate << at | 5 << 38 | 1630 << 24 for plate in plates]


@pytest.mark.parametrize(
    ("name", "part", "ids"), [("objid", "run", objids), ("specobjid", "plate", specobjids)]
)
def test_ids_beside_columns_of_other_rows_are_refused(name, part, ids):
    numbers = [752, 756, 745, 1035, 1045, 1140, 2243, 2299]
    kind = COLUMNS[name].type
    check(**{name: pa.array(ids(numbers), kind), part: numbers})
    with pytest.raises(CatalogueError, match=f"contains the {part} 2299, the column .* has 752"):
        check(**{name: pa.array(ids(numbers[-1:] + numbers[:-1]), kind), part: numbers})


def test_ids_that_contain_something_else_are_taken():
    plates = [752, 756, 745, 1035, 1045, 1140, 2243, 2299]
    check(specobjid=pa.array(specobjids(plates, at=48), pa.uint64()), plate=plates)  # of DR7
    check(objid=[1000 + n for n in range(ROWS)], run=plates)


def test_classes_of_an_archive_are_those_of_the_catalogue():
    defects = Defects()

    def classes(*words):
        found = pa.array(words, pa.string())
        return archived("spec_class", COLUMNS["spec_class"], found, defects, 10).to_pylist()

    assert classes("GALAXY    ", " QSO", None, "") == ["GALAXY", "QSO", None, None]
    assert defects.frame().values.tolist() == [["spec_class", "missing", 2, "kept as null", 12]]
    with pytest.raises(ValueError, match="row 12: 'galaxy' is not a class; the classes are GALAXY"):
        classes("QSO", None, "galaxy")


def test_a_warning_of_the_redshift_is_counted_and_kept():
    catalogue, defects = check(z_warning=[0, 4, 0, 16, 0, None, 0, 0])
    assert catalogue["z_warning"].to_pylist() == [0, 4, 0, 16, 0, None, 0, 0]
    assert ["z_warning", "a warning", 2, "kept", 1] in defects.values.tolist()
