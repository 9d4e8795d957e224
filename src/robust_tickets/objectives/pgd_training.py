"""Adversarial training with projected gradient descent (Madry et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.attacks.perturbable import perturbable
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import attack_mode
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.objective import Criterion, Memoryless

if TYPE_CHECKING:
    from torch import Tensor


@final
class PGDTraining(Memoryless):
    """Minimise the criterion on inputs attacked in eval mode; there is no clean term.

    Of images the pixels are attacked, of texts the word embeddings (Miyato et al., 2017), each text as a whole and in
    the embeddings' own unit; special tokens and padding stay.

    The attack maximises the aim's loss (of classes plain cross-entropy) whatever the criterion, so that label
    smoothing or weighting shapes what is learned and not what is attacked.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"loss"})
    kind: Literal["pgd"] = "pgd"
    threat: Threat = Field(default=Threat(steps=7), description="The attack that produces the training images.")

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the attacked batch."""
        with attack_mode(network) as attacked:
            given = perturbable(attacked, batch.inputs)
            adversarial = pgd(
                lambda point: attacked(given.inputs(point)),
                given.point,
                batch.targets,
                self.threat,
                generator,
                criterion.aim,
                space=given.space,
            )
        yield criterion(network(perturbable(network, batch.inputs).trained_on(adversarial)), batch.targets)

    @property
    def ball(self) -> Ball:
        """The ball in which training images are attacked."""
        return self.threat

    @property
    def single_step(self) -> Threat | None:
        """The attack, where one step is all of it."""
        return self.threat if self.threat.steps == 1 else None

    def describe(self) -> str:
        """Return for example `PGD-7 in L-inf 8/255`."""
        return self.threat.describe()
