"""How fast trained models are applied to objects without spectra, and in how much memory.

    PYTHONPATH=scripts python benchmarks/measure_estimates.py TABLE BUNDLE [BUNDLE]
        [--rows 100000 1000000] [--threads 2] [--pdf none] [--keep FOLDER]

TABLE is a Parquet file with what the bundles need, under catalogue names, and its metadata (the
catalogue of a simulated target: results/mockphoto/catalogue/catalogue.parquet). Its rows are
repeated, each with noise of its own, to tables of so many rows, of which each is one partition;
each is estimated by a process of its own, and another one only reads the table and writes as many
bytes as the estimates have. Prints for each number of rows objects per second of wall and of CPU,
peak memory and bytes per object; then the exponent of CPU time in rows and what 10^9 objects would
take.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BLOCK = 131_072
CHILDREN = ("estimate", "copy")


def make_table(template: str, rows: int, path: Path) -> None:
    """Write a table of so many rows, in bounded memory."""
    known = pq.read_table(template)
    draw = np.random.default_rng(rows)
    with pq.ParquetWriter(path, known.schema, compression="zstd") as writer:
        for start in range(0, rows, BLOCK):
            size = min(BLOCK, rows - start)
            block = known.take(pa.array(draw.integers(0, len(known), size)))
            for place, field in enumerate(block.schema):
                values = None
                if "_mag_" in field.name and "_err_" not in field.name:
                    values = block[field.name].to_numpy() + draw.normal(0, 0.02, size)
                elif field.name in ("row_id", "objid"):
                    values = np.arange(start, start + size) + 1
                if values is not None:
                    block = block.set_column(place, field, pa.array(values).cast(field.type))
            writer.write_table(block, row_group_size=BLOCK)


def estimate(path: str, output: str, bundles: list[str], threads: int, form: str) -> None:
    """Estimate a table; the work of one job."""
    import torch

    from sdssflow import bundle
    from sdssflow.configuration.sources import SkyServerSource
    from sdssflow.configuration.targets import AppliedModel, Target
    from sdssflow.estimate.partitions import Partition
    from sdssflow.estimate.streaming import estimate_partition

    torch.set_num_threads(1)
    target = Target(
        title="benchmark",
        source=SkyServerSource(kind="skyserver"),
        models=[AppliedModel(bundle="-")],
        pdf=form,
    )
    models = [bundle.load(one) for one in bundles]
    pdfs = f"{output}.hdf5" if form == "quantiles_99" else None
    estimate_partition(target, "t", Partition(path, 0, 1), models, output, pdfs, threads)


def copy(path: str, output: str) -> None:
    """Read a table and write as many bytes as another file has."""
    left = Path(output).stat().st_size
    with pq.ParquetFile(path) as file, Path(f"{output}.copy").open("wb") as stream:
        for batch in file.iter_batches(BLOCK):
            share = min(left, math.ceil(left * batch.num_rows / file.metadata.num_rows))
            stream.write(os.urandom(share))


def child(arguments: list[str]) -> None:
    """Run one of both and print what it took, without the start of Python and its imports."""
    what, path, output, threads, form, *bundles = arguments
    started, before = time.perf_counter(), time.process_time()
    if what == "estimate":
        estimate(path, output, bundles, int(threads), form)
    else:
        copy(path, output)
    wall, cpu = time.perf_counter() - started, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak}))


def measured(what: str, *arguments: str) -> dict[str, float]:
    """Run a child process and return what it took."""
    command = [sys.executable, __file__, "--child", what, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("bundles", nargs="+")
    parser.add_argument("--rows", nargs="+", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pdf", default="none")
    parser.add_argument("--keep")
    asked = parser.parse_args()
    found = {}
    print("| rows | objects/s | objects per CPU s | peak MB | bytes/object | reading + writing |")
    print("|---|---|---|---|---|---|")
    for rows in asked.rows:
        with tempfile.TemporaryDirectory(dir=asked.keep) as place:
            path, output = f"{place}/rows.parquet", f"{place}/estimates.parquet"
            make_table(asked.table, rows, Path(path))
            more = (str(asked.threads), asked.pdf, *asked.bundles)
            took = measured("estimate", path, output, *more)
            alone = measured("copy", path, output, *more)
            size = Path(output).stat().st_size / rows
        found[rows] = took["cpu"]
        print(
            f"| {rows:,} | {rows / took['wall']:,.0f} | {rows / took['cpu']:,.0f} "
            f"| {took['peak']:.0f} | {size:.0f} | {alone['wall'] / took['wall']:.1%} of the time |",
            flush=True,
        )
    if len(found) > 1:
        (few, first), (many, last) = min(found.items()), max(found.items())
        exponent = math.log(last / first) / math.log(many / few)
        print(f"\nCPU time grows with rows to the power {exponent:.3f}")
    rows, cpu = max(found.items())
    hours = cpu / rows * 1e9 / 3600
    print(f"10^9 objects: {hours:,.0f} CPU hours, {hours / 32:,.1f} hours on a node of 32 cores")


if __name__ == "__main__":
    main()
