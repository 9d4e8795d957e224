"""What computes a network's answers, for one kind of input."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self

from robust_tickets.models.adaptations.adaptation import Adaptation
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network
from robust_tickets.runtime.load import Runtime
from robust_tickets.shrinking.artefact import OnnxFile
from robust_tickets.verbs.predict.predictions import Predictions

OnUnreadable = Literal["refuse", "skip"]
"""What happens to an image file that cannot be read."""


class Predictor(ABC):
    """What computes a network's answers, and what is needed to go from files to words."""

    noun: ClassVar[str]
    """What goes in, as interfaces call it: `images`."""
    name: str
    """What messages call the network."""
    classes: tuple[str, ...] | None
    """Names of the outputs, if they are known."""

    @classmethod
    @abstractmethod
    def of_network(cls, name: str, network: Network, classes: tuple[str, ...] | None) -> Self:
        """Return that of a torch network, which computes on the CPU.

        Raises:
            UserError: it does what nobody predicts.
        """

    @classmethod
    @abstractmethod
    def of_file(cls, file: OnnxFile) -> Self:
        """Return that of an ONNX file.

        Raises:
            UserError: it does not say how inputs are prepared for it.
        """

    @classmethod
    @abstractmethod
    def of_runtime(cls, name: str, runtime: Runtime) -> Self:
        """Return that of a loaded runtime file.

        Raises:
            UserError: it does not say how inputs are prepared for it.
        """

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Logits of an input, or of each of its pixels or tokens."""

    @property
    @abstractmethod
    def adaptation(self) -> Adaptation | None:
        """What the network was adapted to, as far as it is known."""

    @property
    @abstractmethod
    def interface(self) -> Interface:
        """How data are prepared for it."""

    @abstractmethod
    def predicted(self, given: Any, top: int, on_unreadable: OnUnreadable) -> Predictions:
        """Return what the network says of each input.

        Args:
            given: images or texts, as `predict` takes them.
            top: how many classes or words.
            on_unreadable: what happens to an image file that cannot be read.

        Raises:
            UserError: there is nothing, it is something else, or it cannot be read.
        """
