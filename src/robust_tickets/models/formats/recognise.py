"""From a checkpoint to the bare tensors of an architecture: find the state dict, recognise its layout."""

from collections.abc import Mapping, Set
from typing import Any

from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.formats.cohen import Cohen
from robust_tickets.models.formats.layout import Layout, Unwrapped
from robust_tickets.models.formats.madry import Madry
from robust_tickets.models.formats.plain import Plain, Prefixed

LAYOUTS: tuple[Layout, ...] = (Plain(), Madry(), Cohen(), Prefixed())
"""In order of precedence: the architecture's own names first, whatever they look like."""

ENTRIES = ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "params", "weights")
"""Where training scripts keep the state dict inside a checkpoint, in order of precedence."""


def find_state(checkpoint: Any, where: str) -> dict[str, Tensor]:
    """Return the state dict inside a checkpoint: itself, one of `ENTRIES`, or the single item of a list.

    Raises:
        UserError: there is none; the message lists what is there. `where` names the file.
    """
    if isinstance(checkpoint, list | tuple) and len(checkpoint) == 1:
        return find_state(checkpoint[0], where)
    if not isinstance(checkpoint, Mapping):
        raise UserError(f"{where}: holds a {type(checkpoint).__name__}, not a state dict")
    if checkpoint and all(isinstance(value, Tensor) for value in checkpoint.values()):
        return dict(checkpoint)
    for entry in ENTRIES:
        if isinstance(checkpoint.get(entry), Mapping):
            return find_state(checkpoint[entry], where)
    raise UserError(
        f"{where}: no state dict in it; it holds {', '.join(map(str, list(checkpoint)[:8])) or 'nothing'}; "
        f"expected tensors by name, or an entry {' or '.join(ENTRIES[:3])}"
    )


def recognise(state: Mapping[str, Tensor], wanted: Set[str]) -> Unwrapped:
    """Return the bare tensors by the first layout that fits; what fits none is passed on as it is."""
    for layout in LAYOUTS:
        if unwrapped := layout.unwrap(state, wanted):
            return unwrapped
    return Unwrapped(dict(state), "plain state dict")
