"""Measure time and peak memory of `import_bulk` for files of growing size.

Run as `PYTHONPATH=scripts:. .venv/bin/python benchmarks/measure_bulk.py [ROWS ...]`. Files are made
from a simulated sky, with rows as wide as those of DR17 (1.1 and 2.8 kB), each import runs in its
own process, and a table is printed. Peak memory is VmHWM of Linux, which includes pages of mapped
files.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from markdown_tables import header, row

from skyserver_standin.sky.simulation import simulate_sky
from tests.acquire.bulk.release import (
    PHOTOMETRY,
    SPECTRA,
    matched,
    photometry_columns,
    spectra_columns,
    write_table,
)

ROWS = (40_000, 160_000, 640_000)
TILE = 20_000
WIDTHS = {SPECTRA: 1155, PHOTOMETRY: 2765}  # 6.7 and 16 GB of 5.8 million rows
IMPORT = """
import sys, time
from sdssflow.acquire.bulk.importing import import_bulk
from sdssflow.configuration.sources import BulkSource

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

import astropy.io.fits
before, started = peak(), time.perf_counter()
source = BulkSource(kind="bulk", folder=sys.argv[1])
table, _ = import_bulk(source, dict.fromkeys(source.paths, ""), sys.argv[2], "measured")
print(table["rows"].iloc[-1], before, peak(), time.perf_counter() - started)
"""


def write_wide(path, columns, copies):
    """Write a table `copies` times; the lowest bits of specObjID distinguish the copies."""
    rest = WIDTHS[path.name] - fits.ColDefs(columns).dtype.itemsize
    rows = len(columns[0].array)
    columns.append(fits.Column("REST", f"{rest}B", array=np.zeros((rows, rest), np.uint8)))
    write_table(path, columns)
    with fits.open(path) as file:
        header, layout = file[1].header, file[1].columns.dtype.newbyteorder(">")
        data = np.fromfile(path, layout, rows, offset=file[1].fileinfo()["datLoc"])
    header["NAXIS2"] = rows * copies
    ids = [int(word) for word in data["SPECOBJID"]] if path.name == SPECTRA else []
    with path.open("wb") as stream:
        stream.write(fits.PrimaryHDU().header.tostring().encode())
        stream.write(header.tostring().encode())
        for copy in range(copies):
            if ids:
                data["SPECOBJID"] = [f"{number + copy:>22}".encode() for number in ids]
            stream.write(data.tobytes())


def measured(rows, folder):
    copies = max(1, rows // TILE)
    simulate_sky(folder / "sky", objects=rows // copies, seed=1)
    spec, photo = matched(folder / "sky")
    write_wide(folder / SPECTRA, spectra_columns(spec, "text"), copies)
    write_wide(folder / PHOTOMETRY, photometry_columns(photo, "text"), copies)
    size = sum((folder / name).stat().st_size for name in WIDTHS)
    command = [sys.executable, "-c", IMPORT, str(folder), str(folder / "catalogue.parquet")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return size, *map(float, printed.split())


def main():
    header("rows in the files", "GB", "rows written", "MB at start", "peak MB", "s", "MB/s")
    for rows in [int(argument) for argument in sys.argv[1:]] or ROWS:
        with tempfile.TemporaryDirectory() as folder:
            size, written, before, peak, seconds = measured(rows, Path(folder))
        row(
            f"{rows:,}", f"{size / 1e9:.2f}", f"{written:,.0f}", f"{before:.0f}", f"{peak:.0f}",
            f"{seconds:.1f}", f"{size / 1e6 / seconds:.0f}",
        )  # fmt: skip


if __name__ == "__main__":
    main()
