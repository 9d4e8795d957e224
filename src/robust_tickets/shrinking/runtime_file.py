"""A runtime file: what a network computes, its zeros left out, checked before it is in place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_atomic
from robust_tickets.foundation.ownership import require_ours
from robust_tickets.models.network import Network
from robust_tickets.models.proofs import relative_difference
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.load import load_runtime
from robust_tickets.runtime.storage.file import write_file
from robust_tickets.shrinking.conversion import convert
from robust_tickets.shrinking.export import TOLERANCE, Provenance, counted, metadata, portable
from robust_tickets.shrinking.torch_graph import torch_graph


@dataclass(frozen=True)
class Differences:
    """How far a file's logits are from the network's, largest difference over their standard deviation."""

    runtime: float
    """What conversion and execution add: rounding of float32."""
    storage: float
    """What weights rounded to float16 add; 0 where they are not."""


def write_runtime(
    classifier: Network,
    path: Path | str,
    *,
    classes: Sequence[str] | None = None,
    provenance: Provenance | None = None,
    half: bool = False,
) -> Differences:
    """Write a classifier as a runtime file, completely or not at all, and check it by running it.

    The file takes images, float32 [N, C, H, W] in [0, 1], and gives logits [N, classes]; normalisation is inside. Of a
    network for texts it takes texts, or their tokens by the names of transformers, and gives logits [N, classes], or
    [N, L, classes] for tokens. Its metadata are those of `export_onnx`. Every weight is stored in the smallest of
    several ways, zeros left out.

    Args:
        classifier: moved to the CPU in float32 eval mode on a copy; the one given is not touched.
        path: the file to write.
        classes: names in the order of the logits.
        provenance: which run the network is of.
        half: store weights as float16; they are computed with in float32 all the same.

    Returns:
        What conversion and execution change, and what half precision does, on random images, or on random texts of
        several lengths, with padding and without.

    Raises:
        UserError: the runtime lacks an operation that the network uses, a weight is too large for float16, the class
            names do not fit, another's file is at the place, or it cannot be written.
        RuntimeError: what is executed differs from the network by more than 1e-4 of the logits' spread.
    """
    require_ours(path)
    network = portable(classifier)
    graph = convert(network, metadata(classifier, classes, provenance))
    differences = Differences(float("nan"), float("nan"))

    def write(temporary: Path) -> None:
        nonlocal differences
        try:
            write_file(graph, temporary, half=half)
        except RuntimeFileError as error:
            raise UserError(str(error).replace(str(temporary), str(path))) from error
        differences = _differences(network, graph, temporary, half)

    write_atomic(path, write)
    return differences


@torch.no_grad()
def _differences(network: Network, graph: Graph, path: Path, half: bool) -> Differences:
    runtime, batches = load_runtime(path, tune=False), network.interface.tried()

    def answers(compute: Callable[[Any], Any]) -> Tensor:
        return torch.cat([answer for batch in batches for answer in counted(batch, [compute(batch)])])

    expected = answers(network.exported)
    converted = answers(torch_graph(graph).logits)
    # Rounded weights are a network of their own: what is executed is held to that, the graph to the network given.
    stored = answers(torch_graph(runtime.graph).logits) if half else converted
    worst = max(relative_difference(answers(runtime.logits), stored), relative_difference(converted, expected))
    if not worst <= TOLERANCE:
        raise RuntimeError(
            f"the runtime file of {network.called} differs from the network by {worst:.1e} of the "
            f"spread of its logits (allowed: {TOLERANCE:.0e})"
        )
    return Differences(worst, relative_difference(stored, expected) if half else 0.0)
