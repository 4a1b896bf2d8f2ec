"""What the stored procedure does to the text of a query, and what it refuses."""

import pytest

from skyserver_standin.database import SqlError
from skyserver_standin.server import GuardError, guard

LIMIT = 1000


@pytest.mark.parametrize(
    ("typed", "executed"),
    [
        ("select ra from SpecObj", "select  top 1000 ra from SpecObj "),
        ("SELECT  ra\r\n\tFROM SpecObj", "SELECT  top 1000 ra FROM SpecObj "),
        ("select all ra from S", "select all  top 1000 ra from S "),
        ("select distinct ra from S", "select distinct  top 1000 ra from S "),
        ("select top 7 ra from S", "select top 7 ra from S "),
        ("select distinct top 7 ra from S", "select distinct top 7 ra from S "),
        ("select top 1000 ra from S", "select top 1000 ra from S "),
        ("select top(7) ra from S", "select  top 1000 top(7) ra from S "),
        ("select top 7 ra from (select ra from S)", "select top 7 ra from (select ra from S) "),
    ],
)
def test_rewriting(typed, executed):
    assert guard(typed, LIMIT) == executed


@pytest.mark.parametrize(
    "rest",
    [
        *("-- all of it", "/* or not */", "; drop table S", "; ", ", x as sp_ra", "\nfn_x"),
        *(", dbo.XP_cmdshell", "union select dec from S", "union\nSELECT dec from S"),
    ],
)
def test_what_the_procedure_breaks_is_an_error(rest):
    with pytest.raises(SqlError, match="Incorrect syntax near '#'"):
        guard(f"select top 7 ra from S {rest}", LIMIT)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("with x as (select ra from S) select ra from x", "error: must be a select statement"),
        ("drop table SpecObj", "error: must be a select statement"),
        ("", "error: must be a select statement"),
        ("select\u00a0ra from S", "error: must be a select statement"),
        ("select top 1001 ra from S", "error: limit is  top 1000 select top 1001"),
        ("select top 0 ra from S", "error: limit is  top 1000"),
        ("select top (7) ra from S", "error: limit is  top 1000"),
        ("select top -1 ra from S", "error: limit is  top 1000"),
        ("select top x ra from S", "error: limit is  top 1000"),
    ],
)
def test_refusals_say_why_and_repeat_the_query(typed, message):
    with pytest.raises(GuardError) as caught:
        guard(typed, LIMIT)
    assert str(caught.value).startswith(message)
    assert str(caught.value).rstrip().endswith(typed)
