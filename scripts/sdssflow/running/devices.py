"""GPUs of this machine, each for one job at a time.

Snakemake counts GPUs but doesn't assign them, so by default all jobs use the first one. Here a job
locks its devices and hides the others from CUDA. The kernel releases the locks when the job ends,
however it ends. Nothing in this module initialises CUDA, which reads CUDA_VISIBLE_DEVICES only
once.

Under SLURM, SLURM assigns the devices of a job. It may call the only device of each job 0,
whichever it is, so a lock of that name would block jobs on other devices. Jobs that share an
allocation (Snakemake run within one, or a group job) still have to share its devices. So locks
under SLURM are named by job and step too, and have no effect on other jobs.
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
# not tempfile.gettempdir(): users with different TMPDIR share the devices too
LOCKS = Path("/tmp/sdssflow-gpus")
POLL_S, REMIND_S = 0.5, 600.0
IN_THE_PROFILE = (
    "To train on the CPU write in the profile, below set-resources, for rules train_network and "
    "search_settings: gpu: 0. To use a GPU only where there is one: without_gpu: cpu"
)


@contextmanager
def reserve(gpus: int, without_gpu: str = "stop", folder: Path = LOCKS) -> Iterator[list[str]]:
    """Reserve GPUs for this process and its children until the end of the block.

    CUDA_VISIBLE_DEVICES names them and no others. If too few are free it waits, and logs for which.
    All requested devices are locked together or none, so that jobs which need several can't block
    each other; there is no queue, so they may wait long while others request one.

    Parameters
    ----------
    gpus : int
        Number of devices; 0 for none.
    without_gpu : {'stop', 'cpu'}
        Where there is no GPU: stop, or continue on the CPU.
    folder : Path
        Folder of the locks, one per machine.

    Yields
    ------
    list of str
        Names of the devices: UUIDs if nvidia-smi lists them, else those of CUDA_VISIBLE_DEVICES;
        empty for the CPU.

    Raises
    ------
    RuntimeError
        If there are fewer than `gpus` (unless there is none, and `without_gpu` is 'cpu'), or the
        locks can't be written.
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
            f"resources.gpu is {gpus}, but this job can use only {', '.join(devices)}; "
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
    """Log that a job continues without a GPU.

    RuntimeError, with the line to change in the profile, if `without_gpu` is 'stop'.
    """
    if without_gpu == "stop":
        raise RuntimeError(f"resources.gpu is {gpus}, but {reason}. {IN_THE_PROFILE}")
    logger.warning("%s: on the CPU, as resources.without_gpu is cpu", reason)


@contextmanager
def _locked(gpus: int, devices: list[str], folder: Path) -> Iterator[list[str]]:
    """Lock the requested number of devices, as soon as they are free."""
    scope = ""
    if job := os.environ.get("SLURM_JOB_ID"):
        scope = f"slurm-{job}.{os.environ.get('SLURM_STEP_ID', 'batch')}-"
    locks = {device: _lock(folder, scope + device) for device in devices}
    taking = _lock(folder, "taking")
    try:
        # not sticky: filelock refuses another user's file in a sticky folder, because its owner
        # could remove it; at worst a removed lock puts two jobs on one GPU
        with _writable_by_all():
            folder.mkdir(mode=0o777, exist_ok=True)
        names = _wait_for(gpus, locks, taking)
    except OSError as error:
        raise RuntimeError(
            f"GPUs can't be locked in {folder}: {error}. All users of this machine need write "
            f"permission there, without the sticky bit: chmod -R a+rwX,-t {folder}"
        ) from error
    try:
        yield names
    finally:
        with taking:
            _free(locks[name] for name in names)


def _wait_for(gpus: int, locks: dict[str, FileLock], taking: FileLock) -> list[str]:
    logged, folder = -REMIND_S, Path(taking.lock_file).parent
    waiting = "waiting for %d of the GPUs %s: other jobs have them (locks in %s)"
    while not (names := _take(gpus, locks, taking)):
        if time.monotonic() - logged >= REMIND_S:
            logged = time.monotonic()
            logger.info(waiting, gpus, ", ".join(locks), folder)
        time.sleep(POLL_S)
    return names


def _take(gpus: int, locks: dict[str, FileLock], taking: FileLock) -> list[str]:
    """Lock that many devices or none; one process at a time, so that two can't block each other."""
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
    """Unlock and remove, under the lock `taking`: else a process could lock a removed file."""
    for lock in locks:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


@contextmanager
def _writable_by_all() -> Iterator[None]:
    """Create files and folders with the given mode, whatever the user's umask."""
    umask = os.umask(0)
    try:
        yield
    finally:
        os.umask(umask)


def _lock(folder: Path, name: str) -> FileLock:
    # no soft lock on a file system without locks: it would outlive a killed job
    path = folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.lock"
    return FileLock(path, mode=0o666, fallback_to_soft=False)


@dataclass(frozen=True)
class Card:
    """A card as listed by nvidia-smi: its UUID and those of its MIG instances, if any."""

    uuid: str
    instances: list[str] = field(default_factory=list)

    def devices(self) -> list[str]:
        """Return the devices for jobs: the instances, or the whole card."""
        return self.instances or [self.uuid]


def visible_devices() -> list[str]:
    """Return the devices this job may choose from, in a fixed order.

    They are those in CUDA_VISIBLE_DEVICES, else all that nvidia-smi lists. Indices are taken as
    those of nvidia-smi and converted to UUIDs, because CUDA may count in another order. In a SLURM
    job they are left as they are.
    """
    visible = os.environ.get(VISIBLE)
    if "SLURM_JOB_ID" in os.environ:
        return named_devices(visible or "", None)
    cards = list_cards()
    if visible is not None:
        return named_devices(visible, cards)
    return [device for card in cards or [] for device in card.devices()]


def why_none() -> str:
    """Return why `visible_devices` is empty."""
    visible = os.environ.get(VISIBLE)
    if "SLURM_JOB_ID" in os.environ and not any(os.environ.get(name) for name in GRANTS):
        return (
            "SLURM gave this job none. The submission has to request one (sbatch --gpus). A limit "
            "of Snakemake (--resources gpu=0) removes that request, but doesn't reach the job, "
            "which uses the rule's own value"
        )
    if visible is not None:
        return f"{VISIBLE} is {visible!r}, which names no GPU here"
    if "SLURM_JOB_ID" in os.environ:
        return f"SLURM set no {VISIBLE} (gres.conf: AutoDetect=nvml or Flags=nvidia_gpu_env)"
    return f"nvidia-smi lists no GPU and {VISIBLE} names none"


def named_devices(visible: str, cards: list[Card] | None) -> list[str]:
    """Return the devices in a value of CUDA_VISIBLE_DEVICES.

    As in CUDA, an invalid entry (-1, an index too high) ends the list. Entries are indices or
    prefixes of the UUIDs of cards or MIG instances; without `cards` they are returned unchanged.

    >>> named_devices("1,GPU-8,-1,0", [Card("GPU-7c1"), Card("GPU-8f2")])
    ['GPU-8f2']
    """
    found: list[str] = []
    for entry in map(str.strip, visible.split(",")):
        devices = _devices_of(entry, cards)
        if not devices:
            break
        found += [device for device in devices if device not in found]
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
    """Return the cards of this machine in the order of nvidia-smi; None without nvidia-smi."""
    try:
        listing = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=LIST_TIMEOUT_S
        ).stdout
    except FileNotFoundError:
        return None
    except (OSError, subprocess.SubprocessError) as error:
        output = (getattr(error, "stdout", None) or "").strip()
        logger.warning("nvidia-smi -L failed: %s %s", error, output)
        return None
    cards: list[Card] = []
    for line in listing.splitlines():
        match = re.match(r"(GPU|\s+MIG) .*\(UUID: ([^)]+)\)", line)
        if match and match[1] == "GPU":
            cards.append(Card(match[2]))
        elif match and cards:
            cards[-1].instances.append(match[2])
    return cards
