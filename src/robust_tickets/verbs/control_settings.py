"""Which controls there are."""

from typing import Literal

ControlName = Literal["random", "shuffled", "reinitialised", "complement", "flipped"]

FLIP = 0.1
"""Share of the kept groups of every layer that `flipped` exchanges by default."""
