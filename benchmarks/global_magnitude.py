"""One-shot global magnitude pruning, masks included, against torch's own."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, in_turns, ratios, repeated, spread, typical
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.select import Selection

SPARSITY = 0.9
TARGET = 20.0


def measure(scale: Scale) -> Row:
    """Rank all weights of all convolutions together and remove 90 % of them."""
    body = load_source(SourceSettings(name=scale.pruned, weights="random")).network.body

    def ours() -> Masks:
        return Selection().select(convolution_weights(body), sparsity=SPARSITY)

    contestants: dict[str, Contestant] = {
        "torch.nn.utils.prune": lambda: torch_pruning(copy.deepcopy(body)),
        "robust_tickets": repeated(ours),
    }
    seconds = in_turns(contestants, scale.calls)
    theirs, own = seconds["torch.nn.utils.prune"], seconds["robust_tickets"]
    over_rounds = ratios(theirs, own)
    weights = convolution_weights(body)
    details = {
        "summary": f"torch {typical(theirs):.2f} s, ours {typical(own):.3f} s",
        "network": scale.pruned,
        "weights": sum(weight.numel() for weight in weights.values()),
        "sparsity": SPARSITY,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "ratio": spread(over_rounds),
        "masks_agree_on": agreement(body, ours()),
    }
    reason = f"reading every weight once took {one_pass(weights):.3f} s of our {typical(own):.3f} s"
    return Row.judged("global_magnitude", typical(over_rounds), TARGET, details, reason)


def convolution_weights(body: nn.Module) -> dict[str, Tensor]:
    """Return the weights of all convolutions by name."""
    return {f"{path}.weight": m.weight for path, m in body.named_modules() if isinstance(m, nn.Conv2d)}


def torch_pruning(body: nn.Module):
    """Return the pruning of a network by torch, ready to be run once."""
    convolutions = [(module, "weight") for module in body.modules() if isinstance(module, nn.Conv2d)]
    return lambda: prune.global_unstructured(convolutions, pruning_method=prune.L1Unstructured, amount=SPARSITY)


def agreement(body: nn.Module, masks: Masks) -> float:
    """Return the part of all weights on which torch's masks and ours agree; less than 1 by ties alone."""
    pruned = copy.deepcopy(body)
    torch_pruning(pruned)()
    buffers = dict(pruned.named_buffers())
    same = sum(int((buffers[f"{name}_mask"].bool() == mask).sum()) for name, mask in masks.items())
    return same / sum(mask.numel() for mask in masks.values())


def one_pass(weights: dict[str, Tensor]) -> float:
    """Return the seconds that reading every weight once and writing its magnitude takes."""

    def magnitudes() -> list[Tensor]:
        with torch.no_grad():
            return [weight.abs() for weight in weights.values()]

    return typical(in_turns({"pass": repeated(magnitudes)}, 3)["pass"])
