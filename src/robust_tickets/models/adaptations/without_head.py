"""A network without its head, where that is its last operation: what is left gives a row of features an image."""

from typing import Any

import torch
from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.forward_trace import FAULTS
from robust_tickets.models.heads import get_head, replace_module, width_of
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network


def without_head(classifier: Network, interface: Interface, refusal: str, remedy: str) -> tuple[nn.Module, int]:
    """Return a network's body with nothing in the place of its head, and how wide its features are.

    Args:
        classifier: it is taken apart.
        interface: what goes in.
        refusal: what is refused where the head is not the last operation, as in `NAME cannot have two layers`.
        remedy: what to do instead.

    Raises:
        UserError: what its head looks at is not a row of features for each image.
    """
    body, width = classifier.body, width_of(get_head(classifier.body, classifier.head))
    nothing = nn.Identity()
    replace_module(body, get_head(body, classifier.head), nothing)
    if not is_last(nothing, body, classifier.normalise(interface.example(2).to(classifier.device)), width):
        raise UserError(
            f"{refusal}: its head {classifier.head} is not its last operation, over {width} features; {remedy}"
        )
    return body, width


@torch.no_grad()
def is_last(layer: nn.Module, body: nn.Module, inputs: Tensor, width: int) -> bool:
    """Return whether a body returns just what leaves `layer`, of this width for each of two inputs."""
    left: list[Any] = []
    hook = layer.register_forward_hook(lambda _, inputs, output: left.append(output))
    try:
        output = body.eval()(inputs)
    except FAULTS:
        return False
    finally:
        hook.remove()
    return output is left[-1] and output.shape == (2, width)
