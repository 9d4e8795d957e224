"""How far a network's probabilities are from a teacher's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import F

if TYPE_CHECKING:
    from torch import Tensor


def soft_loss(outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Return T^2 KL(softmax(taught / T) || softmax(outputs / T)), the mean over whatever is classified, in fp32.

    Hinton, Vinyals and Dean, 2015, arXiv 1503.02531, section 2.

    Args:
        outputs, taught: logits of network and teacher: [N, C], of pixels [N, C, H, W]; 0 of none.
        temperature: T, above 0.

    Raises:
        UserError: they differ in shape.
    """
    require_alike(outputs, taught)
    ours, theirs = ((logits.float() / temperature).log_softmax(1) for logits in (outputs, taught))
    apart = F.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)
    return temperature**2 * apart.sum() / max(1, apart.numel())


def soft_loss_where(asked: Tensor, outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Return `soft_loss` at the positions of texts, bool [N, L], that are asked for; logits [N, L, C]."""
    require_alike(outputs, taught)
    return soft_loss(outputs[asked], taught[asked], temperature)


def require_alike(outputs: Tensor, taught: Tensor) -> None:
    """Refuse a teacher whose outputs are not the network's.

    Raises:
        UserError: says what both give.
    """
    if outputs.shape != taught.shape:
        raise UserError(
            f"the teacher gives logits {list(taught.shape[1:])} an example, the network {list(outputs.shape[1:])}; use "
            "a teacher with the same classes, or soft_labels: 0"
        )
