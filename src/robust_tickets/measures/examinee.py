"""What is measured: a network or an exported file, the test images, and whatever else a measure may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.attacks.predict import Predict
from robust_tickets.data.settings import DataSettings
from robust_tickets.measures.logits import Batches

if TYPE_CHECKING:
    from robust_tickets.data.examples import Examples


@dataclass(frozen=True)
class Examinee:
    """One transferred network under examination, in evaluation mode."""

    predict: Predict
    """What is measured: the torch network, or an exported file, which has no gradients."""
    craft: Predict
    """The equivalent torch network, on which attacks are crafted; the same as `predict` for a torch network."""
    images: Callable[[int | None], Batches]
    """Test images and labels in a fixed order, again at every call; at most this many, balanced over classes."""
    in_parts: Callable[[int | None, int], Iterable[Batches]]
    """The same in so many parts, at most one for each image; a part has images from all over the set."""
    examples: Callable[[int | None], Examples]
    """The same examples, in the same order, as they were before they were prepared for the network; and how that is
    done."""
    other: Callable[[DataSettings, int | None], Batches]
    """The test part of another data set, at the size and channels this network takes, limited like `images`."""
    seed: int
    """Of the run; a measure derives its own streams from it (`foundation.seeds`)."""
    tell: Callable[[str], None] | None = None
    """Shows a few words on a measure's progress; None: they are not shown."""
    aim: Aim = MISCLASSIFICATION
    """The aim of an attack on it."""

    @property
    def is_exported(self) -> bool:
        """Say whether what is measured is not the network that attacks are crafted on."""
        return self.predict is not self.craft
