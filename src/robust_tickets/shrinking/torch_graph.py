"""A graph as a torch network that takes what its runtime file takes: images, or tokens by name."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.texts import IDS, stated_texts
from robust_tickets.shrinking.conversion import GraphNetwork


class TorchGraph(nn.Module, ABC):
    """A graph as a torch network: one tensor in, one out, so that other engines can be given it.

    Args:
        graph: a graph that `operations.require_valid` accepts.
    """

    free: ClassVar[tuple[str, ...]]
    """What the first dimensions of the tensor count, of which there may be any number."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.network = GraphNetwork(graph)

    @abstractmethod
    def entering(self, inputs: Any) -> Tensor:
        """Return what goes in, of inputs as the runtime takes them."""

    @abstractmethod
    def leaving(self, outputs: Tensor, inputs: Any) -> Tensor:
        """Return logits as the runtime gives them, of what comes out."""

    @torch.no_grad()
    def logits(self, inputs: Any, execute: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return logits as the runtime gives them, of inputs as it takes them.

        Args:
            inputs: images [N, C, H, W], or tokens [N, L] by name.
            execute: another engine with this network; torch if not given.
        """
        return self.leaving((execute or self)(self.entering(inputs)), inputs)


class ImageTorchGraph(TorchGraph):
    """Images float32 [N, C, H, W] in, logits out."""

    free = ("batch",)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        return self.network(images)

    def entering(self, inputs: Tensor) -> Tensor:
        """Return images as they are."""
        return inputs

    def leaving(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """Return logits as they are."""
        return outputs


class TextTorchGraph(TorchGraph):
    """Rows of numbers float32 [N, L, rows] in, from two tokens on; logits [N, C] or [N, L, C] out."""

    free = ("batch", "length")

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.preparation = stated_texts(graph)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits."""
        found = self.network(rows.transpose(1, 2).unsqueeze(2))
        return found.squeeze(2).transpose(1, 2) if found.dim() == 4 else found

    def entering(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return tokens as rows; a single one is filled up to two."""
        rows = torch.from_numpy(self.preparation(inputs).rows).squeeze(2).transpose(1, 2)
        return F.pad(rows, (0, 0, 0, max(0, 2 - rows.shape[1])))

    def leaving(self, outputs: Tensor, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return logits of as many tokens as there were."""
        return outputs[:, : inputs[IDS].shape[1]] if outputs.dim() == 3 else outputs


TORCH_GRAPHS: dict[bool, type[TorchGraph]] = {False: ImageTorchGraph, True: TextTorchGraph}
"""By whether a graph reads tokens."""


def torch_graph(graph: Graph) -> TorchGraph:
    """Return a graph as a torch network, in evaluation mode."""
    return TORCH_GRAPHS[bool(graph.tokens)](graph).eval()
