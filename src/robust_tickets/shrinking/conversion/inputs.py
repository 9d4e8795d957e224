"""What goes into an exported network, as the walk over its program sees it: images, or the rows of a text's input."""

from abc import ABC, abstractmethod
from typing import Any, final

import torch
from torch import Tensor

from robust_tickets.models.interface import Interface
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.tokens import Tokens
from robust_tickets.runtime.graph import Shape
from robust_tickets.shrinking.conversion.value import GraphValue, Told

EXAMPLES = 2
"""Inputs that a network is exported with: of two, torch does not take their number for a constant."""


class ProgramInputs(ABC):
    """What a network is exported with, and what stands for it in the graph."""

    name: str
    """Of the graph's input."""
    shape: Shape
    """Of the graph's input, without the batch."""
    tokens: tuple[str, ...] = ()
    """What the rows of a text's input hold."""

    @abstractmethod
    def example(self) -> Any:
        """Return some inputs, by the names of the network's where it takes several."""

    @abstractmethod
    def values(self) -> tuple[GraphValue | Told, ...]:
        """Return what stands for each of them, in their order."""


@final
class ProgramImages(ProgramInputs):
    """Images [C, H, W]."""

    name = "images"

    def __init__(self, interface: Pixels) -> None:
        self.interface, self.shape = interface, (interface.channels, *interface.size)

    def example(self) -> Tensor:
        """Return images."""
        return self.interface.example(EXAMPLES)

    def values(self) -> tuple[GraphValue, ...]:
        """Return the graph's input as torch sees it."""
        return (GraphValue.plain(self.name, self.shape),)


@final
class ProgramTexts(ProgramInputs):
    """Texts as long as the network reads, so that its tables of positions are seen whole; all of them tokens."""

    name = "tokens"

    def __init__(self, interface: Tokens) -> None:
        self.tokens = interface.inputs
        self.shape = (len(self.tokens), 1, interface.length)
        # No two tokens alike: what is computed from them cannot be taken for them, or for the same in every text.
        count = EXAMPLES * interface.length
        ids = (torch.arange(count) % max(1, interface.vocabulary - 1) + interface.pad + 1) % interface.vocabulary
        ids = ids.reshape(EXAMPLES, interface.length)
        whole = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
        self._example = {name: whole[name] for name in self.tokens}

    def example(self) -> dict[str, Tensor]:
        """Return texts without padding."""
        return self._example

    def values(self) -> tuple[Told, ...]:
        """Return each row as what is told apart from the numbers of the graph."""
        return tuple(Told(frozenset({name}), values, name) for name, values in self._example.items())


INPUTS: dict[type[Interface], Any] = {Pixels: ProgramImages, Tokens: ProgramTexts}
"""What a network takes -> what it is exported with."""
