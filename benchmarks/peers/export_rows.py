"""Write one split as the two HDF5 files that every method of the comparison reads.

    PYTHONPATH=scripts python benchmarks/peers/export_rows.py DEVELOPMENT TEST TRAIN.hdf5 TEST.hdf5

All parts of development.parquet are the training rows: each method holds back what it wants. Both
files have

==================  ==============================================================================
``photometry/``     ``mag_u`` to ``mag_z``, ``mag_err_u`` to ``mag_err_z``, ``color_ug`` to
                    ``color_iz`` with ``color_err_ug`` to ``color_err_iz`` in mag (n,) and, of the
                    training rows only, ``zspec``: what the peers are given
``sdssflow/``       ``features`` (n, f) with attribute ``names``, ``row_id``, ``reference_mag``,
                    ``group``, ``part``: the same rows as this project's models take them
``truth/zspec``     (n,) redshifts, for scoring
==================  ==============================================================================

and the attributes ``digest`` (`sdssflow.tables.content_digest` of the rows) and ``rows``. The
magnitudes follow from the colours and r, so both groups hold the same information.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa

from sdssflow.prepare.parts import feature_names
from sdssflow.tables import content_digest, read_parquet

BANDS = "ugriz"


def magnitudes(column: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return (n,) magnitudes u to z, all in mag.

    Parameters
    ----------
    column : dict of str to (n,) array
        `model_mag_u` to `model_mag_z`, or `model_mag_r` and the colours `model_color_ug` to
        `model_color_iz`.
    """
    if "model_mag_u" in column:
        return {band: column[f"model_mag_{band}"] for band in BANDS}
    r = column["model_mag_r"]
    g = r + column["model_color_gr"]
    i = r - column["model_color_ri"]
    return {
        "u": g + column["model_color_ug"],
        "g": g,
        "r": r,
        "i": i,
        "z": i - column["model_color_iz"],
    }


def photometry(column: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return magnitudes and colours with their errors, under the names that the peers know."""
    mag = magnitudes(column)
    error = {band: column[f"model_mag_err_{band}"] for band in BANDS}
    named = {f"mag_{band}": mag[band] for band in BANDS}
    named |= {f"mag_err_{band}": error[band] for band in BANDS}
    for blue, red in pairwise(BANDS):
        named[f"color_{blue}{red}"] = mag[blue] - mag[red]
        named[f"color_err_{blue}{red}"] = np.hypot(error[blue], error[red])
    return named


def some_rows(table: pa.Table, rows: int | None) -> pa.Table:
    """Return `rows` rows of a table drawn with a fixed seed, in the table's order; all if None."""
    if rows is None or rows >= table.num_rows:
        return table
    return table.take(np.sort(np.random.default_rng(1).permutation(table.num_rows)[:rows]))


def write_rows(source: Path, path: Path, rows: int | None, with_redshift: bool) -> None:
    """Write the rows of one split table; see the module for the layout.

    Raises
    ------
    ValueError
        If the split has several folds, or a number is missing: the peers would fill it in.
    """
    table = some_rows(read_parquet(source), rows)
    names = feature_names(source)
    column = {
        name: table.column(name).cast(pa.float64()).fill_null(np.nan).to_numpy()
        for name in dict.fromkeys([*names, "zspec", "reference_mag"])
    }
    if len(table.column("fold").unique()) > 1:
        raise ValueError(f"{source}: several folds; compare on a holdout split")
    for name, values in column.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{source}: {name} is missing somewhere; cut those objects")
    with h5py.File(path, "w") as file:
        file.attrs.update(digest=content_digest(table), rows=table.num_rows)
        for name, values in photometry(column).items():
            file[f"photometry/{name}"] = values
        if with_redshift:
            file["photometry/zspec"] = column["zspec"]
        file["truth/zspec"] = column["zspec"]
        file["sdssflow/features"] = np.column_stack([column[name] for name in names])
        file["sdssflow/features"].attrs["names"] = list(names)
        file["sdssflow/reference_mag"] = column["reference_mag"].astype(np.float32)
        file["sdssflow/row_id"] = table.column("row_id").to_numpy()
        for name in ("group", "part"):
            words = table.column(name).cast(pa.string()).fill_null("").to_pylist()
            file.create_dataset(f"sdssflow/{name}", data=words, dtype=h5py.string_dtype())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("development", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("train_out", type=Path)
    parser.add_argument("test_out", type=Path)
    parser.add_argument("--rows", type=int, help="of each file (default all)")
    options = parser.parse_args()
    write_rows(options.development, options.train_out, options.rows, with_redshift=True)
    write_rows(options.test, options.test_out, options.rows, with_redshift=False)


if __name__ == "__main__":
    main()
