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


def with_ties(body: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return a state dict with a tensor under every name that the network ties it to; files may have one of them."""
    names: dict[int, list[str]] = {}
    for name, parameter in body.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    dropped: dict[str, Tensor] = {}
    for tied in names.values():
        kept = [name for name in tied if name in state]
        if kept and len(tied) > 1:
            dropped |= {name: state[kept[0]] for name in tied if name not in state}
    return {**state, **dropped} if dropped else state


def missing_layer(body: nn.Module, state: Mapping[str, Tensor]) -> str | None:
    """Return the path of the one layer that a state dict lacks, as a backbone lacks its head; None if it lacks others.

    What a state dict has below that path instead, such as the layers of a self-supervised projector, does not count.
    """
    own = body.state_dict()
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    path = missing[0].rpartition(".")[0] if missing else ""
    if not path or not isinstance(layer := body.get_submodule(path), nn.Linear | nn.Conv2d):
        return None
    whole = {f"{path}.{name}" for name in layer.state_dict()}
    unexpected = [name for name in state if name not in own]
    top = path.partition(".")[0]
    return path if set(missing) == whole and all(name.startswith(f"{top}.") for name in unexpected) else None


def with_layer(body: nn.Module, path: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network's tensors of a state dict with its own, random ones for the layer at `path`."""
    own = body.state_dict()
    layer = {name: tensor for name, tensor in own.items() if name.startswith(f"{path}.")}
    return {name: tensor for name, tensor in state.items() if name in own} | layer


def load_strictly(body: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Copy a state dict without mismatches, from the file `where`; half precision becomes the network's own.

    Raises:
        UserError: a tensor holds NaN or infinity, or whole numbers where the network has others.
    """
    own = body.state_dict()
    for name, tensor in state.items():
        if own[name].is_floating_point() and not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(
                f"{where}: {name} contains {kind}, but the network has floating-point weights; give those instead"
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{where}: {name} contains NaN or infinity; these weights are broken")
    body.load_state_dict({**own, **state})


def _few(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (", ..." if names[3:] else "")
