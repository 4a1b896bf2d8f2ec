"""Training epochs of K networks in one program.

All rows are on the device from the start. In each epoch every member gets its own rows in its own
order, with new noise added to each magnitude; a step takes one mini-batch of every member. The
members' losses are added, so their gradients are independent, and AdamW works element by element: a
member is trained exactly as it would be alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import torch

from sdssflow.ensembles.adamw import AdamW
from sdssflow.ensembles.batched_networks import Settings, Shape
from sdssflow.ensembles.captured_steps import CapturedStep
from sdssflow.ensembles.photometric_inputs import (
    PhotometricInputs,
    PhotometricNoise,
    photometric_noise,
)

if TYPE_CHECKING:  # benchmarks run where there is no pydantic
    from sdssflow.prepare.parts import Part

WARM_UP = 0.05  # fraction of the steps in which the learning rate rises
ROWS_AT_ONCE = 1 << 20  # members x objects whose inputs are prepared together


class Objective(Protocol):
    """Targets and loss of a training on n objects.

    Attributes
    ----------
    targets : (n,) tensor
        Targets of the train part, followed by the validation part.
    """

    @property
    def targets(self) -> torch.Tensor:
        """As above."""

    def shape(self, inputs: int) -> Shape:
        """Return the sizes of the networks."""

    def initial_parameters(
        self, shape: Shape, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """Return initial parameters of all members."""

    def loss(
        self,
        shape: Shape,
        parameters: torch.Tensor,
        x: torch.Tensor,
        y: torch.Tensor,
        sigma: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return (K, b) losses for inputs (K, b, i), targets (K, b), magnitude errors (K, b, k)."""


Learnt = TypeVar("Learnt", bound=Objective)


@dataclass
class State:
    """State of a training between two epochs; on a GPU also the captured step."""

    epoch: int
    parameters: torch.Tensor
    optimizer: AdamW
    generators: list[torch.Generator]
    best_parameters: torch.Tensor
    lowest_losses: torch.Tensor
    best_epoch: torch.Tensor
    history: list[dict[str, float]]
    captured: CapturedStep | None = None


class EnsembleProgram(Generic[Learnt]):
    """The constant part of a training: rows on the device, sizes, loss."""

    def __init__(
        self,
        settings: Settings,
        seed: int,
        train: Part,
        validation: Part,
        device: torch.device,
        objective: Learnt,
    ):
        self.settings, self.seed, self.device = settings, seed, device
        features = np.concatenate([train.features, validation.features])
        learnt = learnt_from(settings, train, validation)
        self.objective = objective
        names = train.feature_names
        # standardisation is fitted to rows that at least one member is trained on
        inputs = PhotometricInputs.fit(features[:learnt], names, settings.hide_bands > 0)
        self.inputs = inputs.to(device)
        self.shape = self.objective.shape(inputs.count)
        self.x = self.inputs.transform(torch.tensor(features).to(device))
        self.y = self.objective.targets.to(device)
        self.noise: PhotometricNoise = photometric_noise(features, names, self.inputs)
        self.rows: MemberRows = member_rows(settings, seed, len(train), len(validation), device)
        count = self.rows.learnt.shape[1]
        self.batch = min(settings.batch_size or batch_for(count), count)
        self.steps = count // self.batch  # an incomplete last batch is left out
        self.owner = torch.cat(
            [
                torch.arange(self.shape.members).repeat_interleave(math.prod(size[1:]))
                for size in self.shape.tensors()
            ]
        ).to(device)
        self.loss = _loss_function(settings, self.shape, self.objective, device)

    def first_state(self) -> State:
        """Return the state before the first epoch."""
        first = member_generators(self.seed, self.shape.members, torch.device("cpu"))
        parameters = self.objective.initial_parameters(self.shape, first)
        parameters = parameters.to(self.device).requires_grad_()
        rate, decay = self.settings.learning_rate, self.settings.weight_decay
        members = self.shape.members
        return State(
            epoch=0,
            parameters=parameters,
            optimizer=AdamW([parameters], rate, decay, fused=True),
            generators=member_generators(self.seed + 1, self.shape.members, self.device),
            best_parameters=parameters.detach().clone(),
            lowest_losses=torch.zeros(self.rows.stopped_on.shape, device=self.device),
            best_epoch=torch.zeros(members, dtype=torch.int64),
            history=[],
        )

    def finished(self, state: State) -> bool:
        """Whether every member has gone `patience` epochs without a better loss."""
        if not self.rows.stopped_on.shape[1]:
            return False
        return bool((state.epoch - state.best_epoch >= self.settings.patience).all())

    def run_epoch(self, state: State, epoch: int) -> None:
        """Take one step for each mini-batch, then evaluate the objects to stop on."""
        summed = torch.zeros(self.shape.members, dtype=torch.float64, device=self.device)
        step = (epoch - 1) * self.steps
        for x, y, sigma in self.batches(state.generators):
            step += 1
            summed += self.take_step(state, step, x, y, sigma)
        train_loss = (summed / self.steps).cpu()
        if not torch.isfinite(train_loss).all():
            raise ValueError(
                f"the training loss of member {int((~torch.isfinite(train_loss)).nonzero()[0])} is "
                f"not finite in epoch {epoch}; lower learning_rate "
                f"(now {self.settings.learning_rate})"
            )
        held_back = self._held_back_losses(state.parameters)
        kept = self._choose(state, held_back, epoch)
        state.best_parameters = torch.where(
            kept[self.owner], state.parameters.detach(), state.best_parameters
        )
        state.best_epoch = torch.where(kept.cpu(), epoch, state.best_epoch)
        state.epoch = epoch
        state.history.append(
            {
                "epoch": epoch,
                "train_loss": train_loss.mean().item(),
                "validation_loss": held_back.mean().item(),
            }
        )

    def take_step(
        self, state: State, step: int, x: torch.Tensor, y: torch.Tensor, sigma: torch.Tensor | None
    ) -> torch.Tensor:
        """Update all parameters for one mini-batch; return the (K,) losses."""
        rate, batch = self._learning_rate(step), (x, y, sigma)
        if self.device.type == "cuda":
            if state.captured is None:
                descend = functools.partial(self._descend, state)
                state.captured = CapturedStep(descend, state.parameters, state.optimizer, batch)
            return state.captured(rate, batch)
        state.optimizer.learning_rate = rate
        return self._descend(state, *batch)

    def _descend(
        self, state: State, x: torch.Tensor, y: torch.Tensor, sigma: torch.Tensor | None
    ) -> torch.Tensor:
        losses = self.loss(state.parameters, x, y, sigma).mean(dim=1)
        (state.parameters.grad,) = torch.autograd.grad(losses.sum(), state.parameters)
        state.optimizer.step()
        return losses.detach()

    def trained(self, state: State) -> tuple[PhotometricInputs, Shape, torch.Tensor]:
        """Return inputs, sizes and the best parameters, on the CPU."""
        inputs = self.inputs.to(torch.device("cpu"))
        return inputs, self.shape, state.best_parameters.detach().cpu()

    def batches(
        self, generators: list[torch.Generator]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]]:
        """Yield inputs (K, b, i), targets (K, b) and errors (K, b, k) of each step."""
        count, batch = self.rows.learnt.shape[1], self.batch
        orders = [torch.randperm(count, generator=g, device=self.device) for g in generators]
        order = self.rows.learnt.gather(1, torch.stack(orders))
        together = max(1, ROWS_AT_ONCE // (self.shape.members * batch)) * batch
        for start in range(0, self.steps * batch, together):
            rows = order[:, start : min(start + together, self.steps * batch)]
            x, y = self._augmented(rows, generators), self.y[rows]
            sigma = self.noise.sigma[rows] if self.shape.noise_terms else None
            for first in range(0, rows.shape[1], batch):
                part = slice(first, first + batch)
                yield x[:, part], y[:, part], None if sigma is None else sigma[:, part]

    def _augmented(self, rows: torch.Tensor, generators: list[torch.Generator]) -> torch.Tensor:
        """Return inputs with noise added and bands hidden."""
        x, features = self.x[rows], len(self.inputs.mean)
        if self.settings.noise > 0:
            errors = self._draw(torch.randn, rows.shape[1], generators) * self.noise.sigma[rows]
            change = self.settings.noise * errors @ self.noise.response
            x[..., :features] += change * (x[..., :features] != 0)  # missing ones stay 0
        if self.settings.hide_bands > 0:
            drawn = self._draw(torch.rand, rows.shape[1], generators)
            hidden = (drawn < self.settings.hide_bands / drawn.shape[-1]).float()
            x = x * (1 - (hidden @ self.noise.hides).clamp(max=1))
            x[..., features:] = (x + hidden @ self.noise.flags)[..., features:].clamp(max=1)
        return x

    def _draw(
        self, draw: Callable[..., torch.Tensor], count: int, generators: list[torch.Generator]
    ) -> torch.Tensor:
        size = (count, len(self.noise.response))  # a number per object and band
        return torch.stack([draw(size, generator=g, device=self.device) for g in generators])

    def _choose(self, state: State, held_back: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return (K,) bool: members whose parameters of this epoch are kept.

        The loss on some hundred objects is noisy, and the lowest of many epochs is partly so by
        chance, while late parameters profit from the falling learning rate. So an epoch is kept
        unless it is worse than the lowest by more than the standard error of the paired difference.
        """
        # a member without patience left keeps its parameters while others train on
        running = epoch - 1 - state.best_epoch < self.settings.patience
        running = running.to(self.device)
        if not held_back.shape[1]:
            return torch.ones_like(running)
        difference = held_back - state.lowest_losses
        mean = difference.mean(dim=1)
        error = difference.std(dim=1) / math.sqrt(max(held_back.shape[1], 1))
        lowest = running & ((mean < 0) | (epoch == 1))
        state.lowest_losses = torch.where(lowest[:, None], held_back, state.lowest_losses)
        return lowest | (running & (mean <= error))

    def _held_back_losses(self, parameters: torch.Tensor) -> torch.Tensor:
        """Return the (K, m) losses on the objects to stop on; m may be 0."""
        rows = self.rows.stopped_on
        sigma = self.noise.sigma[rows] if self.shape.noise_terms else None
        with torch.no_grad():
            return self.loss(parameters, self.x[rows], self.y[rows], sigma)

    def _learning_rate(self, step: int) -> float:
        total = self.settings.max_epochs * self.steps
        done = step / total
        if done < WARM_UP:
            return self.settings.learning_rate * done / WARM_UP
        falling = (done - WARM_UP) / (1 - WARM_UP)
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * falling))


@dataclass(frozen=True)
class MemberRows:
    """Rows of each member.

    Attributes
    ----------
    learnt : (K, n) int64 tensor
        Rows that a member is trained on.
    stopped_on : (K, m) int64 tensor
        Rows for early stopping of a member; m may be 0.
    """

    learnt: torch.Tensor
    stopped_on: torch.Tensor


def learnt_from(settings: Settings, train: Part, validation: Part) -> int:
    """Return how many of the pooled rows, the first ones, at least one member is trained on."""
    return len(train) + (len(validation) if settings.blocks else 0)


def pooled(name: str, train: Part, validation: Part) -> np.ndarray:
    """Return redshifts or classes of the train part followed by those of the validation part."""
    parts = [train, validation] if len(validation) else [train]
    return np.concatenate([getattr(part, name) for part in parts])


def member_rows(
    settings: Settings, seed: int, train: int, validation: int, device: torch.device
) -> MemberRows:
    """Assign rows 0 .. train + validation - 1 to the members.

    Parameters
    ----------
    settings : Settings
        With `blocks` = B > 0, rows are shuffled and cut into B blocks of equal size (all members
        are trained on the remaining rows, fewer than B), and member k is stopped on block k modulo
        B. Duplicates of an object may be in two blocks: that can only make a member stop late.
        With 0, members are trained on the train part and stopped on the validation part.
    seed : int
        Seed of the blocks.
    train, validation : int
        Numbers of rows of the two parts.
    device : torch.device
        Device of the result.

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
                f"{rows} training objects can't be cut into {settings.blocks} blocks; "
                "use at least 2 blocks, at most half as many as objects, or blocks: 0"
            )
        order = np.random.default_rng([seed, settings.blocks]).permutation(rows)
        size = rows // settings.blocks
        own = [slice(k % settings.blocks * size, (k % settings.blocks + 1) * size)
               for k in range(members)]  # fmt: skip
        stopped_on = np.stack([order[block] for block in own])
        learnt = np.stack([np.delete(order, block) for block in own])
    return MemberRows(torch.tensor(learnt).to(device), torch.tensor(stopped_on).to(device))


def batch_for(count: int) -> int:
    """Return the mini-batch size for `count` objects: the power of two nearest to count / 32.

    With 22,000 objects, batches of 1024 gave the CRPS of batches of 256 within 0.1 %, in less time;
    with 4,000 objects, where steps are few, they cost 1.5 %
    (`benchmarks/measure_ensemble_choices.py`, galaxy_colors_galaxies and boss_dr10).

    >>> batch_for(5_000), batch_for(30_000), batch_for(10**6)
    (256, 1024, 4096)
    """
    return 2 ** min(max(round(math.log2(count / 32)), 8), 12)


def member_generators(seed: int, members: int, device: torch.device) -> list[torch.Generator]:
    """Return a generator for each member, which depends only on the seed and its number."""
    seeds = np.random.SeedSequence(seed).spawn(members)
    numbers = [int(each.generate_state(1, np.uint64)[0] >> 1) for each in seeds]
    return [torch.Generator(device).manual_seed(number) for number in numbers]


def _loss_function(
    settings: Settings, shape: Shape, objective: Objective, device: torch.device
) -> Callable[..., torch.Tensor]:
    """Return the loss: with mixed precision, or on a GPU compiled, as configured."""

    def loss(
        parameters: torch.Tensor, x: torch.Tensor, y: torch.Tensor, sigma: torch.Tensor | None
    ) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.bfloat16):
            return objective.loss(shape, parameters, x, y, sigma)

    return torch.compile(loss) if settings.compiled and device.type == "cuda" else loss
