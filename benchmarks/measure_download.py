"""Time the download of simulated rows relative to plain curl, and the memory of its jobs.

    PYTHONPATH=scripts python benchmarks/measure_download.py --rows 1000000 4000000

For each number of rows: a simulated sky and the stand-in for SkyServer, in its own process; plain
`curl` fetching the rows to /dev/null, one answer at a time and then two; then the three steps of
the workflow (plan, chunks, catalogue), each job a process, with its peak memory. Prints a table of
ratios; all are served by the same process in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote_plus

import numpy as np
import requests
from markdown_tables import row

from sdssflow.acquire.download.chunks import loopback
from sdssflow.acquire.download.client_skyserver import SkyServerLanguage, check_bytes, parse
from sdssflow.acquire.download.keys import PLATES
from sdssflow.acquire.download.plan import Plan, Range, split_groups
from sdssflow.acquire.download.sql import Queries
from sdssflow.acquire.download.store import sha256
from sdssflow.acquire.schema import COLUMNS, PLATE_SHIFT
from sdssflow.configuration.sources import SkyServerSource
from skyserver_standin.sky.simulation import simulate_sky

ROOT = Path(__file__).parents[1]
ROWS_PER_CHUNK = 500_000
STEP = """
import json, sys
from types import SimpleNamespace
sys.path.insert(0, "scripts")
import {script}
job = json.loads(sys.argv[1])
{script}.main(SimpleNamespace(**{{key: SimpleNamespace(**job[key])
              for key in ("input", "output", "params", "resources")}}))
# not ru_maxrss, which starts from the parent's
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def step(script: str, **job: dict) -> tuple[float, float]:
    """Run a script as a job; return its seconds and its peak memory in MB."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", STEP.format(script=script), json.dumps(job)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - started, int(done.stdout.split()[-1]) / 1024


def fetch(url: str, sql: str) -> int:
    """Fetch an answer with curl to /dev/null; return its bytes."""
    address = f"{url}/dr17/en/tools/search/x_results.aspx?cmd={quote_plus(sql)}&format=csv"
    command = ["curl", "--silent", "--fail", "--output", os.devnull, "--write-out"]
    done = subprocess.run([*command, "%{size_download}", address], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"curl: {done.returncode}")
    return int(done.stdout)


def pieces(plan: Plan, rows_per_query: int) -> list[Range]:
    """Return ranges of about as many rows as the jobs query at once."""
    number = -(-plan.rows // rows_per_query)
    low, high = PLATES.keys(1, 16383)
    plate = np.arange(low >> PLATE_SHIFT, high >> PLATE_SHIFT)
    return [part for part in split_groups(plate, np.ones(len(plate)), number) if not part.empty]


def seconds(work: Callable[[], object]) -> float:
    """Return the median of five timings."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def verification(url: str, source: SkyServerSource, part: Range) -> dict[str, float]:
    """Time the verification of one answer, and what is needed anyway: the answer and its table."""
    language = SkyServerLanguage(source)
    names = language.names
    types = {h: COLUMNS[n].type for h, n in zip(language.queries.headers, names, strict=True)}
    address = f"{url}/dr17/en/tools/search/x_results.aspx"
    body = requests.get(address, {"cmd": language.queries.rows(part), "format": "csv"}).content
    table = parse(body, types).rename_columns(names)

    def prove() -> None:
        check_bytes(body, list(types))
        language.check_keys(table, part)
        language.check_positions(table)
        language.tally(table)
        sha256(body)

    counted = [language.queries.count(part), language.queries.groups(part)]
    answer_s = seconds(lambda: fetch(url, language.queries.rows(part)))
    parse_s = seconds(lambda: parse(body, types))
    checks_s = seconds(prove)
    counts_s = seconds(
        lambda: [fetch(url, sql) for sql in [*counted, language.queries.members(part)]]
    )
    return {
        "one answer: rows": table.num_rows,
        "one answer: to get it, ms": 1000 * answer_s,
        "one answer: to parse it, ms": 1000 * parse_s,
        "one answer: checks of its content, ms": 1000 * checks_s,
        "one answer: counts of the server, ms": 1000 * counts_s,
        "one answer: overhead of verification, %": 100
        * (checks_s + counts_s)
        / (answer_s + parse_s),
    }


def measure(rows: int, at_once: int, folder: Path) -> dict[str, float]:
    """Measure one number of rows."""
    simulate_sky(folder / "sky", objects=int(rows * 1.02), seed=1)
    with loopback(folder / "sky") as url:
        source = SkyServerSource(
            kind="skyserver", server=url, chunks=-(-rows // ROWS_PER_CHUNK), rows_per_query=100_000
        )
        network = json.dumps({"store": str(folder / "store"), "pause_s": 0.0})
        asked = {"params": {"source": source.question()}, "resources": {"network": network}}
        plan_s, plan_mb = step(
            "plan_chunks", **asked, input={"sky": []}, output={"plan": f"{folder}/plan.json"}
        )
        plan = Plan.read(folder / "plan.json")
        queries = Queries(source)
        answers = [queries.rows(part) for part in pieces(plan, source.rows_per_query)]
        started = time.perf_counter()
        size = sum(fetch(url, sql) for sql in answers)
        curl_s = time.perf_counter() - started
        started = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda sql: fetch(url, sql), answers))
        curls_s = time.perf_counter() - started
        proof = verification(url, source, pieces(plan, source.rows_per_query)[0])
        paths = [f"{folder}/{chunk}.parquet" for chunk in range(source.chunks)]

        def chunk_job(chunk: int) -> tuple[float, float]:
            job = {**asked, "params": {**asked["params"], "chunk": chunk}}
            inputs = {"plan": f"{folder}/plan.json", "sky": []}
            return step("download_chunk", **job, input=inputs, output={"chunk": paths[chunk]})

        started = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            jobs = list(pool.map(chunk_job, range(source.chunks)))
        download_s = time.perf_counter() - started
    outputs = {
        name: f"{folder}/{name}.{suffix}"
        for name, suffix in (("catalogue", "parquet"), ("defects", "csv"), ("completeness", "csv"))
    }
    assemble_s, assemble_mb = step(
        "assemble_catalogue",
        input={"plan": f"{folder}/plan.json", "chunks": paths},
        output=outputs,
        params={"sample": "far", "simulated": True},
        resources={},
    )
    disk = sum(path.stat().st_size for path in (folder / "store").iterdir())
    made = sum(Path(path).stat().st_size for path in [*paths, outputs["catalogue"]])
    total_s = plan_s + download_s + assemble_s
    return {
        "rows": plan.rows,
        "answers, MB": size / 1e6,
        "curl, one at a time, s": curl_s,
        f"curl, {at_once} at a time, s": curls_s,
        "plan, s": plan_s,
        "chunks, s": download_s,
        "assemble, s": assemble_s,
        "speed of the chunks against plain curl": curl_s / download_s,
        "speed of everything against plain curl": curl_s / total_s,
        f"speed of everything against {at_once} curls": curls_s / total_s,
        "peak of plan, MB": plan_mb,
        "peak of a chunk, MB": max(mb for _, mb in jobs),
        "peak of assemble, MB": assemble_mb,
        "bytes of an answer per row": size / plan.rows,
        "bytes on disk per row": (disk + made) / plan.rows,
        **proof,
    }


def main() -> None:
    """Print one column per number of rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--at-once", type=int, default=2, help="downloads at a time (default 2)")
    options = parser.parse_args()
    columns = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            columns.append(measure(rows, options.at_once, Path(name)))
    for key in columns[0]:
        values = [column[key] for column in columns]
        row(key, *(f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}" for value in values))


if __name__ == "__main__":
    main()
