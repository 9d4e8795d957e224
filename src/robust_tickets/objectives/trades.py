"""TRADES: accuracy on clean images, and the same answer around them (Zhang et al. 2019, arXiv 1901.08573)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.attacks.aim import Misclassification
from robust_tickets.attacks.losses import per_image
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import attack_mode
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import F, nn, torch
from robust_tickets.objectives.objective import Criterion, Memoryless

if TYPE_CHECKING:
    from torch import Tensor


@final
class Trades(Memoryless):
    """Minimise criterion(f(x), y) + beta * KL(f(x) || f(x')), x' being where the divergence is largest (eq. 5).

    The attack starts at a uniform point of the ball, since the divergence has no gradient at x itself; the paper's
    code starts at x plus a little Gaussian noise.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"pixel-inputs", "logits"})
    kind: Literal["trades"] = "trades"
    threat: Threat = Field(default=Threat(steps=10), description="The attack that maximises the divergence.")
    beta: float = Field(default=6.0, gt=0, description="Weight of the divergence, 1 / lambda in the paper.")

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the batch."""
        with attack_mode(network) as attacked:
            with torch.no_grad():
                clean = attacked(batch.inputs).float().log_softmax(1)
            adversarial = pgd(attacked, batch.inputs, clean, self.threat, generator, Misclassification(divergence))
        logits = network(batch.inputs)
        distance = divergence(network(adversarial), logits.float().log_softmax(1)).mean()
        yield criterion(logits, batch.targets) + self.beta * distance

    @property
    def ball(self) -> Ball:
        """The ball in which training images are attacked."""
        return self.threat

    @property
    def single_step(self) -> Threat | None:
        """The attack, where one step is all of it."""
        return self.threat if self.threat.steps == 1 else None

    def describe(self) -> str:
        """Return for example `TRADES 6, PGD-10 in L-inf 8/255`."""
        return f"TRADES {self.beta:g}, {self.threat.describe()}"


def divergence(logits: Tensor, log_probabilities: Tensor) -> Tensor:
    """Return KL(exp(log_probabilities) || softmax(logits)) of each sample, [N], in fp32; of pixels their mean.

    Both arguments are [N, C], or of pixels [N, C, H, W].

    In logarithms, because the gradient at a probability that underflows to 0 would not be a number.
    """
    pointwise = F.kl_div(logits.float().log_softmax(1), log_probabilities, reduction="none", log_target=True)
    return per_image(pointwise.sum(1))
