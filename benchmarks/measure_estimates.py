"""Speed and memory of applying trained models to objects without spectra.

    PYTHONPATH=scripts python benchmarks/measure_estimates.py TABLE BUNDLE [BUNDLE]
        [--rows 100000 1000000] [--format csv] [--threads 2] [--pdf none] [--keep FOLDER]

TABLE is a Parquet file with the columns that the bundles need, under catalogue names, and metadata
(the catalogue of a simulated target: results/mockphoto/catalogue/catalogue.parquet). Its rows are
repeated, with added noise, to tables of the given sizes, each of which is one partition. One
process estimates it, and another only reads the table and writes as many bytes as the estimates
have. Prints for each size objects per second of wall and CPU time, peak memory, bytes per object,
the fraction of the time in which models compute, and the time of reading and writing alone; then
the exponent of CPU time as a function of rows, and the time for 10^9 objects.
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
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from markdown_tables import header, row
from table_formats import FORMS, convert

from sdssflow.acquire.schema import COLUMNS
from sdssflow.configuration.file_sources import FileSource
from sdssflow.configuration.targets import Target
from sdssflow.estimate.partitions import Partition
from sdssflow.tables import metadata, read_schema

BLOCK = 131_072


def make_table(template: str, rows: int, path: Path) -> None:
    """Write a table of `rows` rows, in bounded memory."""
    known = pq.read_table(template)
    draw = np.random.default_rng(rows)
    with pq.ParquetWriter(path, known.schema, compression="zstd") as writer:
        for start in range(0, rows, BLOCK):
            size = min(BLOCK, rows - start)
            block = known.take(pa.array(draw.integers(0, len(known), size)))
            for column, field in enumerate(block.schema):
                values = None
                if "_mag_" in field.name and "_err_" not in field.name:
                    values = block[field.name].to_numpy() + draw.normal(0, 0.02, size)
                elif field.name in ("row_id", "objid"):
                    values = np.arange(start, start + size) + 1
                if values is not None:
                    block = block.set_column(column, field, pa.array(values).cast(field.type))
            writer.write_table(block, row_group_size=BLOCK)


def target_of(path: str, template: str, form: str) -> Target:
    """Return the target of a table: a downloaded catalogue, or a file of the user's."""
    source: dict[str, Any] = {"kind": "skyserver"}
    if not path.endswith(".parquet"):
        schema = read_schema(template)
        names = [name for name in schema.names if name in COLUMNS and name != "row_id"]
        about = metadata(schema)
        source = {"kind": "file", "path": path, "columns": {name: name for name in names}}
        source |= {k: about[k] for k in ("magnitude_system", "extinction_applied")}
    models = [{"bundle": "-"}]
    return Target.model_validate(
        {"title": "benchmark", "source": source, "models": models, "pdf": form}
    )


def estimate(
    path: str, output: str, bundles: list[str], threads: int, form: str, template: str
) -> tuple[float, float]:
    """Estimate a table, as one job does; return its wall time, and that of the models."""
    import torch

    from sdssflow import bundle
    from sdssflow.estimate.streaming import estimate_partition

    torch.set_num_threads(1)
    target, models = target_of(path, template, form), [bundle.load(one) for one in bundles]
    columns, spent = bundle.Bundle.columns, []

    def timed(*given: Any) -> dict[str, np.ndarray]:
        started = time.perf_counter()
        made = columns(*given)  # called for one block and model after the other, in one thread
        spent.append(time.perf_counter() - started)
        return made

    bundle.Bundle.columns = timed  # type: ignore[method-assign]
    started = time.perf_counter()
    pdfs = f"{output}.hdf5" if form == "quantiles_99" else None
    estimate_partition(target, "t", Partition(path, 0, 1), models, output, pdfs, threads)
    return time.perf_counter() - started, sum(spent)


def copy(path: str, output: str, template: str) -> None:
    """Read a table and write as many bytes as another file has."""
    from sdssflow.acquire.files.readers import read_blocks

    left, rows = Path(output).stat().st_size, pq.read_metadata(output).num_rows
    source = target_of(path, template, "none").source
    if isinstance(source, FileSource):
        sizes = (len(block.table) for block in read_blocks(path, source))
    else:
        sizes = (batch.num_rows for batch in pq.ParquetFile(path).iter_batches(BLOCK))
    with Path(f"{output}.copy").open("wb") as stream:
        for size in sizes:
            stream.write(os.urandom(math.ceil(left * size / rows)))


def child(arguments: list[str]) -> None:
    """Run one of both and print its cost, without the start of Python and imports."""
    what, path, output, threads, form, template, *bundles = arguments
    partition = models = 0.0
    started, before = time.perf_counter(), time.process_time()
    if what == "estimate":
        partition, models = estimate(path, output, bundles, int(threads), form, template)
    else:
        copy(path, output, template)
    wall, cpu = time.perf_counter() - started, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = {"wall": wall, "cpu": cpu, "peak": peak, "partition": partition, "models": models}
    print(json.dumps(took))


def measured(what: str, *arguments: str) -> dict[str, float]:
    """Run a child process and return its cost."""
    command = [sys.executable, __file__, "--child", what, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
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
    parser.add_argument("--format", choices=["parquet", *FORMS], default="parquet")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pdf", default="none")
    parser.add_argument("--keep")
    asked = parser.parse_args()
    found = {}
    header("rows", "objects/s", "objects per CPU s", "peak MB", "bytes/object", "models compute",
           "reading + writing alone")  # fmt: skip
    for rows in asked.rows:
        with tempfile.TemporaryDirectory(dir=asked.keep) as place:
            made, output = Path(place, "rows.parquet"), f"{place}/estimates.parquet"
            make_table(asked.table, rows, made)
            path = f"{place}/rows.{asked.format}"
            if asked.format != "parquet":
                convert(made, Path(path), asked.format)
            more = (str(asked.threads), asked.pdf, asked.table, *asked.bundles)
            took = measured("estimate", path, output, *more)
            alone = measured("copy", path, output, *more)
            size = Path(output).stat().st_size / rows
        found[rows] = took["cpu"]
        row(
            f"{rows:,}", f"{rows / took['wall']:,.0f}", f"{rows / took['cpu']:,.0f}",
            f"{took['peak']:.0f}", f"{size:.0f}", f"{took['models'] / took['partition']:.1%}",
            f"{alone['wall'] / took['wall']:.1%} of the time",
        )  # fmt: skip
    if len(found) > 1:
        (few, first), (many, last) = min(found.items()), max(found.items())
        exponent = math.log(last / first) / math.log(many / few)
        print(f"\nCPU time grows with rows to the power {exponent:.3f}")
    rows, cpu = max(found.items())
    hours = cpu / rows * 1e9 / 3600
    print(f"10^9 objects: {hours:,.0f} CPU hours, {hours / 32:,.1f} hours on a node of 32 cores")


if __name__ == "__main__":
    main()
