"""The logits in what a network returns: a tensor, or an object that names them."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from robust_tickets.foundation.errors import UserError


def logits_of(output: Any, name: str = "the network") -> Tensor:
    """Return the logits that a network's output is or holds under the name `logits`.

    Hugging Face's outputs, torchvision's of GoogLeNet and Inception in training mode, and plain dictionaries
    name them so. Which of several tensors without names are the logits is never guessed.

    Args:
        output: what the network returned.
        name: what messages call the network.

    Raises:
        UserError: there are none.
    """
    if isinstance(output, Tensor):
        return output
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    if isinstance(output, tuple | list) and len(output) == 1:
        return logits_of(output[0], name)
    raise UserError(
        f"{name}: returns {_described(output)}; its forward must return the logits, or an object with `logits`"
    )


def _described(output: Any) -> str:
    if isinstance(output, Mapping):
        return f"a {type(output).__name__} with {', '.join(map(str, list(output)[:6])) or 'nothing in it'}"
    if isinstance(output, tuple | list):
        parts = [str(list(part.shape)) if isinstance(part, Tensor) else type(part).__name__ for part in output[:6]]
        return f"a {type(output).__name__} of {', '.join(parts) or 'nothing'}"
    return f"a {type(output).__name__}"
