"""Summary of a partition: counts, sky cells, and objects drawn for the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sdssflow.acquire.schema import CLASSES
from sdssflow.bundle import Bundle, BundleError
from sdssflow.estimate.compact import COLUMNS, PdfColumns
from sdssflow.estimate.layout import CELLS, DRAWN_LEVELS, NSIDE, Z_BINS, Z_STEP
from sdssflow.estimate.tables import as_table
from sdssflow.prepare.cuts import describe
from sdssflow.prepare.feature_columns import ALL_BANDS
from sdssflow.redshift_pdf.mixture import Mixture

UNKNOWN = 255  # code of an unknown class, bin or flag


@dataclass
class Counts:
    """Counts of the objects of a partition, block by block."""

    numbers: Counter[str] = field(default_factory=Counter)
    cuts: dict[int, dict[str, Any]] = field(default_factory=dict)
    sky: Sky = field(default_factory=lambda: Sky())
    bytes: int = 0
    pdf_bytes: int = 0
    _known: Counter[str] = field(default_factory=Counter)

    def rows(self, catalogue: pa.Table, needed: list[str]) -> None:
        """Count the rows of a block before cuts."""
        self.numbers["rows"] += catalogue.num_rows
        for name in needed:
            if name in catalogue.column_names:
                self._known[name] += catalogue.num_rows - catalogue[name].null_count

    def cut(self, number: int, cut: Any, removed: int) -> None:
        """Count the rows of a block that a cut removes."""
        known = self.cuts.setdefault(number, {"cut": describe(cut), "removed": 0})
        known["removed"] += removed

    def estimates(self, catalogue: pa.Table, columns: Mapping[str, np.ndarray]) -> None:
        """Count flags, classes and bins of a block, and its objects on the sky."""
        found: Counter[str] = Counter({"kept": catalogue.num_rows})
        missing = columns["missing_bands"]
        found["missing_any"] = int((missing > 0).sum())
        for k, band in enumerate(ALL_BANDS):
            if lacking := int((missing >> k & 1).sum()):
                found[f"missing_{band}"] = lacking
        if "class_code" in columns:
            code = columns["class_code"]
            found["classified"] = int((code != UNKNOWN).sum())
            found.update({f"class_{c}": int((code == k).sum()) for k, c in enumerate(CLASSES)})
        if "zphot" in columns:
            found["with_zphot"] = int(np.isfinite(columns["zphot"]).sum())
            found["outside_training"] = int((columns["outside_training"] == 1).sum())
        for number in np.unique(columns.get("tomographic_bin", [])):
            name = "outside_bins" if number == UNKNOWN else f"bin_{number}"
            found[name] = int((columns["tomographic_bin"] == number).sum())
        self.numbers.update(found)
        if "ra" in catalogue.column_names:
            self.sky.add(catalogue, columns)

    def finish(self) -> None:
        """Raise BundleError if a needed column has no usable value in the whole partition."""
        for name, known in self._known.items():
            if self.numbers["rows"] and not known:
                of_map = " (source.extinction_from: no position)" if "extinction" in name else ""
                raise BundleError(
                    f"column {name!r} has no usable value in any row{of_map}; map another one in "
                    "source.columns, or apply a model that does not need it"
                )

    def table(self, path: str | Path) -> None:
        """Store the size in bytes of the written table, and of its columns of p(z)."""
        about = pq.read_metadata(path)
        self.bytes = Path(path).stat().st_size
        names = {name for form in COLUMNS.values() for name in form}
        for group in range(about.num_row_groups):
            for number in range(about.num_columns):
                column = about.row_group(group).column(number)
                if column.path_in_schema.partition(".")[0] in names:
                    self.pdf_bytes += column.total_compressed_size

    def content(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        return {
            "numbers": dict(sorted(self.numbers.items())),
            "cuts": [cut for _, cut in sorted(self.cuts.items())],
            "bytes": self.bytes,
            "pdf_bytes": self.pdf_bytes,
        }


class Sky:
    """Sums over HEALPix cells (nested, `NSIDE`)."""

    def __init__(self) -> None:
        self.objects = np.zeros(CELLS, np.int64)
        self.classified = np.zeros(CELLS, np.int64)
        self.stars = np.zeros(CELLS)  # sum of their probabilities to be a star
        self.width = np.zeros(CELLS)  # sum of half the 68 % interval over 1 + zphot
        self.zphot = np.zeros((CELLS, Z_BINS), np.int32)

    def add(self, catalogue: pa.Table, columns: Mapping[str, np.ndarray]) -> None:
        """Add the objects of a block."""
        from astropy import units
        from astropy_healpix import HEALPix

        ra, dec = (catalogue[name].to_numpy() for name in ("ra", "dec"))
        known = np.isfinite(ra) & np.isfinite(dec)
        cells = HEALPix(NSIDE, order="nested").lonlat_to_healpix(
            ra[known] * units.deg, dec[known] * units.deg
        )
        self.objects += np.bincount(cells, minlength=CELLS)
        if "class_code" in columns:
            stars = columns["probability_STAR"][known]
            has = np.isfinite(stars)
            self.classified += np.bincount(cells[has], minlength=CELLS)
            self.stars += np.bincount(cells[has], stars[has], CELLS)
        if "zphot" in columns:
            zphot, low, high = (columns[n][known] for n in ("zphot", "z_low_68", "z_high_68"))
            has = np.isfinite(zphot)
            width = (high[has] - low[has]) / 2 / (1 + zphot[has])
            self.width += np.bincount(cells[has], width, CELLS)
            z_bin = np.clip(zphot[has] / Z_STEP, 0, Z_BINS - 1).astype(np.int64)
            counts = np.bincount(cells[has] * Z_BINS + z_bin, minlength=CELLS * Z_BINS)
            self.zphot += counts.reshape(CELLS, Z_BINS).astype(np.int32)

    def table(self) -> pa.Table:
        """Return the cells with objects; `zphot` are counts in bins of `Z_STEP`."""
        cells = np.flatnonzero(self.objects)
        ends = np.arange(len(cells) + 1, dtype=np.int32) * Z_BINS
        return pa.table(
            {
                "cell": cells,
                "objects": self.objects[cells],
                "classified": self.classified[cells],
                "stars": self.stars[cells],
                "width": self.width[cells],
                "zphot": pa.ListArray.from_arrays(ends, self.zphot[cells].ravel()),
            }
        )


class Drawn:
    """Objects drawn for the figures: those whose row_id have the smallest hashes.

    The draw depends on the rows, not on their division into blocks.
    """

    def __init__(self, most: int) -> None:
        self.most = max(most, 1)
        self.limit = np.uint64(2**64 - 1)
        self.bounds = (0.0, 1.0)  # of p(z)
        self._tables: list[pa.Table] = []

    def block(self, row_id: np.ndarray) -> Drawing:
        """Start the draw from a block of objects."""
        key = _hash(row_id)
        rows = np.flatnonzero(key <= self.limit)
        if len(rows) > self.most:
            rows = np.sort(rows[np.argpartition(key[rows], self.most - 1)[: self.most]])
        return Drawing(self, rows, key[rows])

    def add(self, table: pa.Table) -> None:
        """Add the drawn objects of a block."""
        self._tables.append(table)
        if sum(map(len, self._tables)) > 2 * self.most:
            self._tables = [self._chosen()]
            self.limit = np.uint64(self._tables[0]["key"][-1].as_py())

    def _chosen(self) -> pa.Table:
        return pa.concat_tables(self._tables).sort_by("key").slice(0, self.most)

    def table(self) -> pa.Table:
        """Return the drawn objects, sorted by hash, with p(z) as quantiles at `DRAWN_LEVELS`."""
        table = self._chosen()
        if "pdf_means" not in table.column_names:
            return table
        known = table.filter(pc.is_valid(table["pdf_means"]))
        found = pa.array([None] * len(table), pa.list_(pa.float32()))
        if len(known):
            parts = [known[name] for name in COLUMNS["mixture"]]
            width = len(parts[0][0])
            weights, means, scales = (
                part.combine_chunks().flatten().to_numpy().reshape(-1, width) for part in parts
            )
            pdf = Mixture(weights, means, scales, *self.bounds)
            quantiles = pdf.quantiles(DRAWN_LEVELS).astype(np.float32)
            ends = np.zeros(len(table) + 1, np.int32)
            valid = table["pdf_means"].is_valid().to_numpy()
            ends[1:] = np.cumsum(valid) * quantiles.shape[1]
            offsets = pa.array(ends, mask=np.append(~valid, False))
            found = pa.ListArray.from_arrays(offsets, pa.array(quantiles.ravel()))
        return table.drop_columns(list(COLUMNS["mixture"])).append_column("quantiles", found)


@dataclass
class Drawing:
    """The drawn objects of one block: their indices and hashes."""

    of: Drawn
    rows: np.ndarray
    key: np.ndarray
    _pdfs: PdfColumns = field(init=False)

    def __post_init__(self) -> None:
        self._pdfs = PdfColumns("mixture", len(self.rows), np.float64)

    def see(self, pdf: Mixture, rows: np.ndarray) -> None:
        """Keep the p(z) of the drawn ones among the objects at these ascending indices."""
        inside = np.isin(rows, self.rows)
        if inside.any():
            self.of.bounds = (pdf.lower, pdf.upper)
            self._pdfs.see(pdf[inside], np.searchsorted(self.rows, rows[inside]))

    def finish(
        self, catalogue: pa.Table, columns: Mapping[str, np.ndarray], bundles: Mapping[str, Bundle]
    ) -> None:
        """Add estimates, features and p(z) of the drawn objects to `Drawn`."""
        made: dict[str, Any] = {"key": pa.array(self.key, pa.uint64())}
        chosen = catalogue.take(pa.array(self.rows))
        for name in ("row_id", "objid", "ra", "dec"):
            if name in chosen.column_names:
                made[name] = chosen[name].combine_chunks()
        estimates = as_table({name: values[self.rows] for name, values in columns.items()})
        made |= {name: estimates[name].combine_chunks() for name in estimates.column_names}
        for task, bundle in bundles.items():
            measured = bundle.measured(chosen)
            made |= {f"{task}:{name}": pa.array(v) for name, v in measured.features.items()}
            made["reference_mag"] = pa.array(measured.reference_mag)
        if "zphot" in columns:
            made |= self._pdfs.columns()
        self.of.add(pa.table(made))


def _hash(row_id: np.ndarray) -> np.ndarray:
    """Return (n,) uint64 hashes: the finaliser of splitmix64 (Steele et al. 2014, OOPSLA, 453)."""
    with np.errstate(over="ignore"):
        x = row_id.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
