"""Files of redshift densities that the `qp` package reads as an ensemble of quantiles.

The layout is that of qp 1.1 (Malz et al. 2018, AJ 156, 35), `qp.quant`: datasets `data/locs` (n, q)
and, with one row each, `meta/quants` (1, q), `meta/pdf_name`, `meta/pdf_version`,
`meta/pdf_constructor_name` and `meta/ensure_extent`; `ancil/NAME`, one value per object. The levels
begin with 0 and end with 1, at the ends of the range: without them qp would extrapolate the cdf
linearly beyond the range. qp's own Gaussian mixtures can't be truncated, so they would have
probability below 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from sdssflow.files import replacing

if TYPE_CHECKING:  # reading does not need numba
    from sdssflow.redshift_pdf.mixture import Mixture

# Additional levels below the first and, mirrored, above the last of the evenly spaced ones.
TAIL_LEVELS = (1e-5, 1e-4, 1e-3, 3e-3)
CHUNK_ROWS = 1024
METADATA = {
    "pdf_name": np.array([b"quant"]),
    "pdf_version": np.array([0]),
    "pdf_constructor_name": np.array([b"piecewise_linear"]),
    "ensure_extent": np.array([True]),
}


@dataclass(frozen=True)
class Quantiles:
    """Redshifts where the cdf of n objects reaches q levels; between them it is linear.

    Attributes
    ----------
    levels : (q,) float64 array
        Ascending, from 0 to 1.
    redshifts : (n, q) array
        Ascending along rows; the first and the last are the ends of the range.
    """

    levels: np.ndarray
    redshifts: np.ndarray

    def __len__(self) -> int:
        return len(self.redshifts)

    def cdf(self, z: np.ndarray) -> np.ndarray:
        """Return the (n, m) cdf at (m,) redshifts: 0 below the first quantile, 1 above the last."""
        z = np.asarray(z, dtype=np.float64)
        result = np.empty((len(self), len(z)))
        for row, redshifts in zip(result, self.redshifts, strict=True):
            row[:] = np.interp(z, redshifts, self.levels, left=0.0, right=1.0)
        return result

    def bin_densities(self, edges: np.ndarray) -> np.ndarray:
        """Return the (n, b) mean densities in the bins of (b + 1,) ascending edges."""
        return np.diff(self.cdf(edges), axis=1) / np.diff(edges)


def file_levels(levels: int) -> np.ndarray:
    """Return the levels of a file: evenly spaced ones, those of the tails, and 0 and 1.

    >>> file_levels(3).tolist()[:6]
    [0.0, 1e-05, 0.0001, 0.001, 0.003, 0.25]
    """
    even = np.arange(1, levels + 1) / (levels + 1)
    tail = np.array([level for level in TAIL_LEVELS if level < even[0]])
    return np.concatenate([[0.0], tail, even, 1 - tail[::-1], [1.0]])


@contextmanager
def pdf_writer(path: str | Path, levels: int) -> Iterator[_Writer]:
    """Yield a function that writes a block of densities as quantiles.

    Its arguments are a Mixture and a dict of arrays with one number per object, whose names and
    types must be the same in every block, otherwise it raises a ValueError. `levels` is the number
    of evenly spaced levels (`file_levels`). The file is written atomically, and its bytes depend
    only on its content.
    """
    # `replacing` has its own lock on the temporary file
    with replacing(path) as temporary, h5py.File(temporary, "w", locking=False) as file:
        writer = _Writer(file, file_levels(levels))
        yield writer
        writer.finish()


class _Writer:
    """Appends blocks to an open file."""

    def __init__(self, file: h5py.File, levels: np.ndarray):
        self.file, self.levels, self.rows = file, levels, 0
        self.types: dict[str, np.dtype] | None = None
        for name in ("ancil", "data", "meta"):
            file.create_group(name)

    def __call__(self, pdf: Mixture, ancil: dict[str, np.ndarray]) -> None:
        arrays = {name: np.asarray(ancil[name]) for name in sorted(ancil)}
        types = {name: values.dtype for name, values in arrays.items()}
        if self.types is not None and types != self.types:  # HDF5 would convert them unasked
            raise ValueError(f"a block has the ancillary arrays {types}, the first {self.types}")
        for name, values in arrays.items():
            if values.shape != (len(pdf),) or values.dtype.kind not in "iufb":
                raise ValueError(
                    f"ancillary array {name!r} of {values.dtype}, {values.shape}: must be "
                    f"({len(pdf)},) numbers, one per object"
                )
        redshifts = pdf.quantiles(self.levels).astype(np.float32)
        datasets = {f"ancil/{name}": values for name, values in arrays.items()}
        self._append({"data/locs": redshifts, **datasets}, first=self.types is None)
        self.types = types

    def _append(self, arrays: dict[str, np.ndarray], first: bool) -> None:
        """Append a block to each dataset; the first block creates them."""
        n = len(arrays["data/locs"])
        for name, values in arrays.items():
            if first:
                self.file.create_dataset(
                    name,
                    shape=(0, *values.shape[1:]),
                    maxshape=(None, *values.shape[1:]),
                    chunks=(CHUNK_ROWS, *values.shape[1:]),
                    dtype=values.dtype,
                    track_times=False,
                )
            self.file[name].resize(self.rows + n, axis=0)
            self.file[name][self.rows :] = values
        self.rows += n

    def finish(self) -> None:
        """Write the metadata."""
        if self.types is None:
            raise ValueError("no block of densities was written")
        for name, value in {**METADATA, "quants": self.levels[None]}.items():
            self.file.create_dataset(f"meta/{name}", data=value, track_times=False)


def read_pdfs(path: str | Path) -> tuple[Quantiles, dict[str, np.ndarray]]:
    """Read quantiles and ancillary arrays that `pdf_writer` wrote; ValueError for another file."""
    try:
        with h5py.File(path, "r") as file:
            levels = file["meta/quants"][0].astype(np.float64)
            redshifts = file["data/locs"][:]
            ancil = {name: values[:] for name, values in file["ancil"].items()}
    except FileNotFoundError:
        raise
    except (OSError, KeyError) as error:
        raise ValueError(
            f"{path}: not a file of redshift densities ({error}); delete it and run again"
        ) from error
    return Quantiles(levels, redshifts), ancil
