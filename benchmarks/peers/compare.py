"""Compare this project's p(z) with the estimators of DESC RAIL on one split, side by side.

    PYTHONPATH=scripts python benchmarks/peers/compare.py --venv DIR [--only NAMES] [--rows N]

Run after the split exists (`snakemake results/mgs/split/published/1/test.parquet`). DIR is an
environment of the peers' own, made with pip from requirements.txt unless it is there. Methods run
one after another, each as a whole process, nothing else beside them; with `--repeat` all of them
in turn again, and times are medians. Prints one Markdown table; a method that fails says why in
its row. README.md says what is in it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SPLIT = ROOT / "results" / "mgs" / "split" / "published" / "1"
OURS = "ours"
METHODS = (OURS, "flexzboost", "gpz", "dnf", "knn", "tpz")
SCORES = {
    "NMAD": ("sigma_nmad", ".5f"),
    "rms": ("rms", ".5f"),
    "R2": ("r2", ".4f"),
    "bias": ("bias", "+.5f"),
    "CRPS": ("crps", ".5f"),
    "CDE loss": ("cde_loss", ".2f"),
    "PIT KS": ("pit_ks", ".4f"),
    "cov 68": ("cov_68", ".3f"),
    "cov 95": ("cov_95", ".3f"),
}
TIMES = {
    "fit s": ("fit_s", ".2f"),
    "predict s": ("predict_s", ".2f"),
    "whole process s": ("wall_s", ".2f"),
    "peak MB": ("peak_mb", ".0f"),
}
SAMPLING_S = 0.1
OURS_FIRST = "import run_ours"
PEERS_FIRST = """
import importlib, flexcode, sklearn.neighbors, sklearn.tree, xgboost
for name in ("flexzboost", "gpz", "dnf", "k_nearneigh", "tpz_lite"):
    importlib.import_module("rail.estimation.algos." + name)
"""


class Failed(Exception):
    """A process ended with an error; the message is the last line of what it said."""


def status_kb(path: Path, key: str) -> int:
    """Return a number of kB from a file of /proc; 0 if there is none, or no process any more."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)


def tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    children: list[str] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text().split()
    return [pid, *(found for child in children for found in tree(int(child)))]


def memory_kb(pid: int) -> int:
    """Return what a process and its descendants hold now or, if more, the process' own peak.

    Of the tree the proportional set sizes are added: a page that k processes share counts 1/k in
    each. The own peak of the process catches what was held between two samples; not the one that
    `wait` tells, which begins with that of the program that starts it.
    """
    held = sum(status_kb(Path(f"/proc/{one}/smaps_rollup"), "Pss:") for one in tree(pid))
    return max(held, status_kb(Path(f"/proc/{pid}/status"), "VmHWM:"))


def run_measured(command: list[Any], folder: Path) -> dict[str, float]:
    """Run one whole process; return its wall seconds and the peak memory of all it started.

    Raises
    ------
    Failed
        If the process ends with an error.
    """
    said = folder / "said.txt"
    peak, ended = [0], threading.Event()
    with said.open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output)

        def sample() -> None:
            while not ended.wait(SAMPLING_S):
                peak[0] = max(peak[0], memory_kb(process.pid))

        sampler = threading.Thread(target=sample)
        sampler.start()
        process.wait()
        wall_s = time.perf_counter() - started
        ended.set()
        sampler.join()
    if process.returncode:
        lines = said.read_text(errors="replace").strip().splitlines() or ["said nothing"]
        raise Failed(f"exit {process.returncode}: {lines[-1]}")
    return {"wall_s": wall_s, "peak_mb": peak[0] / 1024}


def run_quietly(command: list[Any], **how: Any) -> str:
    """Run a process that isn't measured; return what it printed, or raise Failed."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **how)
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    return done.stdout


def make_environment(folder: Path) -> Path:
    """Return the Python of the peers' environment; make it with pip unless it is there."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = [python, "-m", "pip", "install", "--requirement", HERE / "requirements.txt"]
        subprocess.run(list(map(str, pip)), check=True, stdout=sys.stderr)
    return python


def run_method(
    name: str, python: Path, rows: tuple[Path, Path], highest: float, folder: Path
) -> dict[str, Any]:
    """Run one method once: train, predict, bring onto the grid, score."""
    train, test = rows
    out, density = folder / "out.hdf5", folder / "density.hdf5"
    for old in folder.glob("*.hdf5"):
        old.unlink()
    if name == OURS:
        measured = run_measured([sys.executable, HERE / "run_ours.py", train, test, out], folder)
        run_quietly([sys.executable, HERE / "grid_ours.py", out, density, highest])
    else:
        peer = [python, HERE / "run_peer.py", name, train, test, out, "--highest", highest]
        measured = run_measured(peer, folder)
        run_quietly([python, HERE / "grid_peer.py", out, density, highest])
    told = out.with_suffix(".json")
    scores = run_quietly([sys.executable, HERE / "score_grid.py", density, test])
    return measured | json.loads(told.read_text()) | json.loads(scores)


def run_all(
    names: list[str],
    python: Path,
    rows: tuple[Path, Path],
    highest: float,
    repeat: int,
    folder: Path,
) -> dict[str, dict[str, Any] | str]:
    """Run all methods in turn, `repeat` times; return results, or why there is none, by name."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    failures: dict[str, str] = {}
    for _ in range(repeat):
        for name in names:
            if name in failures:
                continue
            print(f"{name} ...", end=" ", flush=True, file=sys.stderr)
            try:
                runs[name].append(run_method(name, python, rows, highest, folder))
                print(f"{runs[name][-1]['wall_s']:.1f} s", file=sys.stderr)
            except Failed as failed:
                failures[name] = str(failed)
                print(failed, file=sys.stderr)
    results: dict[str, dict[str, Any] | str] = dict(failures)
    for name in names:
        if name not in failures:
            medians = {
                key: statistics.median(run[key] for run in runs[name]) for key, _ in TIMES.values()
            }
            results[name] = runs[name][0] | medians
    return results


def table(names: list[str], results: dict[str, dict[str, Any] | str]) -> list[str]:
    """Return the lines of the Markdown table."""
    ours = results.get(OURS)
    titles = ["method", "point", *SCORES, *TIMES, "whole process / ours"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name in names:
        result = results[name]
        if isinstance(result, str):
            lines.append(f"| {name} | failed: {result.replace('|', '/')} |" + " |" * 14)
            continue
        cells = [name, result["point"]]
        cells += [format(result[key], style) for key, style in [*SCORES.values(), *TIMES.values()]]
        known = isinstance(ours, dict)
        cells.append(f"{result['wall_s'] / ours['wall_s']:.2f}" if known else "")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def header(
    rows: dict[str, dict[str, Any]], results: dict[str, Any], repeat: int, before: float
) -> list[str]:
    """Return what the table was made of: rows, digests, machine, versions, command."""
    told_of = [result for result in results.values() if isinstance(result, dict)]
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    return [
        *(f"- {name}: {told['rows']} rows, digest {told['digest']}" for name, told in rows.items()),
        f"- {len(os.sched_getaffinity(0))} CPUs, OMP_NUM_THREADS {threads}, {repeat} run(s) each; "
        f"load of the machine before {before:.1f}, after {os.getloadavg()[0]:.1f}",
        f"- Python {platform.python_version()}, {versions_of(told_of)}",
        f"- `python {shlex.join(sys.argv)}`",
        *(
            f"- {name}: {result['without_density']} objects without any density, taken as uniform"
            for name, result in results.items()
            if isinstance(result, dict) and result["without_density"]
        ),
        "",
    ]


def versions_of(notes: Iterable[dict[str, Any]]) -> str:
    """Return the versions of packages that processes told."""
    versions = {name: version for told in notes for name, version in told["versions"].items()}
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def describe(path: Path) -> dict[str, Any]:
    """Return rows and digest of a file of `export_rows.py`."""
    import h5py  # after the runs: what a child inherits of this process should stay small

    with h5py.File(path) as file:
        return {"rows": int(file.attrs["rows"]), "digest": file.attrs["digest"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", type=Path, required=True, help="the peers' environment")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--rows", type=int, help="of each file, for a quick run (default all)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each method (default 1)")
    parser.add_argument("--highest", type=float, default=0.4, help="end of the grid of redshifts")
    parser.add_argument("--split", type=Path, default=SPLIT, help="folder of the split")
    options = parser.parse_args()
    python = make_environment(options.venv.absolute())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows").mkdir()
        rows = folder / "rows" / "train.hdf5", folder / "rows" / "test.hdf5"
        split = [options.split / f"{part}.parquet" for part in ("development", "test")]
        number = ["--rows", options.rows] if options.rows else []
        run_quietly([sys.executable, HERE / "export_rows.py", *split, *rows, *number])
        # so that no method pays for reading packages from the disk
        run_quietly(
            [sys.executable, "-c", f"import sys; sys.path.append({str(HERE)!r}); {OURS_FIRST}"]
        )
        run_quietly([python, "-c", PEERS_FIRST])
        before = os.getloadavg()[0]
        results = run_all(options.only, python, rows, options.highest, options.repeat, folder)
        told = {path.stem: describe(path) for path in rows}
    lines = header(told, results, options.repeat, before)
    print("\n".join([*lines, *table(options.only, results)]))


if __name__ == "__main__":
    main()
