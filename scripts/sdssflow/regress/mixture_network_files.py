"""Ensembles of mixture-density networks on disk: safetensors, never pickle."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdssflow.files import replacing
from sdssflow.redshift_pdf.mixture import Mixture
from sdssflow.regress.mixture_networks import MixtureNetworks, Shape, predict_pdf
from sdssflow.regress.photometric_inputs import PhotometricInputs

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.configuration.networks import MixtureEnsemble

BUFFERS = ("mean", "scale", "logarithmic", "told")


def save_networks(networks: MixtureNetworks, path: str | Path) -> None:
    """Save an ensemble as safetensors, whole or not at all."""
    import safetensors.torch

    tensors = {
        "parameters": networks.parameters,
        **{f"inputs.{name}": getattr(networks.inputs, name) for name in BUFFERS},
        **{
            name: torch.tensor(getattr(networks, name), dtype=torch.float64)
            for name in ("zspec_mean", "zspec_scale", "upper")
        },
    }
    with replacing(path) as temporary:
        temporary.write_bytes(
            safetensors.torch.save({name: t.cpu().contiguous() for name, t in tensors.items()})
        )


def load_networks(path: str | Path, settings: MixtureEnsemble, features: int) -> MixtureNetworks:
    """Load an ensemble saved by `save_networks`, on the CPU.

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
        if len(inputs.mean) != features or tensors["parameters"].shape != (wanted,):
            raise ValueError(f"it has {tensors['parameters'].numel()} parameters, not {wanted}")
        numbers = (tensors[name].item() for name in ("zspec_mean", "zspec_scale", "upper"))
        return MixtureNetworks(inputs, shape, tensors["parameters"], *numbers)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: not the networks that card.json beside it describes ({error}); "
            "delete the folder and train again"
        ) from error


def load_pdf(
    path: str | Path, settings: MixtureEnsemble, names: Sequence[str]
) -> Callable[[np.ndarray], Mixture]:
    """Load an ensemble: a function from (n, f) features of these names to p(z)."""
    networks = load_networks(path, settings, len(names))
    return lambda features: predict_pdf(networks, features, names)
