"""Read both bulk files in parallel: each spectrum with its photometry, as Arrow blocks.

Types are those of SkyServer's columns (a redshift is a 32-bit float), so that a selection compares
the same values as there; conversion to the catalogue's types comes later.

``specObj`` holds one row per spectrum, ``photoPosPlate`` the photometry at its position in the same
order; the bands u, g, r, i, z are elements of vectors. Column names were checked against:

* ``specObj``: published scripts that read these columns from specObj-dr13, -dr14 and -dr16
  (SPECOBJID, BESTOBJID, PLATE, MJD, FIBERID, CLASS, SUBCLASS, Z, Z_ERR, ZWARNING, SPECPRIMARY,
  SURVEY, PROGRAMNAME); the SDSS data model specObj.html, whose types are int16 for PLATE, FIBERID
  and SPECPRIMARY, int32 for MJD, float32 for Z; the field list of SPARCL for LEGACY_TARGET1 and
  BOSS_TARGET1.
* ``photoPosPlate``: the data model, by which it has the structure of photoObj and the order of
  specObj; photoObj.html (OBJID and RERUN are text, MODE int8, CLEAN int32); the printed column list
  of a photoObj file, with MODELMAG, PSFMAG, PETROMAG, their errors, EXTINCTION, PETROTHETA and
  PETROTH50. CMODELMAG and CMODELMAGERR are inferred from these names: none of the lists has them.
* Empty rows for spectra without photometry, and ids as text: notes of NOIRLab's Data Lab.

Different names in SkyServer: `type` is OBJC_TYPE, `petroRad` PETROTHETA, `petroR50` PETROTH50,
`sciencePrimary` SPECPRIMARY.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdssflow.acquire.bulk.files import Block, BulkFile
from sdssflow.acquire.errors import CatalogueError
from sdssflow.acquire.schema import BANDS, MAGNITUDES, columns_of, id_parts
from sdssflow.acquire.units import check_unit
from sdssflow.configuration.declared import SHIPPED, Declared
from sdssflow.configuration.selection import ALWAYS, SELECTABLE
from sdssflow.configuration.sources import BulkSource

BLOCK_ROWS = 16_384  # 64 MB of the files of DR17
ID_TYPES = {"objid": pa.int64(), "best_objid": pa.int64(), "specobjid": pa.uint64()}
UNIT_ADVICE = (
    "Use the original SDSS file. If the unit is wrong, correct TUNIT with astropy's fits.setval."
)
MATCHED = "Use complete files of one release, in which row k of both is the same spectrum."


class BulkColumn(NamedTuple):
    """Column `name` of specObj or photoPosPlate, or an `element` of its vectors."""

    file: Literal["spectra", "photometry"]
    name: str
    element: int | None = None


def _columns() -> dict[str, BulkColumn]:
    spectra = {
        "specobjid": "SPECOBJID", "best_objid": "BESTOBJID", "plate": "PLATE", "mjd": "MJD",
        "fiberid": "FIBERID", "spec_class": "CLASS", "spec_subclass": "SUBCLASS", "zspec": "Z",
        "zspec_err": "Z_ERR", "z_warning": "ZWARNING", "science_primary": "SPECPRIMARY",
        "survey": "SURVEY", "programname": "PROGRAMNAME", "legacy_target1": "LEGACY_TARGET1",
        "boss_target1": "BOSS_TARGET1",
    }  # fmt: skip
    photometry = {
        "objid": "OBJID", "ra": "RA", "dec": "DEC", "photo_type": "OBJC_TYPE", "clean": "CLEAN",
        "mode": "MODE", "run": "RUN", "rerun": "RERUN", "camcol": "CAMCOL", "field": "FIELD",
    }  # fmt: skip
    red = BANDS.index("r")
    found = {
        **{name: BulkColumn("spectra", column) for name, column in spectra.items()},
        **{name: BulkColumn("photometry", column) for name, column in photometry.items()},
        "petro_rad_r": BulkColumn("photometry", "PETROTHETA", red),
        "petro_r50_r": BulkColumn("photometry", "PETROTH50", red),
    }
    for element, band in enumerate(BANDS):
        for kind in MAGNITUDES:
            magnitude = f"{kind.upper()}MAG"
            found[f"{kind}_mag_{band}"] = BulkColumn("photometry", magnitude, element)
            found[f"{kind}_mag_err_{band}"] = BulkColumn("photometry", f"{magnitude}ERR", element)
        found[f"extinction_{band}"] = BulkColumn("photometry", "EXTINCTION", element)
    return found


def bulk_column(declared: Declared) -> BulkColumn:
    """Parse the `bulk` key of a declared column: NAME or NAME[k] of photoPosPlate."""
    name, _, element = (declared.bulk or "").rstrip("]").partition("[")
    return BulkColumn("photometry", name, int(element) if element else None)


BULK_COLUMNS: dict[str, BulkColumn] = _columns() | {
    name: bulk_column(column) for name, column in SHIPPED.items() if column.bulk
}
"""Every column that a sample can have or select on, and `best_objid`, which links the files."""


class Pairs:
    """The spectra of a release, each with the photometry of the same row.

    `names` are the keys of `BULK_COLUMNS` to read, besides those that link the files. A
    `CatalogueError` is raised for a file that is missing, truncated or lacks a column, and for
    files with different numbers of rows.
    """

    def __init__(self, source: BulkSource, paths: Sequence[str], names: Iterable[str]) -> None:
        self.names = [*dict.fromkeys(["best_objid", *ALWAYS, *names])]
        declared = {name: bulk_column(column) for name, column in source.declared.items()}
        self.columns = BULK_COLUMNS | declared
        self.spectra = BulkFile(paths[0], self._needed("spectra"))
        self.photometry = BulkFile(paths[1], self._needed("photometry"))
        if self.spectra.rows != self.photometry.rows:
            raise CatalogueError(
                self.photometry.path,
                f"the file has {self.photometry.rows:,} rows, {self.spectra.path} has "
                f"{self.spectra.rows:,}",
                MATCHED,
            )

        known = columns_of(source.declared)
        for name in self.names:
            column = self.columns[name]
            file = self.spectra if column.file == "spectra" else self.photometry
            stated = file.units[column.name]
            check_unit(file.path, column.name, name, known.get(name), stated, UNIT_ADVICE)

    def _needed(self, file: str) -> dict[str, set[int | None]]:
        needed: dict[str, set[int | None]] = {}
        for name in self.names:
            column = self.columns[name]
            if column.file == file:
                needed.setdefault(column.name, set()).add(column.element)
        return needed

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[pa.Table]:
        """Yield the rows with photometry of each block of the files.

        Spectra without `best_objid` are left out, as in SkyServer's join. Files that don't match,
        and ids that contradict plate and fibre, are a `CatalogueError`.
        """
        done = 0
        both = zip(self.spectra.blocks(rows), self.photometry.blocks(rows), strict=True)
        for spectra, photometry in both:
            table = pa.table(
                {name: self._column(spectra, photometry, name, done) for name in self.names}
            )
            self._check_match(table, done)
            self._check_spectra(table, done)
            done += rows
            found = table.filter(table["best_objid"].is_valid())
            yield found.drop_columns("best_objid")

    def _column(self, spectra: Block, photometry: Block, name: str, first: int) -> pa.Array:
        column = self.columns[name]
        in_spectra = column.file == "spectra"
        file, block = (self.spectra, spectra) if in_spectra else (self.photometry, photometry)
        found = block[column.name, column.element]
        if name in ID_TYPES:
            ids = file.ids(column.name, found, ID_TYPES[name], first)
            if name == "specobjid" and ids.null_count:
                row = first + pc.index(ids.is_null(), True).as_py()
                raise file.error(column.name, "a spectrum has no id", MATCHED, row)
            return ids
        kind = SELECTABLE[name].kind if name in SELECTABLE else "number"
        if kind == "text":
            return file.text(column.name, found)
        # RERUN is text, empty where there is no photometry
        return found if kind == "number" else file.whole(column.name, found, pa.int64(), first)

    def _check_match(self, table: pa.Table, first: int) -> None:
        """Refuse rows whose spectrum and photometry have different object ids."""
        named, there = table["best_objid"], table["objid"]
        same = pc.equal(named, there).fill_null(False)
        other = pc.and_(named.is_valid(), pc.invert(same)).to_numpy()
        if other.any():
            row = int(np.argmax(other))
            raise self.photometry.error(
                "OBJID",
                f"in rows {first} to {first + len(other) - 1}, {other.sum():,} of "
                f"{len(other) - named.null_count:,} spectra belong to another object: OBJID here "
                f"is {there[row].as_py()}, BESTOBJID of {self.spectra.path} "
                f"{named[row].as_py()}",
                MATCHED,
                first + row,
            )

    def _check_spectra(self, table: pa.Table, first: int) -> None:
        """Refuse ids that contradict plate or fibre."""
        ids = table["specobjid"].to_numpy()
        for name, mine in id_parts("specobjid", ids).items():
            wrong = table[name].to_numpy() != mine
            if wrong.any():
                row = int(np.argmax(wrong))
                raise self.spectra.error(
                    BULK_COLUMNS[name].name,
                    f"SPECOBJID {ids[row]} encodes {int(mine[row])}, the column has "
                    f"{table[name][row].as_py()}",
                    "Use the specObj file of SDSS DR8 to DR17.",
                    first + row,
                )
