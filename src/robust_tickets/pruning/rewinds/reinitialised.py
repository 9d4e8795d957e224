"""Fresh random weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from robust_tickets.foundation.lazy import nn
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.pruning.needs import EARLIER_WEIGHTS
from robust_tickets.pruning.rewinds.rewind_point import RewindPoint

if TYPE_CHECKING:
    from torch import Tensor


class Reinitialised(RewindPoint):
    """Fresh random weights under the ticket's masks: a control that shows what the masks alone are worth."""

    provides: ClassVar[frozenset[str]] = frozenset({EARLIER_WEIGHTS})
    kind: Literal["reinitialised"] = "reinitialised"

    def describe(self) -> str:
        """Return `fresh weights`."""
        return "fresh weights"

    def restore(
        self, body: nn.Module, *, start: Mapping[str, Tensor], kept: Mapping[str, Tensor] | None, seed: int
    ) -> None:
        """Draw all weights again."""
        reinitialise(body, seed)


def reinitialise(body: nn.Module, seed: int) -> None:
    """Draw all weights again by each layer's own initialisation, from the stream `reinitialised` of `seed`."""
    with global_stream(seed, "reinitialised"):
        for module in body.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
