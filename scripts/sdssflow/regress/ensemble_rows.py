"""Which objects each member of an ensemble learns from, and which it is stopped on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.configuration.networks import MixtureEnsemble
    from sdssflow.prepare.parts import Part


@dataclass(frozen=True)
class MemberRows:
    """Rows of each member.

    Attributes
    ----------
    learnt : (K, n) int64 tensor
        Rows that a member learns from.
    stopped_on : (K, m) int64 tensor
        Rows that tell when a member is at its best; m may be 0.
    """

    learnt: torch.Tensor
    stopped_on: torch.Tensor


def pooled(train: Part, validation: Part) -> tuple[np.ndarray, np.ndarray]:
    """Return the features and redshifts of the train part followed by the validation part."""
    features = np.concatenate([train.features, validation.features])
    if not len(validation):
        return features, train.zspec
    return features, np.concatenate([train.zspec, validation.zspec])


def member_rows(
    settings: MixtureEnsemble, seed: int, train: int, validation: int, device: torch.device
) -> MemberRows:
    """Deal rows 0 .. train + validation - 1 out to the members.

    Parameters
    ----------
    settings : MixtureEnsemble
        With `blocks` = B > 0, rows are shuffled and cut in B blocks of equal size (a rest of fewer
        than B rows is learnt from by all), and member k is stopped on block k modulo B. Duplicates
        of an object may stand in two blocks: that can only make a member stop late. With 0, the
        members learn from the train part and are stopped on the validation part.
    seed : int
        Seed of the blocks.
    train, validation : int
        Numbers of rows of the two parts.
    device : torch.device
        Where the rows are wanted.

    Raises
    ------
    ValueError
        If there are fewer rows than blocks, or a single block.
    """
    members = settings.members
    if not settings.blocks:
        learnt = np.tile(np.arange(train), (members, 1))
        stopped_on = np.tile(np.arange(train, train + validation), (members, 1))
    else:
        rows = train + validation
        if settings.blocks == 1 or rows < 2 * settings.blocks:
            raise ValueError(
                f"{rows} training objects can't be cut in {settings.blocks} blocks; "
                "use more blocks than 1, fewer than half the objects, or blocks: 0"
            )
        order = np.random.default_rng([seed, settings.blocks]).permutation(rows)
        size = rows // settings.blocks
        own = [slice(k % settings.blocks * size, (k % settings.blocks + 1) * size)
               for k in range(members)]  # fmt: skip
        stopped_on = np.stack([order[block] for block in own])
        learnt = np.stack([np.delete(order, block) for block in own])
    return MemberRows(torch.tensor(learnt).to(device), torch.tensor(stopped_on).to(device))
