"""The training loop, and the tensors that are saved.

Reproducible: the same rows, settings and seed give the same bytes on the same CPU with the same
number of threads, whether the training was interrupted or not; with `deterministic` also on the
same GPU.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from sdssflow.ensembles import checkpoints
from sdssflow.ensembles.batched_networks import Settings, Shape
from sdssflow.ensembles.photometric_inputs import PhotometricInputs
from sdssflow.ensembles.program import EnsembleProgram, State
from sdssflow.logs import progress

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.configuration.section import Section

BUFFERS = tuple(field.name for field in fields(PhotometricInputs))


def descend(
    program: EnsembleProgram,
    section: Section,
    digests: Sequence[str],
    checkpoint: Path | None = None,
) -> State:
    """Run the epochs of a training, resuming from its checkpoint.

    A checkpoint of another `section` of the configuration or other `digests` is ignored.
    """
    settings, device = program.settings, program.device
    state = program.first_state()
    mark = ""
    if checkpoint is not None:
        mark = checkpoints.fingerprint(section, program.seed, digests, device)
        checkpoints.resume(state, checkpoint, mark)
    epochs = range(state.epoch + 1, settings.max_epochs + 1)
    with reproducible(settings, device):
        for epoch in progress(epochs, len(epochs), "epoch"):
            if program.finished(state):
                break
            program.run_epoch(state, epoch)
            if checkpoint is not None and epoch % settings.checkpoint_epochs == 0:
                checkpoints.save(state, checkpoint, mark)
    return state


def tensors_of_layers(
    inputs: PhotometricInputs, parameters: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return inputs and parameters of networks by name."""
    buffers = {f"inputs.{name}": getattr(inputs, name) for name in BUFFERS}
    return {"parameters": parameters, **buffers}


def layers_from(
    tensors: Mapping[str, torch.Tensor], features: int
) -> tuple[PhotometricInputs, torch.Tensor]:
    """Return inputs and parameters; KeyError or ValueError for other tensors."""
    inputs = PhotometricInputs(*(tensors[f"inputs.{name}"] for name in BUFFERS))
    if len(inputs.mean) != features:
        raise ValueError(f"it has {len(inputs.mean)} features, not {features}")
    return inputs, tensors["parameters"]


def require_count(parameters: torch.Tensor, shape: Shape) -> None:
    """Raise ValueError if the number of parameters does not fit the shape."""
    if parameters.shape != (shape.count,):
        raise ValueError(f"it has {parameters.numel()} parameters, not {shape.count}")


@contextlib.contextmanager
def reproducible(settings: Settings, device: torch.device) -> Iterator[None]:
    """Restrict torch to reproducible kernels, on a GPU and if configured."""
    if device.type != "cuda" or not settings.deterministic:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required by cuBLAS
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
