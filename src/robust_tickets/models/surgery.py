"""Masking channels, and removing them for good: smaller tensors, and attributes that agree with them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robust_tickets.models.channels import ChannelSet, Port, channel_dim, positions_of
from robust_tickets.models.reduced_attention import ReducedAttention
from robust_tickets.pruning.couplings import Coupling

HEADS = ("num_heads", "num_attention_heads", "n_heads")
"""Attributes by which attention layers of torch, timm and Hugging Face count their heads."""

WIDTHS_OF_HEADS = ("attn_dim", "all_head_size")
"""Attributes by which they give the width of all heads together."""


def cut_channels(body: nn.Module, sets: Mapping[str, ChannelSet], removed: Mapping[str, Tensor]) -> None:
    """Remove channels from `body` in place.

    Args:
        body: the network that was traced, or a copy of it, not yet cut.
        sets: the ports each coupling runs through, by the coupling's name.
        removed: bool [channels] for the names of the couplings to shrink, True = remove. At least one channel
            of each must stay.
    """
    _remove_positions(body, positions_of(sets, removed))


def mask_channels(body: nn.Module, coupling: Coupling, dead: Tensor) -> None:
    """Set every element of the dead channels (bool [channels]) to zero, producers and followers, in place."""
    with torch.no_grad():
        for member in (*coupling.producers, *coupling.followers):
            parameter = body.get_parameter(member.parameter)
            parameter.index_fill_(member.dim, member.index[dead].flatten().to(parameter.device), 0.0)


def _remove_positions(body: nn.Module, removed: Mapping[Port, Tensor]) -> None:
    for port, positions in removed.items():
        if port.role == "bare":
            path, _, leaf = port.module.rpartition(".")
            owner = body.get_submodule(path)
            parameter = getattr(owner, leaf)
            _select(owner, leaf, channel_dim(parameter), _kept(parameter.numel(), positions))
            continue
        if port.role == "columns":
            path, _, leaf = port.module.rpartition(".")
            owner = body.get_submodule(path)
            _select(owner, leaf, 1, _kept(getattr(owner, leaf).shape[1], positions))
            continue
        module = body.get_submodule(port.module)
        if port.role == "heads":
            _count_fewer_heads(module, len(positions))
        elif isinstance(module, nn.MultiheadAttention):
            kept = _kept(len(module.in_proj_weight), positions)
            for name in ("in_proj_weight", "in_proj_bias"):
                _select(module, name, 0, kept)
            module.__class__ = ReducedAttention
        elif isinstance(module, nn.modules.conv._ConvNd):
            _shrink_convolution(module, port.role, positions)
        elif isinstance(module, nn.Linear):
            _shrink_linear(module, port.role, positions)
        elif isinstance(module, nn.GroupNorm):
            kept = _kept(module.num_channels, positions)
            for name in ("weight", "bias"):
                _select(module, name, 0, kept)
            module.num_groups = module.num_groups * len(kept) // module.num_channels
            module.num_channels = len(kept)
        elif isinstance(module, nn.modules.batchnorm._NormBase):
            kept = _kept(module.num_features, positions)
            for name in ("weight", "bias", "running_mean", "running_var"):
                _select(module, name, 0, kept)
            module.num_features = len(kept)
        elif isinstance(module, nn.PReLU):
            kept = _kept(module.num_parameters, positions)
            _select(module, "weight", 0, kept)
            module.num_parameters = len(kept)


def heads_of(module: nn.Module) -> dict[str, int]:
    """Return the attributes of a module that count its heads."""
    return {name: count for name in HEADS if isinstance(count := vars(module).get(name), int)}


def _count_fewer_heads(module: nn.Module, removed: int) -> None:
    """Correct the attributes that count heads, and those that give the width of all heads together."""
    for name, heads in heads_of(module).items():
        setattr(module, name, heads - removed)
        for width in WIDTHS_OF_HEADS:
            if isinstance(wide := vars(module).get(width), int):
                setattr(module, width, wide // heads * (heads - removed))


def _shrink_convolution(layer: nn.modules.conv._ConvNd, role: str, positions: Tensor) -> None:
    if role == "out":
        kept = _kept(layer.out_channels, positions)
        _select(layer, "weight", 0, kept)
        _select(layer, "bias", 0, kept)
        if layer.groups > 1:
            outputs, inputs = layer.out_channels // layer.groups, layer.in_channels // layer.groups
            layer.groups = len(kept) // outputs
            layer.in_channels = layer.groups * inputs
        layer.out_channels = len(kept)
    elif layer.groups == 1:
        kept = _kept(layer.in_channels, positions)
        _select(layer, "weight", 1, kept)
        layer.in_channels = len(kept)
    # The input of a grouped convolution shrinks with its groups, which the output side has counted already.


def _shrink_linear(layer: nn.Linear, role: str, positions: Tensor) -> None:
    if role == "out":
        kept = _kept(layer.out_features, positions)
        _select(layer, "weight", 0, kept)
        _select(layer, "bias", 0, kept)
        layer.out_features = len(kept)
    else:
        kept = _kept(layer.in_features, positions)
        _select(layer, "weight", 1, kept)
        layer.in_features = len(kept)


def _kept(size: int, positions: Tensor) -> Tensor:
    keep = torch.ones(size, dtype=torch.bool)
    keep[positions] = False
    return keep.nonzero().flatten()


def _select(module: nn.Module, name: str, dim: int, kept: Tensor) -> None:
    tensor = getattr(module, name)
    if tensor is None:
        return
    smaller = tensor.detach().index_select(dim, kept.to(tensor.device)).contiguous()
    if isinstance(tensor, nn.Parameter):
        smaller = nn.Parameter(smaller, requires_grad=tensor.requires_grad)
    setattr(module, name, smaller)
