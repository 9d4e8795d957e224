"""How much is computed: multiply-adds of each layer, of all weights and of those that are not zero."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.inference.engines import as_tensors
from benchmarks.inference.networks import Pattern, given, pruned
from benchmarks.scale import Inference

Layers = dict[str, dict[str, float]]


@cache
@torch.no_grad()
def layer_work(scale: Inference, source: str, pattern: Pattern, percent: int) -> Layers:
    """Return of each layer density, multiply-adds an image, how many of them are with weights that are not zero
    (`kept`), and the bytes of those weights, inputs and outputs.
    """
    classifier, found = pruned(scale, source, pattern, percent), {}

    def watch(path: str, layer: nn.Conv2d | nn.Linear) -> Any:
        def seen(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            density = int(layer.weight.count_nonzero()) / layer.weight.numel()
            dense = layer.weight.numel() * (output[0].numel() // len(layer.weight))
            numbers = int(layer.weight.count_nonzero()) + inputs[0][0].numel() + output[0].numel()
            found[path] = {
                "density": round(density, 4),
                "multiply_adds": dense,
                "kept": round(dense * density),
                "bytes": 4 * numbers,
            }

        return layer.register_forward_hook(seen)

    hooks = [watch(p, m) for p, m in classifier.body.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    classifier(as_tensors(given(scale, source, 1)))
    for hook in hooks:
        hook.remove()
    return found


def total_work(layers: Layers) -> dict[str, int]:
    """Return the sums over layers."""
    return {key: round(sum(layer[key] for layer in layers.values())) for key in ("multiply_adds", "kept")}
