"""Which state dicts a checkpoint holds, wherever training scripts put them, and which of them is meant."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError

AVERAGED = re.compile(r"(?:^|[._-])ema(?:$|[._-])", re.IGNORECASE)
"""Where exponential moving averages of the weights are kept: `state_dict_ema` (timm), `model_ema` (torchvision and
DeiT), `ema_state_dict` (OpenMMLab and FixMatch), `ema_model` (USB), `params_ema` (BasicSR), `ema` (DiT), and what else
has the word in its name. What a model is evaluated with, by its authors' own scripts."""

ENTRIES = (
    "state_dict",
    "model",
    "model_state_dict",
    "model_state",
    "net",
    "network",
    "module",
    "params",
    "weights",
    "encoder",
    "backbone",
)
"""Where training scripts keep the state dict inside a checkpoint, in order of precedence."""

DISTILLED = ("teacher", "student")
"""DINO, lightly and mean teachers: the teacher is the average of the student; next to any other entry it taught that
one."""


def rank(place: str) -> tuple[int, int]:
    """Return a place's precedence, least first: averages, known entries, others, a teacher, a student.

    Args:
        place: names joined by dots, of entries or of modules.
    """
    parts = place.split(".")
    if AVERAGED.search(place):
        return 0, 0
    for late, name in enumerate(DISTILLED):
        if name in re.split(r"[._]", place):
            return 2, late
    known = [ENTRIES.index(part) for part in parts if part in ENTRIES]
    return 1, known[0] if known else len(ENTRIES)


def is_averaged(place: str) -> bool:
    """Return whether a place holds an exponential moving average."""
    return rank(place)[0] == 0


def nameless_averages(checkpoint: Any) -> tuple[str, ...]:
    """Return the entries that hold a moving average as a list of tensors, as torch_ema's `shadow_params`.

    Nothing says which of the network's parameters is which, so it is not loaded, and has to be told of.
    """
    entries = checkpoint.items() if isinstance(checkpoint, Mapping) else ()
    return tuple(
        str(entry)
        for entry, value in entries
        if is_averaged(str(entry))
        and isinstance(value, Mapping)
        and any(isinstance(one, list | tuple) and one and isinstance(one[0], Tensor) for one in value.values())
    )


def states_in(checkpoint: Any, where: str) -> dict[str, dict[str, Tensor]]:
    """Return every state dict inside a checkpoint by its place, the one of highest precedence first.

    Places are keys joined by dots, "" for the checkpoint itself; the only item of a list does not count.

    Raises:
        UserError: there is none; the message says what is there instead. `where` names the file.
    """
    found = dict(_walk(checkpoint, "", set()))
    if not found:
        raise UserError(f"{where}: {_instead(checkpoint)}")
    masks = _masks_of_sparsifier(checkpoint)
    for state in found.values():
        for name, tensor in state.items():
            state[name] = _ordinary(tensor, name, where)
        _add_masks(state, masks)
    most = max(map(len, found.values()))  # the state of a loss, such as DINO's center, has few
    return dict(sorted(found.items(), key=lambda item: (10 * len(item[1]) < most, rank(item[0]))))


def _walk(content: Any, place: str, seen: set[int]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    if id(content) in seen:
        return  # a pickle may hold itself
    seen.add(id(content))
    if isinstance(content, list | tuple):
        for index, item in enumerate(content):
            yield from _walk(item, _joined(place, str(index)) if len(content) > 1 else place, seen)
    if not isinstance(content, Mapping) or "param_groups" in content:  # an optimizer's state
        return
    inner = [
        found
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Mapping | list | tuple)
        for found in _walk(value, _joined(place, name), seen)
    ]
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    # State dicts come with single tensors, such as a best accuracy; tensors come with their modules' extra state.
    if len(tensors) > max((len(state) for _, state in inner), default=0):
        yield place, tensors
    else:
        yield from inner


def _ordinary(tensor: Tensor, name: str, where: str) -> Tensor:
    """Return a sparse tensor with its zeros, any other real one as it is.

    Raises:
        UserError: it is quantised, has no data, or holds complex numbers.
    """
    if tensor.is_quantized:
        raise UserError(f"{where}: {name} is quantised; give the floating-point weights it was made from")
    if tensor.is_meta:
        raise UserError(f"{where}: {name} is on the meta device, without data; save the weights themselves")
    if tensor.is_complex():
        raise UserError(f"{where}: {name} contains complex numbers, which no layer supports")
    return tensor if tensor.layout == torch.strided else tensor.to_dense()


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _masks_of_sparsifier(checkpoint: Any) -> dict[str, Tensor]:
    """Return the masks in the state of a sparsifier of torch.ao.pruning, by the name of their weights.

    Its parametrisation, `FakeSparsity`, keeps its mask out of the network's state dict.
    """
    found: dict[str, Tensor] = {}
    for entry in checkpoint.values() if isinstance(checkpoint, Mapping) else ():
        kept = entry.get("state") if isinstance(entry, Mapping) and "groups" in entry else None
        for name, facts in kept.items() if isinstance(kept, Mapping) else ():
            if isinstance(facts, Mapping) and isinstance(facts.get("mask"), Tensor):
                found[str(name)] = facts["mask"]
    return found


def _add_masks(state: dict[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Put a sparsifier's masks where parametrisations that do save theirs have them."""
    for name, mask in masks.items():
        owner, _, leaf = name.rpartition(".")
        list_of = _joined(owner, f"parametrizations.{leaf}")
        for original in [n for n in state if n == f"{list_of}.original" or n.endswith(f".{list_of}.original")]:
            state.setdefault(f"{original.removesuffix('original')}0.mask", mask)


def _instead(checkpoint: Any) -> str:
    """Say what a checkpoint without a state dict holds."""
    if isinstance(checkpoint, Mapping) and "param_groups" in checkpoint:
        return "is the state of an optimizer, not of a network; the weights are in another file or entry"
    while isinstance(checkpoint, list | tuple) and len(checkpoint) == 1:
        checkpoint = checkpoint[0]
    if not isinstance(checkpoint, Mapping):
        return f"contains a {type(checkpoint).__name__}, not a state dict"
    if checkpoint and all(isinstance(value, Mapping) and "param_groups" in value for value in checkpoint.values()):
        return f"contains only optimizer states ({', '.join(map(str, checkpoint))}); the weights are elsewhere"
    return (
        f"no state dict in it; it contains {', '.join(map(str, list(checkpoint)[:8])) or 'nothing'}; expected tensors "
        f"by name, or an entry {' or '.join(ENTRIES[:3])}"
    )
