"""Masks: which weights of a network are kept.

A mask is a bool tensor of its parameter's shape, True where the weight is kept. Masks of coupled groups also
cover biases and norm parameters; those are masked with their channel but never counted in sparsity, so the
counting functions take the names that count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import np, torch

if TYPE_CHECKING:
    from torch import Tensor


Masks = dict[str, "Tensor"]
"""Parameter name -> bool tensor of the parameter's shape, True = kept."""


def full(weights: Mapping[str, Tensor]) -> Masks:
    """Return masks that keep everything, on the devices of `weights`."""
    return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}


def sparsity(masks: Mapping[str, Tensor], names: Iterable[str] | None = None) -> float:
    """Return the fraction of weights removed, in [0, 1], over `names` (default: every mask).

    Pass the names of the prunable weights when the masks come from coupled groups: masked biases and norm
    parameters do not count.
    """
    counted = [masks[name] for name in (masks if names is None else names)]
    kept = sum(int(torch.count_nonzero(mask)) for mask in counted)
    total = sum(mask.numel() for mask in counted)
    return 1.0 - kept / total if total else 0.0


def layer_sparsity(masks: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the fraction removed of each mask, in [0, 1]."""
    return {name: sparsity(masks, [name]) for name in masks}


def emptied(masks: Mapping[str, Tensor], names: Iterable[str] | None = None) -> tuple[str, ...]:
    """Name the masks that keep nothing at all, among `names` (default: every mask)."""
    return tuple(name for name in (masks if names is None else names) if not bool(masks[name].any()))


def is_nested(inner: Mapping[str, Tensor], outer: Mapping[str, Tensor]) -> bool:
    """Tell whether everything `inner` keeps is also kept by `outer` (same names, same shapes)."""
    return all(not bool((mask & ~outer[name]).any()) for name, mask in inner.items())


def distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Return the fraction of weights that one keeps and the other does not, in [0, 1]; of the same names and shapes."""
    differing = sum(int(torch.count_nonzero(mask ^ other[name])) for name, mask in one.items())
    return differing / sum(mask.numel() for mask in one.values())


def pack(masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pack each mask into a flat uint8 tensor on the CPU: eight weights per byte, the first in the high bit."""
    return {
        name: torch.from_numpy(np.packbits(mask.detach().cpu().contiguous().numpy().reshape(-1)))
        for name, mask in masks.items()
    }


def unpack(packed: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> Masks:
    """Undo `pack`, given the shape of each mask.

    Raises:
        ValueError: a packed tensor does not have the number of bytes its shape needs.
    """
    masks: Masks = {}
    for name, packed_mask in packed.items():
        shape = tuple(shapes[name])
        count = math.prod(shape)
        if packed_mask.numel() != (count + 7) // 8:
            raise ValueError(f"mask {name}: {packed_mask.numel()} bytes cannot encode shape {shape}")
        bits = np.unpackbits(packed_mask.cpu().numpy(), count=count)
        masks[name] = torch.from_numpy(bits.view(np.bool_)).reshape(shape)
    return masks


def masks_inside(masks: Masks, path: str) -> Masks:
    """Return the masks of the weights inside a module, by their names in it; nothing if none of them has one."""
    return {name.removeprefix(f"{path}."): mask for name, mask in masks.items() if name.startswith(f"{path}.")}
