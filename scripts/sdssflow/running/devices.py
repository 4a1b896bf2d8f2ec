"""GPUs of this machine, each to one job at a time.

Snakemake counts GPUs but doesn't say which one a job may use, so that without further ado all jobs
meet on the first. Here a job locks the devices it takes and hides the others from CUDA. The kernel
gives a lock back when its job ends, however it ends. Nothing in this module initialises CUDA, which
reads CUDA_VISIBLE_DEVICES only once.

Under SLURM the devices of a job are SLURM's choice, and nobody else's: it is not for us to make one
job wait for another. SLURM may call the only device of each job 0, whichever it is, so a lock by
that name would stop jobs that don't disturb each other. Jobs that share an allocation (Snakemake
run within one, or a group job) still have to share its devices out among themselves. So a lock made
there is named by job and step too, and means nothing outside them.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger("sdssflow")
VISIBLE = "CUDA_VISIBLE_DEVICES"
GRANTS = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")
LIST_TIMEOUT_S = 60.0
# not by tempfile.gettempdir(): users with different TMPDIR share the devices all the same
LOCKS = Path("/tmp/sdssflow-gpus")
POLL_S, REMIND_S = 0.5, 600.0
IN_THE_PROFILE = (
    "To train on the CPU write in the profile, below set-resources, for rules train_network and "
    "search_settings: gpu: 0. To take a GPU where there is one and else the CPU: without_gpu: cpu"
)


@contextmanager
def reserve(gpus: int, without_gpu: str = "stop", folder: Path = LOCKS) -> Iterator[list[str]]:
    """Take GPUs for this process and its children; give them back at the end of the block.

    Meanwhile CUDA_VISIBLE_DEVICES names them and no others. If too few are free it waits, and the
    log says for which. All that are asked for are taken together or none, so that jobs which need
    several can't block each other; nobody queues, so they may wait long while others ask for one.

    Where there is no GPU, `without_gpu` says what to do: 'stop', or 'cpu', to go on without.
    `folder` is where the locks are, one for this machine. Names of the devices are yielded: UUIDs
    if nvidia-smi knows them, else what CUDA_VISIBLE_DEVICES says; none if the job is to run on the
    CPU.

    RuntimeError if there are fewer than `gpus` (unless there is none, and `without_gpu` is 'cpu'),
    or if the locks can't be written.
    """
    if without_gpu not in ("stop", "cpu"):
        raise ValueError(
            f"resources.without_gpu is {without_gpu!r}: write stop or cpu in the profile, below "
            "set-resources, for rules train_network and search_settings"
        )
    devices = visible_devices() if gpus > 0 else []
    if gpus > 0 and not devices:
        do_without(gpus, without_gpu, why_none())
    if not devices:
        yield []
        return
    if len(devices) < gpus:
        raise RuntimeError(
            f"resources.gpu is {gpus}, but this job can have {', '.join(devices)} and no more; "
            f"write in the profile, below set-resources: gpu: {len(devices)}"
        )
    before = os.environ.get(VISIBLE)
    with _locked(gpus, devices, folder) as names:
        logger.info("reserved GPU %s", ", ".join(names))
        os.environ[VISIBLE] = ",".join(names)
        try:
            yield names
        finally:
            del os.environ[VISIBLE]
            if before is not None:
                os.environ[VISIBLE] = before
            logger.info("released GPU %s", ", ".join(names))


def do_without(gpus: int, without_gpu: str, reason: str) -> None:
    """Stop for lack of a GPU, or log that the job goes on without.

    RuntimeError if `without_gpu` is 'stop': nothing falls back silently. It names the line to
    change.
    """
    if without_gpu == "stop":
        raise RuntimeError(f"resources.gpu is {gpus}, but {reason}. {IN_THE_PROFILE}")
    logger.warning("%s: on the CPU, as resources.without_gpu is cpu", reason)


@contextmanager
def _locked(gpus: int, devices: list[str], folder: Path) -> Iterator[list[str]]:
    """Lock as many devices as asked for, as soon as they are free."""
    scope = ""
    if job := os.environ.get("SLURM_JOB_ID"):
        scope = f"slurm-{job}.{os.environ.get('SLURM_STEP_ID', 'batch')}-"
    locks = {device: _lock(folder, scope + device) for device in devices}
    taking = _lock(folder, "taking")
    try:
        # not sticky: filelock refuses another user's file in a sticky folder, because its owner
        # could remove it; who removes a lock here gets two jobs onto one GPU, and no more than that
        with _writable_by_all():
            folder.mkdir(mode=0o777, exist_ok=True)
        names = _wait_for(gpus, locks, taking)
    except OSError as error:
        raise RuntimeError(
            f"GPUs can't be locked in {folder}: {error}. All users of this machine have to be able "
            f"to write there, and it may not be sticky: chmod -R a+rwX,-t {folder}"
        ) from error
    try:
        yield names
    finally:
        with taking:
            _free(locks[name] for name in names)


def _wait_for(gpus: int, locks: dict[str, FileLock], taking: FileLock) -> list[str]:
    said, folder = -REMIND_S, Path(taking.lock_file).parent
    waiting = "waiting for %d of the GPUs %s: other jobs have them (locks in %s)"
    while not (names := _take(gpus, locks, taking)):
        if time.monotonic() - said >= REMIND_S:
            said = time.monotonic()
            logger.info(waiting, gpus, ", ".join(locks), folder)
        time.sleep(POLL_S)
    return names


def _take(gpus: int, locks: dict[str, FileLock], taking: FileLock) -> list[str]:
    """Lock that many or none.

    One process at a time, so that not two take a device each where both need two.
    """
    names: list[str] = []
    with _writable_by_all(), taking:
        for name, lock in locks.items():
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            names.append(name)
            if len(names) == gpus:
                return names
        _free(locks[name] for name in names)
    return []


def _free(locks: Iterable[FileLock]) -> None:
    """Unlock and remove; only while nobody takes one, who could lock a file that is no more."""
    for lock in locks:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


@contextmanager
def _writable_by_all() -> Iterator[None]:
    """Make files and folders with the mode that is asked for, whatever the user's umask."""
    umask = os.umask(0)
    try:
        yield
    finally:
        os.umask(umask)


def _lock(folder: Path, name: str) -> FileLock:
    # no soft lock where the file system has none: it would outlive a job that was killed
    path = folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.lock"
    return FileLock(path, mode=0o666, fallback_to_soft=False)


@dataclass(frozen=True)
class Card:
    """A card as nvidia-smi lists it: its name for CUDA and those of its MIG instances, if any."""

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

    As in CUDA, an entry that is none (-1, an index too high) ends the list. Entries are indices or
    what UUIDs of cards or MIG instances begin with; without `cards` they are taken as they are.

    >>> named_devices("1,GPU-8,-1,0", [Card("GPU-7c1"), Card("GPU-8f2")])
    ['GPU-8f2']
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
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=LIST_TIMEOUT_S
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
