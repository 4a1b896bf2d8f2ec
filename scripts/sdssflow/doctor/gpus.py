"""GPUs of this machine, and whether the profile and they agree."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from sdssflow.doctor.commands import ask
from sdssflow.doctor.findings import FAULT, OK, WARNING, Finding, listed
from sdssflow.doctor.profiles import Demand

SECONDS = 300.0  # torch from a network folder, on a busy machine
_PROGRAM = """
import json, torch
names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({"version": torch.__version__, "built_for": torch.version.cuda, "seen": names}))
"""


@dataclass(frozen=True)
class Devices:
    """GPUs as torch and as the driver see them."""

    version: str = ""
    """Of torch."""
    built_for: str | None = None
    """CUDA version that torch was built for; None of a build for CPUs alone."""
    seen: Sequence[str] = ()
    """Names that torch has."""
    driver: Sequence[str] = ()
    """Names that nvidia-smi has, whatever CUDA_VISIBLE_DEVICES says."""
    visible: str | None = None
    """CUDA_VISIBLE_DEVICES; None if it is not set."""
    trouble: str = ""
    """Why torch can't be asked; empty if it could."""


def find_devices(python: str = sys.executable) -> Devices:
    """Ask torch, in a process of its own, and nvidia-smi.

    A broken driver may hang or crash whoever loads it.
    """
    smi = ask(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    names = [line.strip() for line in smi.out.splitlines() if line.strip()]
    driver, visible = names if smi.good else [], os.environ.get("CUDA_VISIBLE_DEVICES")
    answer = ask([python, "-c", _PROGRAM], SECONDS)
    said = json.loads(answer.out.splitlines()[-1]) if answer.good else {"trouble": answer.trouble}
    return Devices(driver=driver, visible=visible, **said)


def check_gpus(devices: Devices, asking: Sequence[Demand], executor: str) -> Finding:
    """Check that the GPUs here are those that the profile counts on.

    Parameters
    ----------
    devices : Devices
        From `find_devices`.
    asking : sequence of Demand
        Of the rules that would use a GPU under this profile.
    executor : str
        Of the profile: elsewhere than on this machine SLURM knows what there is.
    """
    if devices.trouble:
        return Finding(
            "gpu",
            FAULT,
            f"torch can't be asked: {devices.trouble}",
            "if torch is installed, see what nvidia-smi says: a driver may be broken",
        )
    found = _description(devices)
    rules = listed(list(dict.fromkeys(asked.rule for asked in asking)))
    here = len(devices.seen)
    if executor != "local":
        note = f"; {rules} use those of compute nodes" if asking else ""
        return Finding("gpu", OK, f"here: {found}{note}")
    most = max((asked.gpu for asked in asking), default=0)
    if most > here:
        if all(asked.without_gpu == "cpu" for asked in asking):
            return Finding("gpu", OK, f"{found}; {rules} run on the CPU, as the profile lets them")
        return Finding(
            "gpu",
            FAULT,
            f"{found}; the profile lets {rules} ask for {most}",
            _remedy(devices, "--workflow-profile profiles/default, which trains on the CPU"),
        )
    if devices.driver and not here:
        return Finding("gpu", WARNING, found, _remedy(devices, "none is asked for: no matter"))
    if here and not asking:
        found += "; not used under this profile"
        return Finding("gpu", OK, found, "profiles/gpu trains on it")
    return Finding("gpu", OK, found)


def _description(devices: Devices) -> str:
    built = f"CUDA {devices.built_for}" if devices.built_for else "CPUs alone"
    seen = listed(devices.seen) if devices.seen else "no GPU"
    text = f"torch {devices.version.split('+')[0]} (built for {built}) sees {seen}"
    if devices.driver != devices.seen:
        text += f"; nvidia-smi: {listed(devices.driver) if devices.driver else 'none'}"
    if devices.visible is not None:
        text += f"; CUDA_VISIBLE_DEVICES={devices.visible!r}"
    return text


def _remedy(devices: Devices, otherwise: str) -> str:
    """Return what makes torch see a GPU that the driver has."""
    if not devices.driver:
        return otherwise
    if not devices.built_for:
        return f"install a build of torch for CUDA, or {otherwise}"
    if devices.visible is not None and len(devices.seen) < len(devices.driver):
        return f"unset CUDA_VISIBLE_DEVICES, or {otherwise}"
    return f"update the driver to one for CUDA {devices.built_for}, or {otherwise}"
