"""Which controls there are."""

from typing import Literal

Control = Literal["random", "shuffled", "reinitialised", "complement", "flipped"]

OPPOSITES: tuple[Control, ...] = ("complement", "flipped")
"""Controls that keep weights which the ticket removes."""

FLIP = 0.1
"""Share of the kept groups of every layer that `flipped` exchanges unless told otherwise."""
