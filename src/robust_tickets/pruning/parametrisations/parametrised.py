"""A network made ready for training under a parametrisation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.pruning.plans import Moment

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Parametrised:
    """What the loop trains, and which parts of it learn. Names are those of the body's parameters."""

    module: nn.Module
    """Called and differentiated by the loop; takes the network's inputs."""
    trainable: Mapping[str, nn.Parameter]
    learned: Mapping[str, nn.Parameter] = field(default_factory=dict)
    """Scores by weight name; where each is of a whole coupling, by the coupling's."""
    rank: Callable[[], dict[str, Tensor]] | None = None
    """By what weights rank, where scores are not weight by weight."""
    signed: bool = False
    """Whether learned scores rank by their value; otherwise they rank by |S|."""
    revives: bool = False
    """Whether masks are applied in the forward pass alone, so that removed weights keep their values until a ticket."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Peak learning rates of those in `trainable` that have their own; they do not decay."""
    decays: Mapping[str, float] = field(default_factory=dict)
    """Weight decays of those in `trainable` that have their own, at the weights' rate."""
    before_step: Callable[[Moment], None] | None = None
    """Called before every training step, with where the training is. All that differs from step to step follows from
    that and from the module's state, so that a training that was cut off goes on alike."""
    penalty: Callable[[], Tensor] | None = None
    """What is added to every loss: a scalar, of the module as it is now."""
    weigh: Callable[[Mapping[str, float]], None] | None = None
    """Is told, before the first step, how many times one example multiplies each weight that may go."""
    gains: Callable[[], dict[str, Tensor]] | None = None
    """The gain of every channel, [channels] by the name of its coupling, where channels have gains."""
    own_sparsity: Callable[[], float] | None = None
    """The share of weights that training itself has removed, in [0, 1)."""
    settle: Callable[[], None] | None = None
    """Lets weights be, for good, what the forward pass makes of them; masks are selected before and applied after."""

    def trainable_parameters(self) -> Iterable[tuple[str, nn.Parameter]]:
        """Return names and parameters for the optimiser; scores over frozen weights go by the weight's name."""
        return self.trainable.items()

    def scores(self) -> dict[str, Tensor]:
        """Return the learned scores by name, detached; empty if only weights learn."""
        return {name: score.detach() for name, score in self.learned.items()}

    def ranking(self) -> dict[str, Tensor]:
        """Return by what learned weights rank, in float32 at least and in fresh tensors: the lowest go first."""
        if self.rank is not None:
            return self.rank()
        wide = {
            name: score.to(torch.promote_types(score.dtype, torch.float32)) for name, score in self.scores().items()
        }
        return {name: score.clone() if self.signed else score.abs() for name, score in wide.items()}
