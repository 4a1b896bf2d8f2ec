"""The device that a model is trained on in torch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from sdssflow.provenance.records import note
from sdssflow.running.devices import do_without, reserve

logger = logging.getLogger("sdssflow")


@contextmanager
def training_device(resources: Mapping[str, Any]) -> Iterator[torch.device]:
    """Reserve a device to train on until the end of the block; no other job uses it.

    Parameters
    ----------
    resources : mapping
        Resources of the job: `gpu`, the number of GPUs, 0 (CPU) by default; `without_gpu`, 'stop'
        or 'cpu', what to do if there is none.

    Yields
    ------
    torch.device
        The CPU or the CUDA device; torch sees only the reserved GPU, as its first.

    Raises
    ------
    ValueError, RuntimeError, OSError
        See `devices.reserve` and `choose_device`.
    """
    without_gpu = resources.get("without_gpu", "stop")
    with reserve(resources.get("gpu", 0), without_gpu) as names:
        device = choose_device(len(names), without_gpu)
        logger.info("training on %s", device_name(device))
        note(device=device_name(device))
        yield device


def choose_device(gpus: int, without_gpu: str = "stop") -> torch.device:
    """Return the CPU for 0 GPUs, else the CUDA device.

    Raises
    ------
    RuntimeError
        If a GPU is requested, torch sees none and `without_gpu` is not 'cpu'.
    """
    if gpus < 1:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        do_without(gpus, without_gpu, f"torch {torch.__version__} sees no CUDA device")
        return torch.device("cpu")
    return torch.device("cuda")


def device_name(device: torch.device) -> str:
    """Return 'cpu' or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
