"""How an ensemble of mixture-density networks learns: K members, one program.

See `ensemble_program` for what an epoch is. Every member is stopped by itself, judged on objects it
does not learn from: it keeps the parameters of the last epoch that was not worse than its best.

Reproducible: the same rows, settings and seed give the same bytes on the same CPU with the same
number of threads, whether the training was interrupted or not. On a GPU the same holds for the same
card with `deterministic`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdssflow.files import replacing
from sdssflow.logs import progress
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress import checkpoints
from sdssflow.regress.batched_networks import Shape
from sdssflow.regress.ensemble_program import EnsembleProgram, State, learnt_from, pooled
from sdssflow.regress.mixture_networks import MixtureNetworks, predict_pdf
from sdssflow.regress.objectives import Redshifts
from sdssflow.regress.photometric_inputs import PhotometricInputs

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.configuration.networks import MixtureEnsemble
    from sdssflow.prepare.parts import Part

BUFFERS = ("mean", "scale", "logarithmic", "flagged", "axes")
NUMBERS = ("zspec_mean", "zspec_scale", "upper")


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

        with replacing(path) as temporary:
            temporary.write_bytes(safetensors.torch.save(tensors_of(self.networks)))

    def loaded(self, names: Sequence[str]) -> LoadedEnsemble:
        """Return the ensemble as `load` would, of features of these names."""
        return LoadedEnsemble(self.networks, tuple(names))


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
        If a training redshift is below `lowest`, or the loss is not finite.
    """
    program = redshift_program(settings, seed, train, validation, device, settings.lowest)
    state = descend(program, (train.digest, validation.digest), checkpoint)
    networks = program.objective.networks(*program.trained(state))
    return TrainedEnsemble(networks, state.history, state.best_epoch.tolist())


def redshift_program(
    settings: MixtureEnsemble,
    seed: int,
    train: Part,
    validation: Part,
    device: torch.device,
    lower: float,
    upper: float | None = None,
) -> EnsembleProgram:
    """Return the training of p(z) within a range (`Redshifts.of`, which may refuse redshifts)."""
    learnt = learnt_from(settings, train, validation)
    objective = Redshifts.of(pooled("zspec", train, validation), learnt, lower, upper)
    return EnsembleProgram(settings, seed, train, validation, device, objective)


def descend(
    program: EnsembleProgram, digests: Sequence[str], checkpoint: Path | None = None
) -> State:
    """Run the epochs of a training, from its checkpoint on if it has one of the same `digests`."""
    settings, device = program.settings, program.device
    state = program.first_state()
    mark = ""
    if checkpoint is not None:
        mark = checkpoints.fingerprint(settings, program.seed, digests, device)
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
        networks = networks_from(tensors, settings, len(names), settings.lowest)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: not the networks that card.json beside it describes ({error}); "
            "delete the folder and train again"
        ) from error
    return LoadedEnsemble(networks, tuple(names))


def tensors_of(networks: MixtureNetworks) -> dict[str, torch.Tensor]:
    """Return what `networks_from` makes the networks of."""
    numbers = {name: torch.tensor(getattr(networks, name), dtype=torch.float64) for name in NUMBERS}
    return {**tensors_of_layers(networks.inputs, networks.parameters), **numbers}


def networks_from(
    tensors: Mapping[str, torch.Tensor],
    settings: MixtureEnsemble,
    features: int,
    lower: float,
) -> MixtureNetworks:
    """Return networks of so many features; KeyError, ValueError for tensors of something else."""
    inputs, parameters = layers_from(tensors, features)
    shape = Redshifts.shape_for(settings, inputs.count)
    require_count(parameters, shape)
    return MixtureNetworks(inputs, shape, parameters, *(tensors[n].item() for n in NUMBERS), lower)


def tensors_of_layers(
    inputs: PhotometricInputs, parameters: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return inputs and parameters of networks by name."""
    tensors = {"parameters": parameters}
    tensors |= {f"inputs.{name}": getattr(inputs, name) for name in BUFFERS}
    return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}


def layers_from(
    tensors: Mapping[str, torch.Tensor], features: int
) -> tuple[PhotometricInputs, torch.Tensor]:
    """Return inputs and parameters; KeyError or ValueError if these are not the tensors of any."""
    inputs = PhotometricInputs(*(tensors[f"inputs.{name}"] for name in BUFFERS))
    if len(inputs.mean) != features:
        raise ValueError(f"it has {len(inputs.mean)} features, not {features}")
    return inputs, tensors["parameters"]


def require_count(parameters: torch.Tensor, shape: Shape) -> None:
    """Raise ValueError if parameters are not those of networks of a shape."""
    if parameters.shape != (shape.count,):
        raise ValueError(f"it has {parameters.numel()} parameters, not {shape.count}")


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
