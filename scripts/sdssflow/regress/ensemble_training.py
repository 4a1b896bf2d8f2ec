"""How an ensemble of mixture-density networks learns: K members, one program.

See `ensemble_program` for what an epoch is. Every member is stopped by itself, judged on objects it
does not learn from: it keeps the parameters of the last epoch that was not worse than its best.

Reproducible: the same rows, settings and seed give the same bytes on the same CPU with the same
number of threads, whether the training was interrupted or not. On a GPU the same holds for the same
card with `deterministic`.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdssflow.files import replacing
from sdssflow.logs import progress
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress import checkpoints
from sdssflow.regress.ensemble_program import EnsembleProgram
from sdssflow.regress.mixture_networks import MixtureNetworks, Shape, predict_pdf
from sdssflow.regress.photometric_inputs import PhotometricInputs

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.configuration.networks import MixtureEnsemble
    from sdssflow.prepare.parts import Part

BUFFERS = ("mean", "scale", "logarithmic", "flagged", "axes")


@dataclass(frozen=True)
class TrainedEnsemble:
    """A trained ensemble and how it came about.

    Attributes
    ----------
    networks : MixtureNetworks
        Each member with the parameters it kept.
    history : list of dict
        Per epoch `epoch` (from 1), `train_loss` and `validation_loss`, means over members of the
        negative log density of the standardised redshift (NaN without objects to stop on).
    best_epoch : list of int
        Epoch that each member's parameters are of.
    """

    networks: MixtureNetworks
    history: list[dict[str, float]]
    best_epoch: list[int]

    dtype = "float32"

    def save(self, path: str | Path) -> None:
        """Save the networks as safetensors, whole or not at all."""
        import safetensors.torch

        networks = self.networks
        tensors = {
            "parameters": networks.parameters,
            **{f"inputs.{name}": getattr(networks.inputs, name) for name in BUFFERS},
            **{
                name: torch.tensor(getattr(networks, name), dtype=torch.float64)
                for name in ("zspec_mean", "zspec_scale", "upper")
            },
        }
        content = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        with replacing(path) as temporary:
            temporary.write_bytes(safetensors.torch.save(content))


def fit(
    settings: MixtureEnsemble,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    checkpoint: Path | None = None,
) -> TrainedEnsemble:
    """Train all members together.

    Arguments are as in `configuration.kinds`. Each member's own seed follows from `seed`. With
    `blocks` the members learn from both parts and are stopped on blocks of their own; else the
    validation part stops them all. Without objects to stop on all epochs are run and the last
    parameters are kept.

    Raises
    ------
    ValueError
        If a training redshift is negative, or the loss is not finite.
    """
    program = EnsembleProgram(settings, seed, train, validation, device)
    state = program.first_state()
    mark = ""
    if checkpoint is not None:
        mark = checkpoints.fingerprint(settings, seed, (train.digest, validation.digest), device)
        checkpoints.resume(state, checkpoint, mark)
    epochs = range(state.epoch + 1, settings.max_epochs + 1)
    with reproducible(settings, device):
        for epoch in progress(epochs, len(epochs), "epoch"):
            if program.finished(state):
                break
            program.run_epoch(state, epoch)
            if checkpoint is not None and epoch % settings.checkpoint_epochs == 0:
                checkpoints.save(state, checkpoint, mark)
    return TrainedEnsemble(
        program.networks(state.best_parameters), state.history, state.best_epoch.tolist()
    )


@dataclass(frozen=True)
class LoadedEnsemble:
    """A trained ensemble and the names of the features that it takes."""

    networks: MixtureNetworks
    names: tuple[str, ...]

    def predict_pdf(self, features: np.ndarray) -> Mixture:
        """Return p(z) of (n, f) features."""
        return predict_pdf(self.networks, features, self.names)

    def usable(self, features: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of (n, f) features lack nothing that training never lacked."""
        missing = np.isnan(features)
        missing[:, self.networks.inputs.flagged.numpy()] = False
        return ~missing.any(axis=1)


def load(path: str | Path, settings: MixtureEnsemble, names: Sequence[str]) -> LoadedEnsemble:
    """Load an ensemble saved by `TrainedEnsemble.save`, on the CPU.

    Raises
    ------
    ValueError
        If the file is no safetensors file or its tensors are not those of such an ensemble.
    """
    import safetensors.torch

    try:
        tensors = safetensors.torch.load_file(path, device="cpu")
        inputs = PhotometricInputs(*(tensors[f"inputs.{name}"] for name in BUFFERS))
        shape = Shape.of(settings, inputs.count)
        wanted = sum(math.prod(size) for size in shape.tensors())
        if len(inputs.mean) != len(names) or tensors["parameters"].shape != (wanted,):
            raise ValueError(f"it has {tensors['parameters'].numel()} parameters, not {wanted}")
        numbers = (tensors[name].item() for name in ("zspec_mean", "zspec_scale", "upper"))
        networks = MixtureNetworks(inputs, shape, tensors["parameters"], *numbers)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: not the networks that card.json beside it describes ({error}); "
            "delete the folder and train again"
        ) from error
    return LoadedEnsemble(networks, tuple(names))


@contextlib.contextmanager
def reproducible(settings: MixtureEnsemble, device: torch.device) -> Iterator[None]:
    """Let torch use reproducible kernels only, on a GPU and if so wished."""
    if device.type != "cuda" or not settings.deterministic:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
