"""Which GPUs a job may choose from, found out without CUDA.

CUDA reads CUDA_VISIBLE_DEVICES only once, when it is initialised, so it is left alone until a job
knows which device it has.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
from dataclasses import dataclass, field

logger = logging.getLogger("sdssflow")
VISIBLE = "CUDA_VISIBLE_DEVICES"
GRANTS = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")
LIST_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Card:
    """A card as nvidia-smi lists it.

    Attributes
    ----------
    uuid : str
        Its name for CUDA.
    instances : list of str
        Names of the MIG instances it is divided into, each of which is a device; may be empty.
    """

    uuid: str
    instances: list[str] = field(default_factory=list)

    def devices(self) -> list[str]:
        """Return what a job can have: the instances, or the whole card."""
        return self.instances or [self.uuid]


def visible_devices() -> list[str]:
    """Return the devices this job may choose from, in a fixed order.

    They are what CUDA_VISIBLE_DEVICES names, else all that nvidia-smi lists. Indices are those of
    nvidia-smi and are turned into UUIDs, which mean the same to every process; CUDA by itself may
    count in another order. In a job of SLURM they are left as SLURM gave them.
    """
    visible = os.environ.get(VISIBLE)
    if "SLURM_JOB_ID" in os.environ:
        return named_devices(visible or "", None)
    cards = list_cards()
    if visible is not None:
        return named_devices(visible, cards)
    return [device for card in cards or [] for device in card.devices()]


def why_none() -> str:
    """Say why `visible_devices` is empty."""
    visible = os.environ.get(VISIBLE)
    if "SLURM_JOB_ID" in os.environ and not any(os.environ.get(name) for name in GRANTS):
        return (
            "SLURM gave this job none. Who submits it has to ask for one (sbatch --gpus). A limit "
            "of Snakemake (--resources gpu=0) takes that request away, but doesn't reach the job: "
            "it sees the rule's own value again"
        )
    if visible is not None:
        return f"{VISIBLE} is {visible!r}, which names no GPU here"
    if "SLURM_JOB_ID" in os.environ:
        return f"SLURM set no {VISIBLE} (gres.conf: AutoDetect=nvml or Flags=nvidia_gpu_env)"
    return f"nvidia-smi lists no GPU and {VISIBLE} names none"


def named_devices(visible: str, cards: list[Card] | None) -> list[str]:
    """Return the devices that a value of CUDA_VISIBLE_DEVICES means.

    As in CUDA, an entry that is none (-1, an index too high) ends the list.

    Parameters
    ----------
    visible : str
        Indices, UUIDs of cards or MIG instances (or what they begin with), separated by commas.
    cards : list of Card or None
        What nvidia-smi lists; None if it can't be asked, so that entries are taken as they are.

    Examples
    --------
    >>> named_devices("1,GPU-8,-1,0", [Card("GPU-7c1"), Card("GPU-8f2")])
    ['GPU-8f2']
    >>> named_devices("0,1", None)
    ['0', '1']
    """
    found: list[str] = []
    for entry in map(str.strip, visible.split(",")):
        meant = _devices_of(entry, cards)
        if not meant:
            break
        found += [device for device in meant if device not in found]
    return found


def _devices_of(entry: str, cards: list[Card] | None) -> list[str]:
    if not re.fullmatch(r"\d+|(GPU|MIG)-.+", entry):
        return []
    if cards is None:
        return [entry]
    if entry.isdecimal():
        return cards[int(entry)].devices() if int(entry) < len(cards) else []
    for card in cards:
        if card.uuid.startswith(entry):
            return card.devices()
        for instance in card.instances:
            if instance.startswith(entry):
                return [instance]
    return []


def list_cards() -> list[Card] | None:
    """Return the cards of this machine in the order of nvidia-smi; None if it can't be asked.

    A process of its own is asked, so CUDA stays untouched in this one.
    """
    try:
        listing = subprocess.run(
            ["nvidia-smi", "-L"],
            capture_output=True,
            text=True,
            check=True,
            timeout=LIST_TIMEOUT_S,
        ).stdout
    except FileNotFoundError:
        return None
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stdout", None) or "").strip()
        logger.warning("nvidia-smi -L failed: %s %s", error, said)
        return None
    cards: list[Card] = []
    for line in listing.splitlines():
        match = re.match(r"(GPU|\s+MIG) .*\(UUID: ([^)]+)\)", line)
        if match and match[1] == "GPU":
            cards.append(Card(match[2]))
        elif match and cards:
            cards[-1].instances.append(match[2])
    return cards
