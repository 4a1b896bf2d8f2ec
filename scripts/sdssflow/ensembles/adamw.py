"""AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), bit for bit that of torch.optim.

The first step of an optimizer of torch.optim imports torch's compiler, which takes 1.5 s of each
training and is not used.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

BETAS = (0.9, 0.999)  # decay of the means of the gradient and of its square
EPSILON = 1e-8


class AdamW:
    """Updates parameters in place.

    Parameters
    ----------
    parameters : iterable of torch.Tensor
        Parameters, whose `grad` is used.
    learning_rate : float
        Step size.
    weight_decay : float
        Each step shrinks a parameter by this fraction times the learning rate.
    fused : bool
        Use one kernel, which rounds differently and can be captured in a CUDA graph.

    Attributes
    ----------
    learning_rate : float or () tensor
        May be changed between steps; a tensor only if `fused`.
    moments : dict of str to list of torch.Tensor
        `step`, `exp_avg`, `exp_avg_sq`: for each parameter the number of steps and the running
        means of the gradient and its square.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        learning_rate: float,
        weight_decay: float,
        fused: bool = False,
    ):
        self.parameters = list(parameters)
        self.learning_rate: float | torch.Tensor = learning_rate
        self.weight_decay, self.fused = weight_decay, fused
        device = self.parameters[0].device if fused else "cpu"
        self.moments = {
            "step": [torch.zeros((), device=device) for _ in self.parameters],
            "exp_avg": [torch.zeros_like(each.detach()) for each in self.parameters],
            "exp_avg_sq": [torch.zeros_like(each.detach()) for each in self.parameters],
        }

    @torch.no_grad()
    def step(self) -> None:
        """Take a step."""
        rate, decay, (beta1, beta2) = self.learning_rate, self.weight_decay, BETAS
        steps, averages, squares = self.moments.values()
        gradients = [each.grad for each in self.parameters if each.grad is not None]
        torch._foreach_add_(steps, 1)
        if self.fused:
            torch._fused_adamw_(
                self.parameters, gradients, averages, squares, [], steps, lr=rate, beta1=beta1,
                beta2=beta2, weight_decay=decay, eps=EPSILON, amsgrad=False, maximize=False,
                grad_scale=None, found_inf=None,
            )  # fmt: skip
            return
        step = steps[0].item()
        torch._foreach_mul_(self.parameters, 1 - rate * decay)
        torch._foreach_lerp_(averages, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, (1 - beta2**step) ** 0.5)
        torch._foreach_add_(roots, EPSILON)
        torch._foreach_addcdiv_(self.parameters, averages, roots, -rate / (1 - beta1**step))
