"""Where a job ran and what it took: packages, device, kind of machine, batch system, CPU, memory.

Never the machine's name.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sdssflow.files import file_digest

PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "snakemake", "torch")
LOCK = Path(__file__).parents[3] / "requirements.lock"
SLURM = (
    "SLURM_JOB_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_JOB_PARTITION",
    "SLURM_CLUSTER_NAME",
)


def environment() -> dict[str, Any]:
    """Return the version of Python, of the packages that decide, and the digest of the lock."""
    return {
        "python": platform.python_version(),
        "lock_sha256": file_digest(LOCK) if LOCK.is_file() else None,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def device() -> str:
    """Return the GPU that this process has used, else ``cpu``; imports nothing."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return str(torch.cuda.get_device_name())
    return "cpu"


def machine() -> dict[str, Any]:
    """Return the kind of machine: two of a kind give the same, and none is named."""
    return {
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "logical_cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "operating_system": _operating_system(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def usage() -> dict[str, float]:
    """Return CPU seconds and peak memory of this process so far.

    Snakemake's benchmark looks at a job twice a second at most: short jobs and short peaks escape
    it, up to 40 % of the memory. The kernel misses nothing.
    """
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = spent[0].ru_maxrss * 1024
    try:  # a process that was forked counts its parent's peak there
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024
    except (OSError, TypeError):
        pass
    return {
        "cpu_seconds": round(sum(used.ru_utime + used.ru_stime for used in spent), 2),
        "peak_memory_mb": round(peak / 2**20),
    }


def batch_system() -> dict[str, str]:
    """Return the ids that SLURM gave the job and the GPUs that it may see, as far as set."""
    names = (*SLURM, "CUDA_VISIBLE_DEVICES")
    return {name: os.environ[name] for name in names if name in os.environ}
