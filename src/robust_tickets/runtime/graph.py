"""What a runtime file computes: a list of operations on named values, and their weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
"""Of a value, without the batch: (channels, height, width) or (features,). A sequence is a map of one row: the features
of a token are the channels of a pixel."""

TOKENS = ("input_ids", "attention_mask", "token_type_ids")
"""What a row of a text's input may hold, as Hugging Face calls it: numbers of tokens, 1 where there is one and 0 where
there is none, and which text a token is of. Numbers are float32, exact up to 2^24."""


@dataclass(frozen=True, eq=False)
class Weight:
    """A constant float32 tensor, dense or as its nonzeros."""

    shape: tuple[int, ...]
    values: NDArray[np.float32]
    """All elements in row-major order where `positions` is None, else those at `positions`; float32 [n]."""
    positions: NDArray[np.int64] | None = None
    """Row-major positions of `values`, strictly ascending; int64 [n]. None: dense."""

    def dense(self) -> NDArray[np.float32]:
        """Return the tensor with its zeros, float32 of `shape`."""
        if self.positions is None:
            return self.values.reshape(self.shape)
        full = np.zeros(int(np.prod(self.shape)), np.float32)
        full[self.positions] = self.values
        return full.reshape(self.shape)

    @property
    def count(self) -> int:
        """Return how many elements `nonzeros` gives."""
        return int(np.count_nonzero(self.values)) if self.positions is None else len(self.positions)

    def nonzeros(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return positions, ascending, and values of what is not zero."""
        if self.positions is not None:
            return self.positions, self.values
        positions = np.flatnonzero(self.values)
        return positions, self.values[positions]


@dataclass(frozen=True)
class Node:
    """One operation."""

    op: str
    """One of `operations.OPERATIONS`."""
    name: str
    """Of the layer it came from, for messages and tables; unique."""
    inputs: tuple[str, ...]
    """Names of values: the graph's input, or outputs of earlier nodes."""
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: numbers, strings, lists of numbers."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """Role ("weight", "bias", "scale", "shift") -> name among the graph's weights."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A network as the runtime executes it: nodes in order, one input, one output.

    Of a network for texts the last side of the input is the most tokens that it reads; any number from 2 on will do.
    """

    input: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    output: str
    weights: Mapping[str, Weight]
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the file says about itself: the same keys as an exported ONNX file's."""
    tokens: tuple[str, ...] = ()
    """Of a network for texts, what each row of the input holds: some of `TOKENS`; empty for images."""

    def of_length(self, tokens: int) -> "Graph":
        """Return the graph for texts of so many tokens."""
        return replace(self, input_shape=(*self.input_shape[:-1], tokens))
