"""What a family of architectures offers to whoever loads a source."""

from dataclasses import dataclass
from typing import Protocol

from torch import nn

from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.interface import Pixels


@dataclass(frozen=True)
class Shape:
    """What is asked of an architecture; None leaves it to the family's default."""

    num_classes: int | None = None
    in_channels: int | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Pretrained:
    """A body with the weights its family provides."""

    body: nn.Module
    name: str
    """Full name of the architecture, with timm's tag."""
    tag: str
    """Which of the family's weights these are."""
    format: str
    """Where they come from, in words."""
    preprocessing: Pixels | None
    """What they were trained with; None if the family does not know."""
    notes: tuple[str, ...] = ()
    """What else is worth recording of them."""


class Family(Protocol):
    """A place architectures come from. Names are given without the family's prefix.

    `knows` says whether a name may be passed to the other methods.
    """

    prefix: str

    def names(self) -> list[str]:
        """Return the names there are, with prefix, for help and for near matches."""
        ...

    def knows(self, name: str) -> bool:
        """Return whether this family has an architecture of that name."""
        ...

    def build(self, name: str, shape: Shape) -> nn.Module:
        """Return the architecture, initialised from torch's global generator."""
        ...

    def tags(self, name: str) -> list[str]:
        """Return the names of the pretrained weights the family provides."""
        ...

    def pretrained(self, name: str, tag: str | None, shape: Shape, downloads: Downloads) -> Pretrained:
        """Return the architecture with pretrained weights, the default ones where `tag` is None.

        Raises:
            UserError: there are none, or they are neither cached nor reachable.
        """
        ...

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Pixels | None, str]:
        """Return what weights from elsewhere were presumably trained with, and why that is presumed."""
        ...
