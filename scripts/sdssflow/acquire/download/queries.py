"""The SQL that a sample's definition stands for: SkyServer's dialect, on one line.

Conditions come typed from the configuration; numbers are written by `repr`, words between quotes
after their letters were checked there. What SkyServer does to a query before it runs it (a second
SELECT is broken, TOP 500000 is put in where TOP is missing, comments are stripped) can't touch
these: https://github.com/sciserver/sqlloader, spExecuteSQL.
"""

from __future__ import annotations

from urllib.parse import quote_plus

from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.ranges import Range
from sdssflow.configuration.sdss_columns import DOWNLOADABLE, SELECTABLE, SdssColumn
from sdssflow.configuration.selection import Condition
from sdssflow.configuration.sources import SkyServerSource

MOST_ROWS = 500_000  # SkyServer's limit; an answer with as many rows was cut
MOST_CHARACTERS = 2000  # ASP.NET refuses query strings longer than 2048, encoded
HASH_PRIME = 1_000_003  # sums of remainders tell rows that were lost and doubled at once
JOINED = "SpecObjAll s JOIN PhotoObjAll p ON p.objID=s.bestObjID"
ALIAS = {"photo": "p", "spec": "s"}


class Queries:
    """The queries of one sample.

    Parameters
    ----------
    source : SkyServerSource
        What is asked for.
    """

    def __init__(self, source: SkyServerSource) -> None:
        self.source = source
        self.columns: list[SdssColumn] = [DOWNLOADABLE[name] for name in source.columns]
        spectral = [c for c in source.selection if SELECTABLE[c.column].table == "spec"]
        self._spectral = [condition_sql(condition) for condition in spectral]
        self._all = [condition_sql(condition) for condition in source.selection]
        if source.unchecked_sql:
            self._all.append(f"({source.unchecked_sql})")

    @property
    def headers(self) -> list[str]:
        """Names of the columns in the answer to `rows`."""
        return [column.header for column in self.columns]

    def plates(self, within: Range) -> str:
        """Ask how many spectra each plate has.

        By conditions on the spectrum alone: that needs no join, and so no look at the photometry.
        """
        return (
            f"SELECT TOP {MOST_ROWS} s.plate, COUNT_BIG(*) AS n FROM SpecObjAll s "
            f"WHERE {self._where(within, self._spectral)} GROUP BY s.plate ORDER BY s.plate"
        )

    def spectra(self, within: Range) -> str:
        """Ask how many spectra there are: what the plates have to add up to."""
        return (
            "SELECT COUNT_BIG(*) AS n FROM SpecObjAll s "
            f"WHERE {self._where(within, self._spectral)}"
        )

    def count(self, within: Range) -> str:
        """Ask for number, first and last id and two sums of the rows of a range."""
        sums = ",".join(
            f"SUM(CAST({column}%{HASH_PRIME} AS bigint)) AS {name}"
            for name, column in (("h1", "s.specObjID"), ("h2", "p.objID"))
        )
        return (
            f"SELECT COUNT_BIG(*) AS n,MIN(s.specObjID) AS lo,MAX(s.specObjID) AS hi,{sums} "
            f"FROM {JOINED} WHERE {self._where(within, self._all)}"
        )

    def rows(self, within: Range) -> str:
        """Ask for the rows of a range.

        Raises
        ------
        DownloadError
            If the query is longer than SkyServer takes.
        """
        columns = ",".join(
            _qualified(c) + (f" AS {c.alias}" if c.alias else "") for c in self.columns
        )
        text = (
            f"SELECT TOP {MOST_ROWS} {columns} FROM {JOINED} "
            f"WHERE {self._where(within, self._all)} ORDER BY s.specObjID"
        )
        length = len(quote_plus(text))
        if length > MOST_CHARACTERS:
            raise DownloadError(
                f"the query has {length} characters, SkyServer takes {MOST_CHARACTERS}",
                "Ask for fewer columns, or make source.selection shorter.",
            )
        return text

    @staticmethod
    def _where(within: Range, conditions: list[str]) -> str:
        span = [f"s.specObjID>={within.low}", f"s.specObjID<{within.high}"]
        return " AND ".join([*span, *conditions])


def condition_sql(condition: Condition) -> str:
    """Write one condition as SQL.

    Examples
    --------
    >>> condition_sql(Condition(column="model_mag_u", minimum=0, maximum=19.6))
    'p.u BETWEEN 0 AND 19.6'
    >>> condition_sql(Condition(column="petro_mag_r", maximum=17.77, dereddened=True))
    '(p.petroMag_r-p.extinction_r)<=17.77'
    >>> condition_sql(Condition(column="spec_class", any_of=["GALAXY"]))
    "s.class IN ('GALAXY')"
    >>> condition_sql(Condition(column="legacy_target1", any_bit=[6, 7]))
    '(s.legacy_target1 & 192)<>0'
    >>> condition_sql(Condition(column="boss_target1", no_bit=[40]))
    '(s.boss_target1 & CAST(1099511627776 AS bigint))=0'
    """
    column = _qualified(SELECTABLE[condition.column])
    if condition.dereddened:
        column = f"({column}-p.extinction_{condition.column[-1]})"
    if condition.any_of:
        words = [f"'{word}'" if isinstance(word, str) else str(word) for word in condition.any_of]
        return f"{column} IN ({','.join(words)})"
    if condition.any_bit or condition.no_bit:
        parts = [
            f"({column} & {_mask(bits)}){sign}0"
            for bits, sign in ((condition.any_bit, "<>"), (condition.no_bit, "="))
            if bits
        ]
        return " AND ".join(parts)
    low, high = (_number(value) for value in (condition.minimum, condition.maximum))
    if low and high:
        return f"{column} BETWEEN {low} AND {high}"
    return f"{column}>={low}" if low else f"{column}<={high}"


def _qualified(column: SdssColumn) -> str:
    return f"{ALIAS[column.table]}.{column.name}"


def _mask(bits: list[int]) -> str:
    """Write bits as a number; beyond 32 bits a literal is a decimal, for which there is no &."""
    mask = sum(1 << bit for bit in set(bits))
    return str(mask) if mask < 1 << 31 else f"CAST({mask} AS bigint)"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
