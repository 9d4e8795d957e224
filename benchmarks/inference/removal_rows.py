"""What removed channels, or heads and hidden neurons, gain in ONNX Runtime: how much of the fall in multiply-adds
arrives as a fall in time.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.inference.contest import Contestant, Measured, contest
from benchmarks.inference.engines import as_tensors
from benchmarks.inference.messages import Inputs
from benchmarks.inference.networks import SEED, dense, dense_file, given, path_of, written
from benchmarks.row import Row
from benchmarks.scale import Inference, Scale
from benchmarks.timing import ratios, spread
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.pruning.groups import AnyGroup, Channel, Several
from robust_tickets.pruning.scopes import LayerScope
from robust_tickets.pruning.select import Selection
from robust_tickets.shrinking.removal import RemovalCounts, remove_channels

TARGET = 0.8
SPARSITY = 0.5
ROUND_TO = 8


HEADS = ("deit_tiny", "minilm")
"""Transformers that lose heads and hidden neurons."""

GROUPS: dict[str, AnyGroup] = {"channel": Channel(), "heads": Several()}
"""What rows are named after, and what is removed in them."""


def removal_row(kind: str, network: str) -> Callable[[Scale], Row]:
    """Return the measurement of one network without half of what a kind of row removes."""

    def measure(scale: Scale) -> Row:
        return measured_row(kind, network, scale.inference)

    return measure


def measured_row(kind: str, network: str, scale: Inference) -> Row:
    """Time the dense and the smaller file in turns; the ratio is speed-up over the factor of multiply-adds."""
    source = scale.source(network)
    path, counts = smaller(scale, source, kind)
    contestants = {
        "dense": Contestant("onnxruntime", dense_file(scale, source, "onnx")),
        "shrunk": Contestant("onnxruntime", path),
    }
    inputs = given(scale, source, 1)
    done = contest(contestants, inputs, 1, scale.pace(1))
    base, own = done["dense"], done["shrunk"]
    assert isinstance(base, Measured)
    assert isinstance(own, Measured)
    fewer = counts.multiply_adds_before / counts.multiply_adds_after
    faster = own.over(base)
    details = {
        "summary": f"{fewer:.2f} times fewer multiply-adds, {faster:.2f} times faster",
        "network": source,
        "input": {name: list(array.shape) for name, array in inputs.items()}
        if isinstance(inputs, dict)
        else list(inputs.shape),
        f"{kind}_sparsity": SPARSITY,
        "round_to": ROUND_TO,
        "batch_size": 1,
        "threads": 1,
        "counts": counts.model_dump(mode="json"),
        "ratio": spread([value / fewer for value in ratios(base.hot, own.hot)]),
        "engines": {"dense": base.facts(base), "shrunk": own.facts(base)},
    }
    before, after = counts.multiply_adds_before / base.hot_seconds, counts.multiply_adds_after / own.hot_seconds
    reason = (
        f"ONNX Runtime does {before / 1e9:.1f} G multiply-adds a second on the dense file, {after / 1e9:.1f} on this"
    )
    return Row.judged(f"{kind}_{network}_onnx", faster / fewer, TARGET, details, reason)


def shapes_of(inputs: Inputs) -> Any:
    """Return the shape of images, or those of arrays by name."""
    if isinstance(inputs, dict):
        return {name: list(array.shape) for name, array in inputs.items()}
    return list(inputs.shape)


@cache
@torch.no_grad()
def smaller(scale: Inference, source: str, kind: str) -> tuple[Path, RemovalCounts]:
    """Return the network without the half of each layer's groups that weigh least, as an ONNX file."""
    classifier = dense(scale, source)
    names = prunable_weights(classifier)
    selection = Selection(group=GROUPS[kind], scope=LayerScope())
    weights = {name: classifier.body.get_parameter(name).detach() for name in names}
    couplings = trace_couplings(classifier.body, classifier.interface.example(1), names)
    masks = selection.select(weights, sparsity=SPARSITY, couplings=couplings, seed=SEED)
    example = as_tensors(given(scale, source, 1))
    removal = remove_channels(classifier.body, masks, example, round_to=ROUND_TO)
    shrunk = Network(removal.body, classifier.interface, classifier.head)
    return written(shrunk, "onnx", path_of(source, "onnx", f"{kind}-50")), removal.counts
