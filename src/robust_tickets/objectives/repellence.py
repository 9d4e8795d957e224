"""Repellence: the network is kept away from another solution, or drawn towards it, while it learns its task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field, field_validator

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.objective import Criterion, Objective, Running
from robust_tickets.objectives.teacher import SOURCE, Teacher

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 1e-30
"""Least product of squared lengths that is divided by: a layer without any weights has no direction."""


@final
class Repellence(Objective):
    """Minimise criterion + (strength / L) * sum over layers of cos^2(w, r), r being a reference's weights.

    Of Maene et al. (2021, arXiv 2106.06955), who ask whether tickets have to return to the solution that they were
    drawn from: strength 2 keeps them away from it (the cosine goes to 0), strength -1 draws them to its line (the
    cosine goes to 1 or -1, whichever is nearer). L counts the layers; w are the surviving weights of one, convolution
    or linear, and r the reference's at the same places. Biases and the scales of norms are free. What a ticket has
    removed is exactly zero, so the weights that are not zero are those that survive.
    """

    reads_weights: ClassVar[bool] = True
    kind: Literal["repellence"] = "repellence"
    reference: str = Field(
        default=SOURCE,
        min_length=1,
        description="The solution to keep away from, by name or folder, such as the folder of a finished run's seed; "
        "source: the dense network as it is before this training.",
    )
    strength: float = Field(
        default=2.0,
        description="lambda: above 0 the reference repels, below 0 it attracts; the paper's are 2 and -1. Not 0.",
    )

    @field_validator("strength")
    @classmethod
    def _does_something(cls, strength: float) -> float:
        if not strength:
            raise ValueError("a repellence of strength 0 does nothing; use objective: standard")
        return strength

    @property
    def teaches_by(self) -> str:
        """Return the reference by name."""
        return self.reference

    def describe(self) -> str:
        """Return for example `standard, repelled (2) by source`."""
        word = "repelled" if self.strength > 0 else "attracted"
        return f"standard, {word} ({self.strength:g}) by {self.reference}"

    def build(self, student: nn.Module | None = None, teacher: Teacher | None = None) -> Running:
        """Return the objective with its reference.

        Raises:
            UserError: the reference lacks a layer of the network, or has one of another shape.
        """
        if student is None or teacher is None:
            raise ValueError("repellence needs a network and a reference")
        known = dict(teacher.body.named_parameters())
        layers: dict[str, tuple[Tensor, Tensor]] = {}
        for name, weight in directed(student):
            if name not in known or known[name].shape != weight.shape:
                found = f"has {list(known[name].shape)}" if name in known else "has no such layer"
                raise UserError(
                    f"objective.reference: {name} is {list(weight.shape)} here, but {self.reference} {found}; "
                    "name a trained network of the same architecture and classes"
                )
            layers[name] = (weight, known[name])
        if not layers:
            raise UserError("objective: repellence needs a network with convolutions or linear layers")
        return Repelled(self, layers)


def directed(body: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights that have a direction to compare, by name: of convolutions, linear layers and attention."""
    layers = (nn.Linear, nn.modules.conv._ConvNd)
    for path, module in body.named_modules():
        start = f"{path}." if path else ""
        for name, weight in module.named_parameters(recurse=False):
            is_projection = isinstance(module, nn.MultiheadAttention) and name.endswith("proj_weight")
            if is_projection or (isinstance(module, layers) and name == "weight"):
                yield f"{start}{name}", weight


@final
class Repelled(Running):
    """Repellence under way; it keeps nothing from batch to batch."""

    def __init__(self, settings: Repellence, layers: dict[str, tuple[Tensor, Tensor]]) -> None:
        self.settings, self.layers = settings, layers

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the batch."""
        term = torch.stack([squared_cosine(*pair) for pair in self.layers.values()]).mean()
        yield criterion(network(batch.inputs), batch.targets) + self.settings.strength * term


def squared_cosine(weight: Tensor, reference: Tensor) -> Tensor:
    """Return cos^2 of the angle between a layer's surviving weights and a reference's at the same places, in [0, 1].

    Args:
        weight: of any shape; exactly zero where it is removed.
        reference: of the same shape; where `weight` is zero it does not count.

    Returns:
        A scalar; 0 where one of the two has no length.
    """
    kept = reference * (weight != 0)
    product = weight.square().sum() * kept.square().sum()
    return (weight * kept).sum().square() / product.clamp_min(LEAST)
