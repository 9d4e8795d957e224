"""What a family of architectures offers to anyone who loads a source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import nn

from robust_tickets.models.adaptations.projection_head import Projector
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.interface import Interface
from robust_tickets.models.shapes import ModuleShapes
from robust_tickets.pruning.masks import Masks


@dataclass(frozen=True)
class ArchitectureOptions:
    """What an architecture should have; None leaves it to the family's default."""

    num_classes: int | None = None
    in_channels: int | None = None
    size: tuple[int, int] | None = None
    configuration: Mapping[str, Any] | None = None
    """What a library builds an architecture from whose name does not say everything."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A body with its weights, and what is known about both."""

    name: str
    body: nn.Module
    preprocessing: Interface | None
    """None if nothing says how its inputs were normalised."""
    weights: str
    """Name of the file or tag, or how they were initialised."""
    format: str
    """Where they come from, in words; of a file, its layout."""
    notes: tuple[str, ...] = ()
    modules: ModuleShapes = field(default_factory=dict)
    """Shapes that are not the architecture's, of a shrunken network."""
    head: str | None = None
    """Module path of the last layer, if a file says so."""
    masks: Masks = field(default_factory=dict)
    """Of weights that were pruned before they were saved, by name, True = kept."""
    pinned: str | None = None
    """The name that loads the same again, of one that may come to mean something else."""
    headless: str | None = None
    """Module path of a layer that the weights came without, so that it is random; a head, if they are whole."""
    projector: Projector | None = None
    """What the network was pretrained under without labels."""


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

    def build(self, name: str, shape: ArchitectureOptions) -> nn.Module:
        """Return the architecture, initialised from torch's global generator."""
        ...

    def tags(self, name: str) -> list[str]:
        """Return the names of the pretrained weights the family provides."""
        ...

    def pretrained(self, name: str, tag: str | None, shape: ArchitectureOptions, downloads: Downloads) -> Loaded:
        """Return the architecture with pretrained weights, the default ones where `tag` is None.

        Raises:
            UserError: there are none, or they are neither cached nor reachable.
        """
        ...

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Interface | None, str]:
        """Return what weights from elsewhere were presumably trained with, and why that is presumed."""
        ...
