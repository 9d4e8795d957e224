"""From a checkpoint to the bare tensors of an architecture: the most complete network that is in the file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.formats.layout import Unwrapped, strip
from robust_tickets.models.formats.left_out import left_out, notes_about
from robust_tickets.models.formats.madry import madry
from robust_tickets.models.formats.places import NetworkPlace, places
from robust_tickets.models.formats.self_supervised import (
    NORMALISED,
    code_of,
    instead_of_head,
    is_inside,
    original_of,
)
from robust_tickets.models.formats.states import is_averaged, nameless_averages, rank, states_in
from robust_tickets.models.formats.wrappers import without_wrappers

SHARED = ("module.", "model.", "net.", "network.", "1.module.", "1.")
"""Prefixes that are reported if no architecture determines which names are wanted."""


class Checkpoint:
    """What a file holds, before it is known of which architecture."""

    def __init__(self, content: Any, where: str) -> None:
        """Find the state dicts in what was read from the file `where`.

        Raises:
            UserError: there is none.
        """
        self.where = where
        self.states = states_in(content, where)
        self.nameless = nameless_averages(content)

    def unwrap(self, wanted: Mapping[str, Tensor], entry: str | None = None) -> Unwrapped:
        """Return the bare tensors of an architecture: the most complete network in the file, averaged if there is one.

        Args:
            wanted: the architecture's own tensors by name, of which names and shapes count; if none of them is
                found, the first state dict is returned as it is.
            entry: which of several networks, as `weights_entry` names it; None takes the one above.

        Raises:
            UserError: there is no such entry; the message lists those that there are.
        """
        found = [place for name, state in self.states.items() for place in places(name, state, wanted)]
        best = max((place.completeness for place in found), default=(0, 0))
        fitting = [place for place in found if place.completeness == best]
        names = {place.name for place in fitting}
        fitting.sort(key=lambda p: (rank(p.name)[0], original_of(p.name, names) is not None, rank(p.name)[1], p.depth))
        if entry is not None:
            return self._bare(self._named(entry, fitting, found), fitting, [], wanted)
        if not fitting:
            return Unwrapped(dict(next(iter(self.states.values()))), "plain state dict")
        partial = [p for p in found if is_averaged(p.name) and p not in fitting and 2 * p.agreeing > best[0]]
        if is_averaged(fitting[0].name):
            return self._bare(fitting[0], fitting, [], wanted)
        bare = self._bare(fitting[0], fitting, partial, wanted)
        untaken = tuple(
            f"weights: {fitting[0].name}; not the moving average in {entry}, a list that names no parameters: copy it "
            "into the network with the library that wrote it (torch_ema: `ema.copy_to()`) and save that"
            for entry in self.nameless
        )
        return replace(bare, notes=(*bare.notes, *untaken))

    def _bare(
        self, place: NetworkPlace, fitting: list[NetworkPlace], partial: list[NetworkPlace], wanted: Iterable[str]
    ) -> Unwrapped:
        """Return the tensors at a place, and tell what else is in the file."""
        reading, prefix = place.reading, place.prefix
        others = [one for one in fitting if one.name != place.name]
        beside = tuple(one.prefix for one in others if one.reading.entry == reading.entry and one.prefix)
        inside = [name for name in reading.state if name.startswith(prefix)]
        if not prefix and beside:
            inside = [name for name in inside if not name.startswith(beside)]
        wanted = [*wanted]
        inside = [name for name in inside if not is_inside(name.removeprefix(prefix), wanted)]
        now = reading.renamed.names
        kinds = {
            kind: sum(now.get(name, name).startswith(prefix) for name in names)
            for kind, names in reading.plain.kinds.items()
        }
        details = [f"{kind} of {count} tensors" for kind, count in kinds.items() if count]
        details += ["numbered children"] if reading.renamed.numbered else []
        code = reading.renamed.code or code_of(prefix, reading.state.keys())
        mean, std = NORMALISED.get(code, (reading.renamed.mean, reading.renamed.std))
        details += [f"names of {code}"] if code else []
        masks = {now.get(name, name): mask for name, mask in reading.plain.masks.items()}
        whole = reading.madry or Unwrapped(
            {},
            _layout(prefix, reading.state, reading.wrappers),
            mean=mean,
            std=std,
            normaliser=f"the training script of {code}",
            code=code,
        )
        return replace(
            whole,
            state={name.removeprefix(prefix): reading.state[name] for name in inside},
            layout=", ".join([whole.layout, *details]),
            masks=strip(masks, prefix),
            reparametrised={kind: count for kind, count in kinds.items() if count},
            instead_of_head=instead_of_head([place.name, *(one.name for one in others)], self.states),
            unknown=tuple(
                name
                for name in (name.removeprefix(prefix) for name in reading.plain.unknown if name.startswith(prefix))
                if not is_inside(name, wanted)
            ),
            notes=tuple(notes_about(place, others, partial, left_out(place, others, partial, inside, self.states))),
        )

    def _named(self, entry: str, fitting: list[NetworkPlace], found: list[NetworkPlace]) -> NetworkPlace:
        """Return the place that a user means by `entry`: its name, the end of it, or its beginning."""
        for matches in (
            lambda name: name == entry,
            lambda name: f".{name}".endswith(f".{entry}"),
            lambda name: f"{name}.".startswith(f"{entry}."),
        ):
            if meant := [place for place in found if matches(place.name)]:
                return max(meant, key=lambda place: place.completeness)
        there = [place.name for place in fitting] or list(self.states)
        raise UserError(f"weights_entry: {self.where} has no {entry!r}; it has {', '.join(map(repr, there[:8]))}")


def layout_of(state: Mapping[str, Tensor]) -> Unwrapped:
    """Return what can be told of a state dict without an architecture: its layout, its normaliser if it has one."""
    if (found := madry(state)) is not None:
        return found
    bare, wrappers = without_wrappers(state)
    stripped = ""
    while prefix := next((p for p in SHARED if all(name.startswith(stripped + p) for name in bare)), ""):
        stripped += prefix
    return Unwrapped(strip(bare, stripped), _layout(stripped, bare, wrappers))


def _layout(prefix: str, names: Mapping[str, Tensor], wrappers: Iterable[str]) -> str:
    """Say in words how a state dict is laid out."""
    if "n_averaged" in names and prefix:
        layout = f"AveragedModel state dict ({prefix}*)"
    elif not prefix:
        layout = "plain state dict"
    elif prefix in ("1.", "1.module.") and all(name.startswith(prefix) for name in names):
        layout = f"Cohen smoothing ({prefix}*)"
    else:
        layout = f"{'DataParallel' if prefix == 'module.' else 'prefixed'} state dict ({prefix}*)"
    return ", ".join([layout, *wrappers])
