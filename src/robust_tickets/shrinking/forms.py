"""What is written of a network: an ONNX file, a runtime file or a folder, each with the settings that it takes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.shrinking.artefact import RUNTIME, open_runtime, open_session
from robust_tickets.shrinking.conversion import require_classifier
from robust_tickets.shrinking.export import INPUT, Provenance, export_onnx
from robust_tickets.shrinking.runtime_file import Differences, write_runtime
from robust_tickets.shrinking.settings import ShrinkSettings


class ShippedForm(ABC):
    """A form in which a network is written, and timed."""

    name: ClassVar[str]
    """As records tell it: the suffix of a file, or `folder`."""
    takes_half: ClassVar[bool] = False
    """Whether weights can be stored in 16 bits."""
    takes_int8: ClassVar[bool] = False
    """Whether a file in 8-bit integers can go with it."""
    leaves_out_zeros: ClassVar[bool] = False
    """Whether single zeros make it smaller, so that it differs from dense without any channel removed."""
    is_folder: ClassVar[bool] = False

    def require(self, settings: ShrinkSettings) -> None:
        """Refuse settings of another form.

        Raises:
            UserError: says which form they are of.
        """
        if settings.half and not self.takes_half:
            raise UserError(
                f"half: weights are stored in 16 bits in a runtime file; give a name that ends in {RUNTIME}"
            )
        if settings.int8 is not None and not self.takes_int8:
            raise UserError("int8: an 8-bit file is written next to an ONNX file; give a name that ends in .onnx")

    def require_network(self, network: Network) -> None:
        """Refuse a network that cannot be written in this form.

        Raises:
            UserError: says why, and what to do.
        """
        network.require_exportable()

    def suits(self, network: Network) -> bool:
        """Return whether a network is worth a try in this form: it may still use what the form lacks."""
        try:
            self.require_network(network)
        except UserError:
            return False
        return True

    @abstractmethod
    def write(
        self,
        network: Network,
        path: Path,
        settings: ShrinkSettings,
        *,
        classes: Sequence[str] | None,
        provenance: Provenance | None,
    ) -> Differences:
        """Write the file that is timed, and return how far its logits are from the network's.

        Raises:
            UserError: the network cannot be expressed in this form, or the file not be written.
        """

    @abstractmethod
    def caller(self, path: Path, threads: int, inputs: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Return what computes a written file's logits of inputs by name, as `feed` returns them.

        Raises:
            UserError: no such file, or not one of this form.
        """


class OnnxForm(ShippedForm):
    """An ONNX file, for ONNX Runtime."""

    name: ClassVar[str] = ".onnx"
    takes_int8: ClassVar[bool] = True

    def write(
        self,
        network: Network,
        path: Path,
        settings: ShrinkSettings,
        *,
        classes: Sequence[str] | None,
        provenance: Provenance | None,
    ) -> Differences:
        """Export the network."""
        return Differences(export_onnx(network, path, classes=classes, provenance=provenance), 0.0)

    def caller(self, path: Path, threads: int, inputs: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Open the file in ONNX Runtime."""
        return partial(open_session(path, threads).run, None, inputs)


@final
class RuntimeForm(ShippedForm):
    """A file for the sparse CPU runtime."""

    name: ClassVar[str] = RUNTIME
    takes_half: ClassVar[bool] = True
    leaves_out_zeros: ClassVar[bool] = True

    def require_network(self, network: Network) -> None:
        """Refuse a network whose inputs or answers the runtime does not know."""
        super().require_network(network)
        require_classifier(network)

    def write(
        self,
        network: Network,
        path: Path,
        settings: ShrinkSettings,
        *,
        classes: Sequence[str] | None,
        provenance: Provenance | None,
    ) -> Differences:
        """Convert the network."""
        return write_runtime(network, path, classes=classes, provenance=provenance, half=settings.half)

    def caller(self, path: Path, threads: int, inputs: Mapping[str, np.ndarray]) -> Callable[[], object]:
        """Open the file in the runtime."""
        return partial(open_runtime(path, threads), inputs.get(INPUT, inputs))  # texts are called by name


@final
class FolderForm(OnnxForm):
    """A folder that `rt.load` reads; the network in it is timed as an ONNX file that is not kept."""

    name: ClassVar[str] = "folder"
    takes_int8: ClassVar[bool] = False
    is_folder: ClassVar[bool] = True


ONNX, FOLDER = OnnxForm(), FolderForm()
FILES: dict[str, ShippedForm] = {form.name: form for form in (ONNX, RuntimeForm())}


def form_of(path: Path) -> ShippedForm:
    """Return the form of a file by its suffix; an ONNX file's if nothing is known of it."""
    return FILES.get(path.suffix, ONNX)
