"""Loading a state dict without a missing, unexpected or misshapen tensor, or saying which those are."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError


def mismatches(body: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Return one phrase for each kind of difference between a network's tensors and a state dict; [] if none.

    Files older than PyTorch 0.4.1 lack the counters `num_batches_tracked`; that is not a difference.
    """
    own = body.state_dict()
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    missing = [name for name in own if name not in state and name not in counters]
    unexpected = [name for name in state if name not in own]
    misshapen = [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and state[name].shape != tensor.shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen))
    return [f"{len(names)} {kind}: {_few(names)}" for kind, names in kinds if names]


def load_strictly(body: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Copy a state dict without mismatches, from the file `where`; half precision becomes the network's own.

    Raises:
        UserError: a tensor holds NaN or infinity.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{where}: {name} holds NaN or infinity; these weights are broken")
    body.load_state_dict({**body.state_dict(), **state})


def _few(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (", ..." if names[3:] else "")
