"""What a checkpoint holds besides the network that is taken from it, and how that is told."""

from collections import Counter
from collections.abc import Iterator, Mapping

from torch import Tensor

from robust_tickets.models.formats.places import NetworkPlace
from robust_tickets.models.formats.self_supervised import is_part, original_of
from robust_tickets.models.formats.states import is_averaged

COUNTER = "n_averaged"
"""Of `AveragedModel`, which is no part of a network."""

MOST = 8
"""Modules that are named; more are counted."""


def left_out(
    place: NetworkPlace,
    others: list[NetworkPlace],
    partial: list[NetworkPlace],
    inside: list[str],
    states: Mapping[str, Mapping[str, Tensor]],
) -> list[str]:
    """Return the names of what is neither the network nor another like it, behind their entry if it is another one.

    Entries count that hold one of those networks, or are next to the one that holds the network; the rest of a
    checkpoint is the state of training.

    Args:
        place: where the network is.
        others: where networks like it are.
        partial: where parts of such networks are, which are told of otherwise.
        inside: the names in its state dict that are taken.
        states: all state dicts of the checkpoint.
    """
    told: dict[str, Mapping[str, Tensor]] = {one.reading.entry: one.reading.state for one in (*others, place)}
    container = place.reading.entry.rpartition(".")[0]
    for entry, state in states.items():
        if entry.rpartition(".")[0] == container and entry not in {one.reading.entry for one in partial}:
            told.setdefault(entry, state)
    found: list[str] = []
    for entry, state in told.items():
        own = entry == place.reading.entry
        taken = {*inside} if own else frozenset[str]()
        prefixes = tuple(one.prefix for one in others if one.reading.entry == entry and (one.prefix or not own))
        outer = "" if own else f"{entry}."
        found += [f"{outer}{name}" for name in state if name not in taken and not name.startswith(prefixes)]
    return [name for name in found if name.rpartition(".")[2] != COUNTER]


def notes_about(
    place: NetworkPlace, others: list[NetworkPlace], partial: list[NetworkPlace], names: list[str]
) -> Iterator[str]:
    """Yield in a line each which of several networks is taken, what was left out by name, and which average was not."""
    own = place.reading.entry
    # Lightning's WeightAveraging puts the average where the raw weights were.
    swapped = own == "state_dict" and any(one.reading.entry == "current_model_state" for one in others)
    average = ", the moving average" if swapped or is_averaged(place.name) else ""
    said = []
    if others:
        alike = {one.name for one in (place, *others)}
        copies = {one.name for one in others if original_of(one.name, alike) == place.name}
        listed = [f"{one.name}, its momentum copy" if one.name in copies else one.name for one in others[:4]]
        chosen = f"which `weights_entry: {others[0].name}` would choose"
        said.append(f"{place.name}{average}; not {' and '.join(listed)}, {chosen}")
    elif average:
        said.append(f"{place.name}{average}")
    elif names and not any(name.startswith(place.prefix) for name in names):
        said.append(f"only {place.prefix}* is the network")
    if names:
        outer = [one.prefix if one.reading.entry == own else f"{one.reading.entry}.{one.prefix}" for one in others]
        container = own[: own.rfind(".") + 1]
        said.append(f"left out: {_grouped(names, [place.prefix, container, *outer])}")
    if said:
        yield f"weights: {'; '.join(said)}"
    for one in partial:
        yield f"weights: {place.name}; not the moving average {one.name}, which lacks some of the network's tensors"


def _grouped(names: list[str], prefixes: list[str]) -> str:
    """Return modules and tensors in place of names, the parts of self-supervised training first."""
    groups = Counter(_module(name, prefixes) for name in sorted(names))
    listed = sorted(groups, key=lambda group: not is_part(group))
    left = [f"{group} ({groups[group]} tensors)" if groups[group] > 1 else group for group in listed]
    return ", ".join(left[:MOST]) + (f" and {len(left) - MOST} more" if left[MOST:] else "")


def _module(name: str, prefixes: list[str]) -> str:
    """Return the outermost module of a name in which none of the networks behind these prefixes is."""
    depth, parts = 1, name.split(".")
    while depth < len(parts) and any(prefix.startswith(f"{'.'.join(parts[:depth])}.") for prefix in prefixes):
        depth += 1
    return ".".join(parts[:depth])
