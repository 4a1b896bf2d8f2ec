"""Write the queries for a sample's definition: SQL for SkyServer, ADQL for mirrors.

Conditions come validated from the configuration; numbers are written by `repr`, words in quotes
after a check of their characters. The changes that SkyServer makes to queries (a second SELECT is
disabled, TOP 500000 is inserted if missing, comments are stripped) don't affect these:
https://github.com/sciserver/sqlloader, spExecuteSQL.

ADQL 2.0 has fewer features than SkyServer's SQL, and mirrors compare differently. To get the same
rows there:

* bits are tested by remainders, since ADQL has no bitwise operators;
* words are searched as given, in upper and in lower case, since mirrors are case-sensitive;
* literals compared with 32-bit floats are rounded to 32 bits, since PostgreSQL, which mirrors use,
  compares both as 64-bit floats.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote_plus

import numpy as np

from sdssflow.acquire.download.errors import DownloadError
from sdssflow.acquire.download.keys import HASH_PRIME, KEYS
from sdssflow.acquire.download.plan import EVERYTHING, Range
from sdssflow.configuration.declared import known_columns
from sdssflow.configuration.selection import DOWNLOADABLE, SELECTABLE, Condition, SdssColumn
from sdssflow.configuration.sources import SkyServerSource, TapSource

MOST_ROWS = 500_000  # SkyServer's limit; an answer with as many rows is truncated
MOST_CHARACTERS = 2000  # ASP.NET refuses encoded query strings longer than 2048
ALIAS = {"photo": "p", "spec": "s", "wise": "w", "photoz": "pz"}
# the key of WISE_xmatch is the pair, so an object may have several sources: x is the nearest if
# no y is nearer (IndexMap.sql and wiseTables of github.com/sciserver/sqlloader)
WISE = (
    " LEFT JOIN WISE_xmatch x ON x.sdss_objid=p.objID"
    " LEFT JOIN WISE_xmatch y ON y.sdss_objid=x.sdss_objid AND (y.match_dist<x.match_dist"
    " OR (y.match_dist=x.match_dist AND y.wise_cntr<x.wise_cntr))"
    " LEFT JOIN WISE_allsky w ON w.cntr=x.wise_cntr"
)
NEAREST = "y.sdss_objid IS NULL"
# objID is its primary key (IndexMap.sql), so no row is repeated
PHOTOZ = " LEFT JOIN Photoz pz ON pz.objID=p.objID"
DOUBLES = ("ra", "dec")
SIGN_BIT, BITS = 1 << 63, 64


class Queries:
    """The queries of one sample, in SQL Server's dialect.

    Attributes
    ----------
    headers : list of str
        Names of the columns in the answer to `rows`.
    other, other_prime : str, int
        Column with the second sum of remainders, after the key, and its divisor.
    third : str
        Column with the third sum, the WISE source, or ''; its divisor is that of the key.
    """

    top, number = f"TOP {MOST_ROWS} ", "COUNT_BIG(*)"
    remainders = "SUM(CAST({column}%{prime} AS bigint))"

    def __init__(self, source: SkyServerSource) -> None:
        key = KEYS[source.rows]
        self.other, other_sql, self.other_prime = key.other
        columns: list[SdssColumn] = [
            *(DOWNLOADABLE[name] for name in source.columns),
            *(SdssColumn.of(column)._replace(alias=n) for n, column in source.declared.items()),
        ]
        self.headers = [column.header for column in columns]
        self._columns = [_qualified(c) + (f" AS {c.alias}" if c.alias else "") for c in columns]
        self._key_sql, self._own_from = key.sql, key.own
        self._group_value, self._group_by = key.group_value, key.group_by
        self._divided = [(key.sql, HASH_PRIME), (other_sql, self.other_prime)]
        self.third = "wise_id" if "wise_id" in source.columns else ""
        if self.third:
            self._divided.append((_qualified(DOWNLOADABLE[self.third]), HASH_PRIME))
        tables = {SELECTABLE[c.column].table for c in source.selection}
        tables |= {column.table for column in columns}
        matched = "wise" in tables
        joined = (WISE if matched else "") + (PHOTOZ if "photoz" in tables else "")
        self._rows_from = f"{key.rows}{joined}"
        own = [c for c in source.selection if SELECTABLE[c.column].table == key.table]
        self._own = [condition_sql(condition) for condition in own]
        self._all = [condition_sql(condition) for condition in source.selection]
        if matched:
            self._all.insert(0, NEAREST)
        if source.unchecked_sql:
            self._all.append(f"({source.unchecked_sql})")

    def groups(self, within: Range) -> str:
        """Count the spectra of each plate, or the objects of each run, without a join."""
        return (
            f"SELECT {self.top}{self._group_value}, {self.number} AS n FROM {self._own_from} "
            f"WHERE {self._where(within, self._own)} "
            f"GROUP BY {self._group_by} ORDER BY {self._group_by}"
        )

    def members(self, within: Range) -> str:
        """Count all spectra or objects: the expected sum of the groups."""
        where = self._where(within, self._own)
        return f"SELECT {self.number} AS n FROM {self._own_from} WHERE {where}"

    def count(self, within: Range) -> str:
        """Query number, first and last id and the sums of the rows of a range."""
        sums = ",".join(
            f"{self.remainders.format(column=column, prime=prime)} AS h{place}"
            for place, (column, prime) in enumerate(self._divided, start=1)
        )
        key = self._key_sql
        return (
            f"SELECT {self.number} AS n,MIN({key}) AS lo,MAX({key}) AS hi,{sums} "
            f"FROM {self._rows_from} WHERE {self._where(within, self._all)}"
        )

    def rows(self, within: Range) -> str:
        """Query the rows of a range; DownloadError if the query is too long for SkyServer."""
        text = f"{self._rows(within)} ORDER BY {self._key_sql}"
        length = len(quote_plus(text))
        if length > MOST_CHARACTERS:
            raise DownloadError(
                f"the query has {length} characters, SkyServer accepts {MOST_CHARACTERS}",
                "Select fewer columns, or shorten source.selection.",
            )
        return text

    def _rows(self, within: Range) -> str:
        columns, where = ",".join(self._columns), self._where(within, self._all)
        return f"SELECT {self.top}{columns} FROM {self._rows_from} WHERE {where}"

    def _where(self, within: Range, conditions: list[str]) -> str:
        return " AND ".join([self._span(within), *conditions])

    def _span(self, within: Range) -> str:
        return f"{self._key_sql}>={within.low} AND {self._key_sql}<{within.high}"


class AdqlQueries(Queries):
    """The same in ADQL; rows are in any order, and groups count rows that meet all conditions."""

    top, number = "", "COUNT(*)"
    remainders = "SUM(MOD({column},{prime}))"

    def __init__(self, source: TapSource) -> None:
        further = known_columns(source.declared)
        self.names = [name for name in {**DOWNLOADABLE, **further} if name in source.columns]
        self.headers = self._columns = [source.columns[name] for name in self.names]
        self._signed = source.signed_key
        self._group_by = source.columns.get("plate", "")
        self._group_value = f"{self._group_by} AS plate"
        self.other = "objid" if "objid" in source.columns else source.key
        self.other_prime = HASH_PRIME
        self.third = ""
        self._key_sql = source.columns[source.key]
        self._divided = [(self._key_sql, HASH_PRIME), (source.columns[self.other], HASH_PRIME)]
        self._own_from = self._rows_from = source.table
        self._own = self._all = [condition_adql(c, source.columns) for c in source.selection]

    def rows(self, within: Range) -> str:
        """Query the rows of a range, in any order."""
        return self._rows(within)

    def _span(self, within: Range) -> str:
        return range_adql(self._key_sql, within, self._signed)


def condition_sql(condition: Condition) -> str:
    """Write one condition in the dialect of SQL Server.

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
    words = [f"'{word}'" if isinstance(word, str) else str(word) for word in condition.any_of or []]
    return _written(condition, column, words, _sql_bits, _shortest)


def _written(
    condition: Condition,
    column: str,
    words: list[str],
    bits: Callable[[str, list[int], bool], str],
    number: Callable[[float], str],
) -> str:
    """Write the parts common to both dialects; `bits` tests for any or none of the bits."""
    if condition.any_of:
        return f"{column} IN ({','.join(words)})"
    if condition.any_bit or condition.no_bit:
        chosen = [(condition.any_bit, True), (condition.no_bit, False)]
        return " AND ".join(bits(column, some, wanted) for some, wanted in chosen if some)
    low, high = (
        None if value is None else number(value) for value in (condition.minimum, condition.maximum)
    )
    if low and high:
        return f"{column} BETWEEN {low} AND {high}"
    return f"{column}>={low}" if low else f"{column}<={high}"


def _qualified(column: SdssColumn) -> str:
    return f"{ALIAS[column.table]}.{column.name}"


def _sql_bits(column: str, bits: list[int], wanted: bool) -> str:
    mask = sum(1 << bit for bit in set(bits))
    # literals beyond 32 bits are decimals, which have no &
    literal = str(mask) if mask < 1 << 31 else f"CAST({mask} AS bigint)"
    return f"({column} & {literal}){'<>' if wanted else '='}0"


def _shortest(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def range_adql(key: str, within: Range, signed: bool) -> str:
    """Write a range of a key; in a signed column, keys beyond 2^63 are negative.

    >>> range_adql("specobjid", Range(5, 9), signed=True)
    'specobjid>=5 AND specobjid<9'
    >>> range_adql("specobjid", Range((1 << 63) + 7, 1 << 64), signed=True)
    'specobjid>=-9223372036854775801 AND specobjid<0'
    >>> range_adql("specobjid", Range(5, (1 << 63) + 7), signed=True)
    '(specobjid>=5 OR specobjid<-9223372036854775801)'
    """
    low, high = within
    if within == EVERYTHING:
        return f"{key} IS NOT NULL"
    if not signed or high <= SIGN_BIT:
        upper = f"{key}<{high}" if high < SIGN_BIT or not signed else f"{key}<={high - 1}"
        return f"{key}>={low} AND {upper}"
    if low >= SIGN_BIT:
        return f"{key}>={low - (1 << BITS)} AND {key}<{high - (1 << BITS)}"
    return f"({key}>={low} OR {key}<{high - (1 << BITS)})"


def condition_adql(condition: Condition, columns: dict[str, str]) -> str:
    """Write one condition in ADQL; `columns` maps catalogue names to those of the service.

    >>> names = {"zspec": "z", "spec_class": "class", "legacy_target1": "t"}
    >>> condition_adql(Condition(column="zspec", minimum=0.5, maximum=2), names)
    'z BETWEEN 0.5 AND 2'
    >>> condition_adql(Condition(column="spec_class", any_of=["Galaxy"]), names)
    "class IN ('Galaxy','GALAXY','galaxy')"
    >>> condition_adql(Condition(column="legacy_target1", any_bit=[6]), names)
    '((MOD(t,128)>=64 OR MOD(t,128) BETWEEN -64 AND -1))'
    """
    column = columns[condition.column]
    if condition.dereddened:
        column = f"({column}-{columns[f'extinction_{condition.column[-1]}']})"
    words = [str(word) for word in condition.any_of or []]
    if any(isinstance(word, str) for word in condition.any_of or []):
        forms = [form for word in words for form in (word, word.upper(), word.lower())]
        words = [f"'{form}'" for form in dict.fromkeys(forms)]
    kind = SELECTABLE[condition.column].kind
    narrow = kind == "number" and condition.column not in DOUBLES
    return _written(condition, column, words, _adql_bits, _rounded if narrow else _shortest)


def _adql_bits(column: str, bits: list[int], wanted: bool) -> str:
    tests = []
    for bit in sorted(set(bits)):
        value = 1 << bit
        # remainders of negative numbers (two's complement) are negative
        rest = column if bit == 62 else f"MOD({column},{2 * value})"
        tests.append(f"({rest}>={value} OR {rest} BETWEEN {-value} AND -1)")
    return f"{'' if wanted else 'NOT '}({' OR '.join(tests)})"


def _rounded(value: float) -> str:
    """Write a number as the 32-bit float that SQL Server compares with a 32-bit column."""
    # but a literal with an exponent has 64 bits, and is compared as such
    wide = "e" in repr(float(value)) and not float(value).is_integer()
    return _shortest(float(value) if wide else float(np.float32(value)))
