"""The basis of decisions: the one figure by which transferred networks are selected and compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final

from robust_tickets.attacks.attack import Attacker
from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.lazy import np, torch
from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.measures.accuracy import Interval, accuracy, accuracy_interval, correctness
from robust_tickets.measures.chance import Crossed, crossed
from robust_tickets.measures.figure import FRACTION, Bounds, Quantity
from robust_tickets.measures.logits import Batches, logits
from robust_tickets.measures.robust_accuracy import withstanding_each

if TYPE_CHECKING:
    from torch import Tensor


class InParts(Protocol):
    """What was measured of one network."""

    @property
    def values(self) -> Tensor:
        """What `Metric.measured` returned."""
        ...

    @property
    def without(self) -> Tensor | None:
        """Of a figure of a whole set: the figure without each part, float64 [parts]; None: unknown."""
        ...


class Metric(Quantity, Protocol):
    """A figure, computed from a tensor measured once and kept: the figure of a set is not a mean over images."""

    key: ClassVar[str]
    """Its name in files: lower case."""
    has_pairs: ClassVar[bool]
    """Whether what is kept is right or wrong image by image, so that ticket and dense can be compared on each."""
    parts: ClassVar[int]
    """In how many parts a set is measured, at most."""

    def measured(self, predict: Predict, batches: Batches, attackers: Sequence[Attacker] = ()) -> list[Tensor]:
        """Return what is kept, of the images as they are and under each attacker; use within `evaluation_mode`."""
        ...

    def measured_in_parts(
        self, predict: Predict, parts: Iterable[Batches], attackers: Sequence[Attacker] = ()
    ) -> tuple[Tensor, Tensor | None]:
        """Return what is kept, under the last attacker if there is one; of a set the figure without each part, too."""
        ...

    def value(self, measured: Tensor) -> float:
        """Return the figure, in its own unit."""
        ...

    def interval(self, measured: Tensor) -> Interval | None:
        """Return the 95 % interval of the figure over draws of the test images, if one is known."""
        ...

    def paired(self, ticket: Sequence[InParts], dense: Sequence[InParts], examples: int) -> Crossed | None:
        """Return the differences seed by seed, and image by image or part by part; None if they are not known.

        `examples` is the number that was measured.
        """
        ...

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return plain values for a file."""
        ...

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        ...


class CorrectOrNot(ABC):
    """A fraction of images that are right; kept is bool [N], image by image."""

    name: str
    key: ClassVar[str]
    unit: Unit = PERCENT
    bounds: Bounds = FRACTION
    higher_is_better: bool = True
    has_pairs: ClassVar[bool] = True
    parts: ClassVar[int] = 1

    @abstractmethod
    def measured(self, predict: Predict, batches: Batches, attackers: Sequence[Attacker] = ()) -> list[Tensor]:
        """Return which are right as the images are, and after each attacker in turn."""

    def measured_in_parts(
        self, predict: Predict, parts: Iterable[Batches], attackers: Sequence[Attacker] = ()
    ) -> tuple[Tensor, Tensor | None]:
        """Return the last correctness; images need no parts, and are in order only in a single one."""
        return self.measured(predict, next(iter(parts)), attackers)[-1], None

    def value(self, measured: Tensor) -> float:
        """Return the fraction that is true."""
        return accuracy(measured)

    def interval(self, measured: Tensor) -> Interval:
        """Return the Clopper-Pearson interval."""
        return accuracy_interval(measured)

    def paired(self, ticket: Sequence[InParts], dense: Sequence[InParts], examples: int) -> Crossed | None:
        """Return the differences of `chance.py`; None if the runs were not measured on equal images."""
        if examples < 2 or any(len(one.values) != examples for one in (*ticket, *dense)):
            return None
        return crossed([one.values for one in ticket], [one.values for one in dense])

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return the bits as `count:hex`."""
        return {"correct": f"{len(measured)}:{np.packbits(measured.numpy()).tobytes().hex()}"}

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        count, packed = values["correct"].split(":")
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(packed), dtype=np.uint8), count=int(count))
        return torch.from_numpy(bits.astype(bool))


@final
class Accuracy(CorrectOrNot):
    """The fraction of images classified correctly."""

    name: str = "accuracy"
    key: ClassVar[str] = "accuracy"

    def measured(self, predict: Predict, batches: Batches, attackers: Sequence[Attacker] = ()) -> list[Tensor]:
        """Return correctness as the images are, and after each attacker in turn, which meets only what withstood."""
        if not attackers:
            return [correctness(*logits(predict, batches))]
        return withstanding_each(predict, batches, attackers)
