"""Tensors of trained networks in safetensors files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sdssflow.files import replacing

if TYPE_CHECKING:
    import torch

Made = TypeVar("Made")


def save_tensors(
    tensors: Mapping[str, torch.Tensor], path: str | Path, about: dict[str, str] | None = None
) -> None:
    """Save tensors and metadata, atomically."""
    import safetensors.torch

    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(content, about))


def load_model(path: str | Path, made_of: Callable[[dict[str, torch.Tensor]], Made]) -> Made:
    """Load the tensors of a model on the CPU and return the result of `made_of`.

    ValueError if the file is not a safetensors file, or `made_of` raises a KeyError, IndexError,
    RuntimeError or ValueError because the tensors belong to another model.
    """
    import safetensors.torch

    try:
        return made_of(safetensors.torch.load_file(path, device="cpu"))
    except (
        safetensors.SafetensorError, KeyError, IndexError, RuntimeError, ValueError,
    ) as error:  # fmt: skip
        raise ValueError(
            f"{path}: not the networks that card.json in this folder describes ({error}); "
            "delete the folder and train again"
        ) from error
