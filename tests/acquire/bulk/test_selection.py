"""The selection on Arrow blocks against the SQL of the same selection, run by the stand-in."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdssflow.acquire.bulk.selection import columns_of, select
from sdssflow.acquire.download.sql import condition_sql
from sdssflow.configuration.selection import SELECTABLE, Condition
from skyserver_standin.database import Database
from skyserver_standin.sky.conventions import PHOTOOBJ, SPECOBJ
from skyserver_standin.translation import translate

ROWS = 400
NUMBERS = [-9999.0, 0.0, 0.1, 0.3, 17.77, 19.6, 22.0, 1e-05, 2.5e-07, 3600.5, 266.0, 16777217.0]
WORDS = ["GALAXY", "galaxy", "Qso", "STAR", "sdss", "boss", "AGN BROADLINE", "G2", "boss ", "none"]
WHOLE = [-9999, -1, 0, 1, 2, 3, 6, 266, 301, 51602, 1 << 30, 1 << 40, (1 << 62) + 3]


def neighbours(kind):
    """The numbers, as a column can hold them, and what lies right beside them."""
    values = np.array(NUMBERS, kind)
    return np.concatenate([values, np.nextafter(values, -np.inf), np.nextafter(values, np.inf)])


def drawn(field, rng):
    """A column with its missing values."""
    kind = field.type
    if pa.types.is_floating(kind):
        values = rng.choice(neighbours(kind.to_pandas_dtype()), ROWS)
    elif pa.types.is_string(kind):
        values = rng.choice([*WORDS, "", "Galaxy"], ROWS)
    else:
        limits = np.iinfo(kind.to_pandas_dtype())
        fitting = [n for n in WHOLE if limits.min <= n <= limits.max]
        values = rng.choice(np.array(fitting, kind.to_pandas_dtype()), ROWS)
    missing = rng.random(ROWS) < 0.1
    return pa.array(values, kind, mask=missing)


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """The stand-in's database over tables of odd values, and the same as one Arrow table."""
    rng = np.random.default_rng(7)
    folder = tmp_path_factory.mktemp("odd")
    spec = {field.name: drawn(field, rng) for field in SPECOBJ}
    photo = {field.name: drawn(field, rng) for field in PHOTOOBJ}
    for column in SELECTABLE.values():  # the simulated sky does not have all that SDSS has
        if column.table == "photo" and column.name not in photo:
            photo[column.name] = drawn(pa.field(column.name, pa.float32()), rng)
    spec["specObjID"] = pa.array((1 << 63) + 3 * np.arange(ROWS, dtype=np.uint64), pa.uint64())
    photo["objID"] = spec["bestObjID"] = pa.array(WHOLE[-1] + np.arange(ROWS), pa.int64())
    pq.write_table(pa.table(spec), folder / "specobj.parquet")
    pq.write_table(pa.table(photo), folder / "photoobj.parquet")
    table = pa.table(
        {
            name: (spec if column.table == "spec" else photo)[column.name]
            for name, column in SELECTABLE.items()
            if column.table in ("spec", "photo")
        }
    )
    database = Database(folder)
    yield database, table
    database.close()


def by_sql(database, conditions):
    where = " AND ".join(condition_sql(condition) for condition in conditions)
    sql = (
        "SELECT s.specObjID FROM SpecObjAll s JOIN PhotoObjAll p ON p.objID=s.bestObjID "
        f"WHERE {where} ORDER BY s.specObjID"
    )
    cursor = database.cursor()
    found = database.run(translate(sql, database.catalog).sql, cursor)
    ids = [int(value) for value in found.column(0).to_pylist()]
    cursor.close()
    return ids


def of_kind(*kinds):
    in_files = {name: its for name, its in SELECTABLE.items() if its.table in ("spec", "photo")}
    names = [name for name, column in in_files.items() if column.kind in kinds]
    # numeric(20): SQL Server has no & for it, and no literal near it is in the pools
    return st.sampled_from([name for name in names if name != "specobjid"])


@st.composite
def ranges(draw):
    name = draw(of_kind("number", "integer"))
    low, high = draw(st.sampled_from([None, *NUMBERS])), draw(st.sampled_from([None, *NUMBERS]))
    if low is None and high is None:
        low = 0.3
    if low is not None and high is not None and low >= high:
        low, high = (high, low) if high < low else (low, None)
    dereddened = "_mag_" in name.replace("_mag_err_", "") and draw(st.booleans())
    return Condition(column=name, minimum=low, maximum=high, dereddened=dereddened)


@st.composite
def choices(draw):
    name = draw(of_kind("text", "integer"))
    pool = WORDS if SELECTABLE[name].kind == "text" else WHOLE
    return Condition(
        column=name, any_of=draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3))
    )


@st.composite
def bits(draw):
    name = draw(of_kind("integer"))
    some = st.lists(st.sampled_from([0, 1, 6, 30, 40, 62]), min_size=1, max_size=3)
    chosen = draw(some)
    other = draw(st.none() | some)
    return Condition(column=name, any_bit=chosen, no_bit=other)


@settings(max_examples=120)
@given(conditions=st.lists(ranges() | choices() | bits(), min_size=1, max_size=3))
def test_a_selection_gives_the_rows_of_its_sql(conditions, sky):
    database, table = sky
    needed = table.select([*{"specobjid": None, **dict.fromkeys(columns_of(conditions))}])
    assert select(needed, conditions)["specobjid"].to_pylist() == by_sql(database, conditions)


def test_ids_beyond_what_a_float_holds_are_compared_exactly():
    ids = pa.table({"specobjid": pa.array([(1 << 63) - 1, 1 << 63, (1 << 63) + 1], pa.uint64())})
    found = select(ids, [Condition(column="specobjid", minimum=float(1 << 63))])
    assert found["specobjid"].to_pylist() == [1 << 63, (1 << 63) + 1]
    limit = Condition.from_canonical(
        Condition(column="specobjid", minimum=(1 << 63) + 1).canonical()
    )
    assert select(ids, [limit])["specobjid"].to_pylist() == [(1 << 63) + 1]
    found = select(ids, [Condition(column="specobjid", any_of=[(1 << 63) + 1, -5])])
    assert found["specobjid"].to_pylist() == [(1 << 63) + 1]


def test_no_condition_keeps_everything():
    table = pa.table({"specobjid": [1, 2]})
    assert select(table, []) is table
