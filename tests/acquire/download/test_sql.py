from pathlib import Path

import pytest
from pydantic import ValidationError

from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.keys import PLATES
from sdssflow.acquire.download.plan import Range
from sdssflow.acquire.download.sql import MOST_CHARACTERS, Queries, condition_sql
from sdssflow.acquire.schema import COLUMNS
from sdssflow.configuration.selection import DOWNLOADABLE, OPTIONAL, SELECTABLE, STANDARD, Condition
from tests.acquire.download.walk import source

LECTURE = [
    {"column": "model_mag_u", "minimum": 0, "maximum": 19.6},
    {"column": "model_mag_g", "minimum": 0, "maximum": 20},
]


def test_the_query_of_the_lecture():
    queries = Queries(source(selection=LECTURE, columns=["model_mag_u", "zspec"]))
    low, high = PLATES.keys(266, 267)
    assert (low >> 50, high >> 50) == (266, 268)
    assert queries.rows(Range(low, high)) == (
        "SELECT TOP 500000 p.objID,p.u,s.specObjID,s.plate,s.fiberID,s.z AS redshift "
        "FROM SpecObjAll s JOIN PhotoObjAll p ON p.objID=s.bestObjID "
        f"WHERE s.specObjID>={low} AND s.specObjID<{high} "
        "AND p.u BETWEEN 0 AND 19.6 AND p.g BETWEEN 0 AND 20 ORDER BY s.specObjID"
    )
    assert "p.u" not in queries.groups(PLATES.keys(266, 267))  # no join to the photometry
    assert "p.u BETWEEN 0 AND 19.6" in queries.count(PLATES.keys(266, 267))


def test_42_columns_with_every_kind_of_condition_fit_a_query():
    assert len(STANDARD) == 42
    asked = source(
        selection=[
            *LECTURE,
            {"column": "petro_mag_r", "maximum": 17.77, "dereddened": True},
            {"column": "legacy_target1", "any_bit": [6, 7, 8], "no_bit": [31]},
            {"column": "spec_class", "any_of": ["GALAXY", "QSO"]},
        ]
    )
    assert len(Queries(asked).rows(Range(0, 1 << 64))) < MOST_CHARACTERS


def test_a_query_longer_than_the_server_takes_is_refused():
    asked = source(
        selection=[{"column": "survey", "any_of": [f"{'x' * 50}{k}" for k in range(40)]}]
    )
    with pytest.raises(DownloadError, match="characters, SkyServer accepts 2000.*source.selection"):
        Queries(asked).rows(Range(0, 1))


@pytest.mark.parametrize(
    ("condition", "sql"),
    [
        ({"column": "z_warning", "any_of": [0]}, "s.zWarning IN (0)"),
        ({"column": "zspec", "minimum": 1e-05}, "s.z>=1e-05"),
        ({"column": "zspec", "maximum": -0.25}, "s.z<=-0.25"),
        ({"column": "objid", "minimum": 1237648720693755905}, "p.objID>=1237648720693755905"),
        ({"column": "boss_target1", "any_bit": [0, 1]}, "(s.boss_target1 & 3)<>0"),
        (
            {"column": "legacy_target1", "any_bit": [6], "no_bit": [5, 26]},
            "(s.legacy_target1 & 64)<>0 AND (s.legacy_target1 & 67108896)=0",
        ),
        ({"column": "spec_class", "any_of": ["STAR", "QSO"]}, "s.class IN ('STAR','QSO')"),
    ],
)
def test_conditions_as_sql(condition, sql):
    assert condition_sql(Condition.model_validate(condition)) == sql


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"column": "redshfit", "minimum": 0}, "did you mean"),
        ({"column": "zspec"}, "takes minimum and maximum, or any_of, or any_bit"),
        ({"column": "zspec", "minimum": 0, "any_of": [1]}, "takes minimum and maximum, or any_of"),
        ({"column": "zspec", "minimum": "0"}, "valid number"),
        ({"column": "zspec", "minimum": float("nan")}, "finite number"),
        ({"column": "zspec", "minimum": 2, "maximum": 1}, "minimum 2 is not below maximum 1"),
        ({"column": "zspec", "any_of": [1]}, "is a measurement: write minimum and maximum"),
        ({"column": "spec_class", "minimum": 1}, "holds text: write any_of with words"),
        ({"column": "spec_class", "any_of": [1]}, "holds text"),
        ({"column": "spec_class", "any_of": ["x' OR 1=1 --"]}, "should match pattern"),
        ({"column": "z_warning", "any_of": ["0"]}, "holds numbers"),
        ({"column": "zspec", "maximum": 1, "dereddened": True}, "is not a magnitude"),
        ({"column": "wise_mag_w1", "maximum": 9, "dereddened": True}, "is not a magnitude of SDSS"),
        ({"column": "legacy_target1", "any_bit": [63]}, "less than or equal to 62"),
    ],
)
def test_conditions_that_can_not_be_meant_are_refused(condition, message):
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate(condition)


@pytest.mark.parametrize(
    "sql",
    ["1=1; DROP TABLE x", "1=1 -- rest", "1=1 /* x", "(1=1", "1=1)", "a) OR (b", "x = 'y",
     "x IN (SELECT y FROM z)", "1=1\nAND 2=2"],
)  # fmt: skip
def test_free_sql_is_one_condition(sql):
    with pytest.raises(ValidationError, match="unchecked_sql"):
        source(unchecked_sql=sql)


def test_free_sql_stands_in_parentheses_in_rows_and_count_alone():
    queries = Queries(source(selection=[], unchecked_sql="p.u-p.g>1 OR s.z>3"))
    for text in (queries.rows(Range(0, 9)), queries.count(Range(0, 9))):
        assert "AND (p.u-p.g>1 OR s.z>3)" in text
    assert "p.u-p.g" not in queries.groups(Range(0, 9))


def test_every_column_of_sdss_is_one_of_the_catalogue_with_the_type_its_conditions_need():
    for name, column in DOWNLOADABLE.items():
        arrow = str(COLUMNS[name].type)
        kind = {"string": "text", "float": "number", "double": "number"}.get(arrow, "integer")
        assert column.kind == kind, name
    assert set(OPTIONAL) & set(STANDARD) == set()
    assert len({column.header for column in DOWNLOADABLE.values()}) == len(DOWNLOADABLE)
    assert set(DOWNLOADABLE) < set(SELECTABLE)


def test_the_documentation_lists_every_column():
    text = (Path(__file__).parents[3] / "docs/skyserver.md").read_text()
    assert [name for name in SELECTABLE if f"`{name}`" not in text] == []
