"""Blocks of outputs by inputs."""

from typing import Literal

from pydantic import Field

from robust_tickets.pruning.groups.weight_group import WeightGroup


class Block(WeightGroup):
    """`out` consecutive outputs x `inputs` consecutive inputs at one kernel position.

    Blocks of some outputs x 1 input keep the vectors of a CPU full. A layer that does not divide is refused.
    """

    kind: Literal["block"] = "block"
    out: int = Field(default=4, ge=1, description="Output channels in a block.")
    inputs: int = Field(default=1, ge=1, description="Input channels in a block.")

    def extent(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return out x inputs x 1."""
        return self.out, self.inputs, 1
