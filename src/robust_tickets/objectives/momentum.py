"""A copy of the network that follows it slowly, and gives it its targets: MoCo's momentum encoder, DINO's teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.objective import Running
from robust_tickets.objectives.teacher import Teacher

if TYPE_CHECKING:
    from torch import Tensor


class MomentumCopy:
    """`copy <- momentum * copy + (1 - momentum) * network` after every step (He et al., 2020, arXiv 1911.05722).

    That is over parameters. Batch norm of the copy has statistics of its own: like the network it is in training mode.
    What is removed from the network is removed from the copy, and where the network starts anew, so does the copy.

    Args:
        student: the body that trains.
        teacher: a copy of it, frozen.
        momentum: in [0, 1).
    """

    def __init__(self, student: nn.Module, teacher: Teacher, momentum: float) -> None:
        teacher.network.train()
        self.student, self.teacher, self.momentum = student, teacher, momentum

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return what the copy says of inputs, without gradients, in fp32."""
        with torch.no_grad():
            return self.teacher.network(inputs).float()

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.student.parameters()).device

    def follow(self) -> None:
        """Take one step after the network."""
        from lightly.models.utils import update_momentum

        update_momentum(self.student, self.teacher.body, self.momentum)

    def heed(self, *, rewound: bool) -> None:
        """Take over what an event did to the network: it starts anew, or some of its weights are gone."""
        if rewound:
            self.teacher.body.load_state_dict(self.student.state_dict())
            return
        with torch.no_grad():
            for own, theirs in zip(self.teacher.body.parameters(), self.student.parameters(), strict=True):
                own.mul_(theirs != 0)

    def state(self) -> dict[str, Tensor]:
        """Return a copy of all of its tensors, by name."""
        return {f"copy.{name}": tensor.clone() for name, tensor in self.teacher.body.state_dict().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` returned."""
        own = {name.removeprefix("copy."): value for name, value in state.items() if name.startswith("copy.")}
        self.teacher.body.load_state_dict(own)


class Following(Running):
    """An objective under way whose targets a momentum copy gives."""

    def __init__(self, copy: MomentumCopy) -> None:
        self.copy = copy

    def after_event(self, *, rewound: bool) -> None:
        """Let the copy take over what happened."""
        self.copy.heed(rewound=rewound)
