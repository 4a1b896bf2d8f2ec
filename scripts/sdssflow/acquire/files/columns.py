"""Select the mapped columns of a binary file of any format.

This module handles what all formats share: choice of the table, repeated names, byte order, mask
columns, elements of vectors, units, and hints to other tables that have a missing column. SDSS FITS
files store the five bands of a magnitude as one column of 5-vectors, whose elements are selected by
index: ``modelMag[0]`` is u, ``modelMag[4]`` is z.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.errors import CatalogueError, unknown_column
from sdssflow.acquire.files.containers import check_declared

ELEMENT = re.compile(r"(?P<name>.+)\[(?P<index>\d+)\]")
ALL_ROWS = sys.maxsize  # block size to read a table at once
ASTROPY_ROWS = 32_768  # block size limit for astropy, which needs many times the size of a text
MASK = ".mask"  # suffix of the column to which astropy writes the mask of a column


@dataclass(frozen=True)
class FileColumns:
    """The columns of one table of a file, and how to read them."""

    names: Sequence[str]  # as in the file, with repetitions
    read: Callable[[str], Any]  # values as a NumPy, masked or Arrow array
    unit: Callable[[str], str | None] = lambda name: None  # stated unit, None or '' without one
    # columns of the other tables in the file, by their `source.table`
    others: Callable[[], Mapping[str, Sequence[str]]] = dict
    fold_case: bool = False  # whether the format treats `RA` and `ra` as the same name
    declared: Callable[[str], int] = lambda name: 0  # bytes of the values, known before reading
    stored: int = 0  # size of the file in bytes


# number of rows, and a function that reads them
Piece: TypeAlias = tuple[int, Callable[[], pa.Table]]


class Part(NamedTuple):
    """One of `of` parts of a file with equal numbers of rows."""

    number: int
    of: int

    def rows(self, total: int) -> tuple[int, int]:
        """Return its first row and the one after its last.

        >>> [Part(number, 3).rows(10) for number in range(3)]
        [(0, 3), (3, 6), (6, 10)]
        """
        return total * self.number // self.of, total * (self.number + 1) // self.of

    def slices(self, total: int, rows: int) -> Iterator[slice]:
        """Yield its rows, for a file of `total` rows, in blocks of at most `rows`."""
        first, last = self.rows(total)
        for start in range(first, last, rows):
            yield slice(start, min(start + rows, last))

    def of_pieces(
        self, pieces: Iterable[Piece], total: int | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """Yield first row and table for each piece of a file, cut to this part.

        `total` is the number of rows of the file; not needed if there is one part.
        """
        first, last = (0, ALL_ROWS) if total is None else self.rows(total)
        start = 0
        for size, made in pieces:
            low, high = max(first - start, 0), min(last - start, size)
            if low < high:
                yield start + low, made().slice(low, high - low)
            start += size
            if start >= last:
                return


class Wanted(NamedTuple):
    """A requested column, or an element of its vectors."""

    path: str
    column: str
    element: int | None = None

    @classmethod
    def of(cls, path: str, ref: str, found: FileColumns) -> Wanted:
        """Parse ``column[k]``, unless it is a column's name; refuse missing or repeated ones."""
        column, element = ref, None
        match = ELEMENT.fullmatch(ref)
        if match and ref not in found.names:
            column, element = match["name"], int(match["index"])
        if column not in found.names:
            raise unknown_column(path, column, found.names, found.others())
        fold = str.upper if found.fold_case else str
        alike = [other for other in found.names if fold(other) == fold(column)]
        if len(alike) > 1:
            case = " (FITS ignores case)" if len(set(alike)) > 1 else ""
            raise CatalogueError(
                path,
                f"the file names {' and '.join(map(repr, dict.fromkeys(alike)))} {len(alike)} "
                f"times{case}",
                "Give each column its own name.",
            )
        return cls(path, column, element)

    def to_arrow(self, values: Any) -> pa.Array:
        """Return the column as an Arrow array with one value per row.

        Parameters
        ----------
        values : pyarrow.Array, numpy.ndarray or numpy.ma.MaskedArray
            One value or one vector per row; any byte order; byte strings are decoded.

        Raises
        ------
        CatalogueError
            For vectors without `element`, `element` without vectors or beyond them, and types that
            are neither numbers nor text.
        """
        if isinstance(values, pa.DictionaryArray):
            values = values.dictionary_decode()
        if isinstance(values, pa.Array):
            kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
            self._check_vectors(any(is_kind(values.type) for is_kind in kinds))
            try:
                return values if self.element is None else pc.list_element(values, self.element)
            except pa.ArrowInvalid as error:
                raise self._no_element(" in every row") from error
        if values.ndim == 0:
            raise self.error("a single value, not one per row", "Map a column.")
        if values.dtype.kind == "O":
            return self._from_objects(values)
        if values.ndim > 2:
            raise self._not_numbers(f"arrays of {' by '.join(map(str, values.shape[1:]))}")
        self._check_vectors(values.ndim == 2)
        if self.element is not None:
            if self.element >= values.shape[1]:
                raise self._no_element(f": {self.column!r} has {values.shape[1]} elements")
            values = values[:, self.element]
        mask = np.ma.getmaskarray(values)
        data = np.asarray(np.ma.getdata(values))
        if data.dtype.kind == "S":
            try:
                return pa.array(data, mask=mask).cast(pa.string())
            except pa.ArrowInvalid as error:
                raise self._not_utf8(error) from error
        if data.dtype.kind == "U":
            return pa.array(data.tolist(), type=pa.string(), mask=mask)
        if data.dtype.kind not in "biuf":
            raise self._not_numbers(f"values of type {data.dtype.name}")
        if data.dtype.newbyteorder("=") == np.longdouble:  # not in Arrow
            data = data.astype(np.float64)
        return pa.array(np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("=")), mask=mask)

    def masked(self, values: pa.Array, mask: Any) -> pa.Array:
        """Return `values` with nulls where the column's mask is true."""
        vectors = pa.types.is_nested(mask.type) if isinstance(mask, pa.Array) else mask.ndim > 1
        name = f"{self.column}{MASK}"
        found = Wanted(self.path, name, self.element if vectors else None).to_arrow(mask)
        is_flag = pa.types.is_boolean(found.type) or (
            pa.types.is_integer(found.type)
            and pc.all(pc.is_in(found, pa.array([0, 1], found.type))).as_py() is not False
        )
        if len(found) != len(values) or found.null_count or not is_flag:
            raise self.error(
                f"{name!r} is not a mask for it: {len(found)} values of type {found.type}",
                f"Write it as one boolean per row, true where {self.column!r} has no value.",
            )
        return pc.if_else(pc.cast(found, pa.bool_()), pa.scalar(None, values.type), values)

    def _from_objects(self, values: np.ndarray) -> pa.Array:
        """Convert Python texts, or vectors of varying length, to an Arrow array."""
        mask, data = np.ma.getmaskarray(values), np.ma.getdata(values)
        if data.ndim > 1:
            self._check_vectors(True)
            raise self._not_numbers("arrays")
        rows = [value for value, masked in zip(data, mask, strict=True) if not masked]
        vectors = any(isinstance(value, np.ndarray | list | tuple) for value in rows)
        self._check_vectors(vectors)
        if vectors and self.element is not None:
            if mask.any() or any(len(value) <= self.element for value in rows):
                raise self._no_element(" in every row")
            elements = np.ma.array([value[self.element] for value in rows])
            return self._replace(element=None).to_arrow(elements)
        try:
            return pa.array(data, type=pa.string(), mask=mask)
        except pa.ArrowInvalid as error:
            raise self._not_utf8(error) from error
        except pa.ArrowTypeError as error:
            other = next(value for value in rows if not isinstance(value, bytes | str))
            raise self._not_numbers(f"values of type {type(other).__name__}") from error

    def _check_vectors(self, vectors: bool) -> None:
        if vectors and self.element is None:
            raise self.error(
                "several values per row",
                f"Select one in source.columns, for example {self.column}[0] for the first.",
            )
        if self.element is not None and not vectors:
            raise self.error(
                f"{self.column}[{self.element}] was requested, but there is one value per row",
                f"Write {self.column} in source.columns.",
            )

    def error(self, problem: str, advice: str) -> CatalogueError:
        """Return an error about the column."""
        return CatalogueError(self.path, problem, advice, column=self.column)

    def _no_element(self, where: str) -> CatalogueError:
        problem = f"{self.column}[{self.element}] does not exist{where}"
        return CatalogueError(self.path, problem, "Elements are counted from 0.")

    def _not_numbers(self, problem: str) -> CatalogueError:
        advice = "Remove the column from source.columns or convert it."
        return self.error(f"{problem} are neither numbers nor text", advice)

    def _not_utf8(self, error: Exception) -> CatalogueError:
        return self.error(f"text is not UTF-8 ({error})", "Write the column as ASCII.")


def needed_columns(path: str, columns: Mapping[str, str], found: FileColumns) -> list[str]:
    """Return the columns that `mapped_table` reads, including masks; errors as there."""
    names = [Wanted.of(path, ref, found).column for ref in columns.values()]
    masks = [f"{name}{MASK}" for name in names]
    return list(dict.fromkeys([*names, *(mask for mask in masks if mask in found.names)]))


def named_table(
    path: str, table: str | int, names: Mapping[int, Sequence[str]], fold: Callable = str
) -> int:
    """Return the number of the table selected by `source.table`, a number or name.

    `names` maps numbers to the names of each table; names are compared after `fold`.
    """
    wanted = str(table).strip()
    alike = [
        number
        for number, its in names.items()
        if wanted == str(number) or fold(wanted) in map(fold, its)
    ]
    if len(alike) == 1:
        return alike[0]
    listed = ", ".join(" ".join([str(number), *its[:1]]).rstrip() for number, its in names.items())
    if alike:
        raise CatalogueError(
            path,
            f"{len(alike)} tables are called {table!r}",
            f"Set source.table to the number of one: {listed}.",
        )
    raise CatalogueError(
        path,
        f"no table {table!r}",
        f"Set source.table to one of: {listed}; names and numbers are accepted.",
    )


def mapped_table(path: str, columns: Mapping[str, str], found: FileColumns) -> pa.Table:
    """Read the mapped columns of a table under catalogue names, in the file's types.

    `columns` maps a catalogue name to a column, or to ``column[k]`` for element k of its vectors.
    Masked values are null. The metadata of a field has the file's unit, if any, under ``unit``. A
    column that is missing, repeated, or without exactly one value per row is refused.
    """
    wanted = {name: Wanted.of(path, ref, found) for name, ref in columns.items()}
    needed = sum(map(found.declared, dict.fromkeys(its.column for its in wanted.values())))
    check_declared(path, needed, found.stored)
    arrays, fields = [], []
    for name, its in wanted.items():
        values = its.to_arrow(found.read(its.column))
        if f"{its.column}{MASK}" in found.names and not its.column.endswith(MASK):
            values = its.masked(values, found.read(f"{its.column}{MASK}"))
        unit = (found.unit(its.column) or "").strip()
        arrays.append(values)
        fields.append(pa.field(name, values.type, metadata={"unit": unit} if unit else None))
    check_lengths(
        path, {columns[name]: len(array) for name, array in zip(wanted, arrays, strict=True)}
    )
    return pa.table(arrays, schema=pa.schema(fields))


def check_lengths(path: str, lengths: Mapping[str, int]) -> None:
    """Refuse columns of different lengths; `lengths` is by their names in the file."""
    if len(set(lengths.values())) > 1:
        raise CatalogueError(
            path,
            f"columns differ in length: {dict(lengths)}",
            "Set source.table to a group whose datasets have equal lengths.",
        )
