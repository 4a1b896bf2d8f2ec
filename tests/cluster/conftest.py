"""One SLURM for all tests here, and three runs that go on in it at the same time.

The default run fills the machine; the faults mostly wait. Each test looks at the outcome of one of
them, so the order of the tests doesn't matter.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import threading
import zlib
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.cluster import default_run, fault_run, restarts
from tests.cluster.single_host import Node, SingleHost, missing_programs

ROOT = Path(__file__).parents[2]
# of main1's CPUs, one works for the GPU; its groups take two each
NODES = [
    Node("main1", "main", cpus=4, memory_mb=16000, gpus=1),
    Node("fault1", "faults", cpus=4, memory_mb=16000),
    Node("fault2", "faults", cpus=4, memory_mb=16000),
    Node("lost1", "lost", cpus=1, memory_mb=4000),
    Node("drained1", "drained", cpus=1, memory_mb=4000),
]
EVIDENCE: list[str] = []
collect_ignore = ["impatient"]  # importing it is all it does


def pytest_terminal_summary(terminalreporter):
    for text in EVIDENCE:
        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def evidence():
    """Takes what is to be printed at the end of the tests."""
    return EVIDENCE.append


@pytest.fixture(scope="session")
def ground(request):
    """A folder for SLURM and the runs, the same for each call from this checkout.

    So what a call that was killed left running is found by the next one.
    """
    name = f"sdssflow-{os.getuid()}-{zlib.crc32(str(ROOT).encode()):08x}"
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pytest.exit("make test-cluster runs already from this checkout", returncode=1)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as Ctrl-C does
        end_processes_in(folder)
        yield folder
        end_processes_in(folder)
    if not request.session.testsfailed:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def slurm(ground):
    """A real SLURM, stopped on any way out."""
    if missing := missing_programs():
        pytest.exit(
            f"not installed: {', '.join(missing)}. On Debian or Ubuntu: "
            "apt-get install --no-install-recommends slurm-wlm munge",
            returncode=1,
        )
    with SingleHost(ground / "slurm", NODES) as slurm:
        yield slurm


@pytest.fixture(scope="session")
def runs(request, ground, slurm):
    """The outcomes of the runs that the chosen tests look at, as futures by name."""
    for name in ("default", "faults", "restarts", "prepared"):
        shutil.rmtree(ground / name, ignore_errors=True)
    chosen = {item.path.stem for item in request.session.items}
    begun = {}
    if "test_default_run" in chosen:
        begun["default"] = begin(default_run.go, ground / "default", slurm)
    if "test_faults" in chosen:
        prepared = fault_run.prepare(ground / "prepared")
        for name, run in (("faults", fault_run), ("restarts", restarts)):
            begun[name] = begin(run.go, ground / name, prepared, slurm)
    return begun


def begin(run, *arguments) -> Future:
    """Begin a run in a thread that doesn't keep the tests from ending."""
    future: Future = Future()

    def work() -> None:
        try:
            future.set_result(run(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def end_processes_in(folder: Path) -> None:
    """Kill what works in a folder below: runs whose tests were interrupted."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if folder in (process / "cwd").readlink().parents:
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def outcome(runs: dict[str, Future], name: str):
    """Wait for a run and return its outcome."""
    return runs[name].result(timeout=7200)
