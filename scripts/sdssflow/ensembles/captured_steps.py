"""A training step on a GPU as one CUDA graph.

A step of small networks is some hundred small kernels. Launching them one by one from Python takes
longer than they run, so the GPU waits; a captured graph is launched as a whole (PyTorch's
documentation, "CUDA Graphs").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from sdssflow.ensembles.adamw import AdamW

WARM_UP_STEPS = 3  # before a capture, for libraries to initialise and compilers to compile


class CapturedStep:
    """A training step, captured once, then repeated with other values.

    Parameters
    ----------
    take_step : callable
        Takes a step for the tensors of a mini-batch and returns the losses. It must not
        synchronise with the GPU.
    parameters : torch.Tensor
        Updated in place by a step.
    optimizer : AdamW
        `fused`. Its learning rate becomes a tensor on the GPU.
    batch : sequence of torch.Tensor or None
        A mini-batch; all others must have its shapes.

    Notes
    -----
    The capture leaves parameters and moments unchanged.
    """

    def __init__(
        self,
        take_step: Callable[..., torch.Tensor],
        parameters: torch.Tensor,
        optimizer: AdamW,
        batch: Sequence[torch.Tensor | None],
    ):
        self.batch = [None if each is None else each.contiguous().clone() for each in batch]
        self.learning_rate = torch.zeros((), device=parameters.device)
        optimizer.learning_rate = self.learning_rate
        changed = [parameters.detach(), *(each for (each,) in optimizer.moments.values())]
        before = [each.clone() for each in changed]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_STEPS):
                take_step(*self.batch)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.losses = take_step(*self.batch)
        for each, kept in zip(changed, before, strict=True):
            each.copy_(kept)

    def __call__(self, learning_rate: float, batch: Sequence[torch.Tensor | None]) -> torch.Tensor:
        """Take a step; the returned losses are overwritten by the next one."""
        self.learning_rate.fill_(learning_rate)
        for kept, given in zip(self.batch, batch, strict=True):
            if kept is not None and given is not None:
                kept.copy_(given)
        self.graph.replay()
        return self.losses
