"""What goes into a network, and how it is prepared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from robust_tickets.foundation.batch import sliced
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.latent_noise import LatentNoise
from robust_tickets.foundation.settings import Settings, parse

if TYPE_CHECKING:
    from robust_tickets.attacks.perturbable import Perturbable
    from robust_tickets.foundation.lazy import nn


class Interface(Settings, ABC):
    """What goes into a network: how it is prepared, what examples look like, and which files travel with it."""

    noun: ClassVar[str]
    """What its inputs are, for messages: `images`."""
    free: ClassVar[tuple[str, ...]] = ("batch",)
    """What the first dimensions of its inputs count, of which a file takes any number."""
    class_dim: ClassVar[int] = 1
    """Along which dimension of logits the classes are."""

    @abstractmethod
    def preparation(self) -> nn.Module:
        """Return what stands in front of the network, differentiable in its inputs."""

    @abstractmethod
    def perturbable(self, body: nn.Module, inputs: Any) -> Perturbable:
        """Return what an attack may move of inputs as they enter the network, and how they become such inputs again."""

    @abstractmethod
    def example(self, count: int, *stream: str) -> Any:
        """Return this many inputs as they enter the network, on the CPU.

        Args:
            count: number of examples.
            stream: a named stream that they are drawn from, the same at every call; without it values do not matter.
        """

    def tried(self) -> list[Any]:
        """Return the inputs on which an exported file is compared with its network."""
        three = self.example(3, "export")
        return [three, sliced(three, 0, 1)]

    def timed(self, count: int, length: int | None = None) -> Any:
        """Return this many inputs on which latency is measured and multiply-adds are counted.

        Args:
            count: number of examples.
            length: of each, where examples have a length; None for the longest.

        Raises:
            UserError: examples have none, or are not that long.
        """
        if length is not None:
            raise UserError(f"length: is of texts, but the network takes {self.noun}; leave it out")
        return self.example(count, "export")

    @abstractmethod
    def describe(self) -> str:
        """Return what goes in, on one line."""

    @property
    def channels(self) -> int | None:
        """Number of channels of an image; None of what has none."""
        return None

    @property
    def noise(self) -> LatentNoise | None:
        """The fixed noise that goes into a generator; None of what takes something else."""
        return None

    @property
    def complaint(self) -> str | None:
        """What is wrong with the size of what comes out, and what would be right; None if nothing is."""
        return None

    @property
    @abstractmethod
    def shape_words(self) -> str:
        """What one example is, for messages: `3 x 32 x 32`."""

    @abstractmethod
    def wanted(self) -> dict[str, Any]:
        """Return what it asks of data, as arguments of `load_data`."""

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Return these settings with what the user states over them.

        Raises:
            UserError: a value is wrong, or there is no such setting of what goes in.
        """
        fields = type(self).model_fields
        if other := [name for name in given if name not in fields]:
            raise UserError(f"preprocessing.{other[0]}: the network takes {self.noun}, which have none; leave it out")
        own = {name: getattr(self, name) for name in fields}
        return parse(type(self), {**own, **given}, "preprocessing")

    def files(self) -> dict[str, bytes]:
        """Return the files that travel wherever these settings are written, by name."""
        return {}

    def completed(self, folder: Path) -> Self:
        """Return these settings with what is in the files beside them.

        Raises:
            UserError: a file is missing, or is another one.
        """
        return self
