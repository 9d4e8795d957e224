"""Surviving values of masked tensors, as files keep them."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.masks import Masks


def compress(state: Mapping[str, Tensor], masks: Masks) -> dict[str, Tensor]:
    """Keep of every masked tensor only the surviving values, in their order."""
    return {
        name: value[masks[name]].contiguous() if name in masks else value.contiguous() for name, value in state.items()
    }


def decompress(state: Mapping[str, Tensor], masks: Masks) -> dict[str, Tensor]:
    """Undo `compress`: removed values are zero."""
    full = {}
    for name, value in state.items():
        if name in masks:
            full[name] = torch.zeros(masks[name].shape, dtype=value.dtype)
            full[name][masks[name]] = value
        else:
            full[name] = value
    return full


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except SafetensorError as error:
        raise UserError(f"{path}: is not a valid safetensors file ({error})") from None
