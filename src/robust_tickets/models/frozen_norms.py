"""Batch norms that never change: their statistics, scale and shift do not train.

That is how detectors are fine-tuned, because a batch of few images has no statistics worth the name. torchvision keeps
all four tensors of such a norm as buffers (`FrozenBatchNorm2d`). Here scale and shift are parameters as in any other
norm, so that a channel ticket masks them and removal cuts them.
"""

from functools import cache
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.ops import FrozenBatchNorm2d


class FrozenNorm(nn.Module):
    """What is added to a batch norm so that it stays as it is: it is always in evaluation mode."""

    def train(self, mode: bool = True) -> Any:
        """Stay in evaluation mode, whatever is asked for."""
        return super().train(False)


def freeze(norm: _BatchNorm) -> None:
    """Freeze a batch norm of any class, in place; its tensors keep their names."""
    norm.__class__ = _frozen(type(norm))
    norm.track_running_stats = False
    norm.requires_grad_(False).eval()


def freeze_norms(module: nn.Module) -> None:
    """Freeze every batch norm in a module that has statistics, in place."""
    for norm in module.modules():
        if isinstance(norm, _BatchNorm) and norm.running_mean is not None and not isinstance(norm, FrozenNorm):
            freeze(norm)


def frozen_parameters(body: nn.Module) -> frozenset[str]:
    """Return the names of the scales and shifts that do not train."""
    return frozenset(
        f"{path}.{name}".lstrip(".")
        for path, module in body.named_modules()
        if isinstance(module, FrozenNorm)
        for name, _ in module.named_parameters(recurse=False)
    )


def foreign_norms(module: nn.Module) -> list[FrozenBatchNorm2d]:
    """Return torchvision's frozen norms in a module."""
    return [part for part in module.modules() if isinstance(part, FrozenBatchNorm2d)]


def adopt_norms(module: nn.Module) -> None:
    """Put frozen batch norms in the place of torchvision's in a module, in place, wherever each stands.

    Names and values of all tensors stay as they are.
    """
    ours = {theirs: _adopted(theirs) for theirs in foreign_norms(module)}
    for owner in list(module.modules()):
        for leaf, child in list(owner._modules.items()):
            if isinstance(child, FrozenBatchNorm2d):
                setattr(owner, leaf, ours[child])


def _adopted(theirs: FrozenBatchNorm2d) -> nn.BatchNorm2d:
    state = theirs.state_dict()
    ours = nn.BatchNorm2d(len(state["weight"]), eps=theirs.eps, device=state["weight"].device)
    ours.register_buffer("num_batches_tracked", None)  # theirs counts none
    freeze(ours)
    ours.load_state_dict(state)
    return ours


@cache
def _frozen(kind: type[_BatchNorm]) -> type[_BatchNorm]:
    return type(f"Frozen{kind.__name__}", (FrozenNorm, kind), {})  # pyright: ignore[reportReturnType]
