"""Checkpoints, from which a killed training resumes and ends with the same weights.

One safetensors file, written atomically, holds the state of a training between two epochs:
parameters, optimiser, random generators, best parameters so far. A training resumes only with the
same rows, settings, seed, device, version of torch and number of threads, which make up its
fingerprint; otherwise it starts from scratch.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from sdssflow.ensembles.tensor_files import save_tensors

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.configuration.section import Section
    from sdssflow.ensembles.program import State

logger = logging.getLogger("sdssflow")


def fingerprint(settings: Section, seed: int, digests: Iterable[str], device: torch.device) -> str:
    """Return the digest of everything that must be equal to resume a training.

    The interval between checkpoints is not part of it.
    """
    relevant = {
        key: value
        for key, value in json.loads(settings.canonical()).items()
        if key != "checkpoint_epochs"
    }
    about = [relevant, seed, list(digests), str(device), torch.__version__, torch.get_num_threads()]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def save(state: State, path: Path, mark: str) -> None:
    """Write the state, atomically."""
    tensors = {
        "parameters": state.parameters,
        "best_parameters": state.best_parameters,
        "lowest_losses": state.lowest_losses,
        "best_epoch": state.best_epoch,
        "generators": torch.stack([generator.get_state() for generator in state.generators]),
        **{f"optimizer.{name}": each for name, (each,) in state.optimizer.moments.items()},
    }
    about = {"fingerprint": mark, "epoch": str(state.epoch), "history": json.dumps(state.history)}
    save_tensors(tensors, path, about)
    logger.info("checkpoint after epoch %d", state.epoch)


def resume(state: State, path: Path, mark: str) -> None:
    """Replace the initial state by that of a checkpoint, if there is one of this training.

    A checkpoint of another training, or one that can't be read, is logged and ignored.
    """
    if not path.exists():
        return
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as opened:
            about = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        logger.warning("%s can't be read (%s): training starts from scratch", path, error)
        return
    if about.get("fingerprint") != mark:
        logger.info("%s is of another training: training starts from scratch", path)
        return
    device = state.parameters.device
    with torch.no_grad():
        state.parameters.copy_(tensors["parameters"])
    state.best_parameters = tensors["best_parameters"].to(device)
    state.lowest_losses = tensors["lowest_losses"].to(device)
    state.best_epoch = tensors["best_epoch"]
    for generator, kept in zip(state.generators, tensors["generators"], strict=True):
        generator.set_state(kept.clone())  # torch reads a view from the start of its storage
    for name, (each,) in state.optimizer.moments.items():
        each.copy_(tensors[f"optimizer.{name}"])
    state.epoch, state.history = int(about["epoch"]), json.loads(about["history"])
    logger.info("resumed after epoch %d", state.epoch)
