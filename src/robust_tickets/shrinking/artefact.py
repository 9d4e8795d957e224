"""What was written of a network, as what is measured: inputs in, logits out, and which run it was made from."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, final

import onnxruntime
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoModel,
    NotImplemented,
    RuntimeException,
)
from torch import Tensor

from robust_tickets.foundation.batch import as_floats, moved
from robust_tickets.foundation.digests import file_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import LOGITS
from robust_tickets.models.folders import FACTS, load
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.tokens import Tokens
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.load import Runtime, load_runtime
from robust_tickets.shrinking.export import INPUT, OUTPUT, Provenance, feed, portable
from robust_tickets.shrinking.folder import ORIGIN, read_origin
from robust_tickets.shrinking.places import require_exported

UNREADABLE = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoModel, NotImplemented, RuntimeException)
"""What ONNX Runtime says of a file that is none, or that it cannot run."""

RUNTIME = ".rtk"
"""How the name of a runtime file ends."""

NETWORK = "network"
"""What a file says of its weights: their digest; no other's file says so."""


class Artefact(Protocol):
    """A file or folder that `tickets shrink` wrote."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def digest(self) -> str:
        """What decides its answers, as `sha256:...`."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Which run it says it was made from.

        Raises:
            UserError: it does not say.
        """
        ...

    def predict(self, inputs: Any) -> Any:
        """Return logits float32 [N, C], on the CPU, of images [N, C, H, W] in [0, 1], or tokens, from any device.

        Of a network that answers otherwise, what its task's metric takes.
        """
        ...


@final
@dataclass(frozen=True, eq=False)
class OnnxFile:
    """An ONNX file that `export_onnx` wrote, open in ONNX Runtime on the CPU."""

    path: Path
    digest: str
    """Of the file's bytes."""
    session: onnxruntime.InferenceSession = field(repr=False)
    like: Network | None = field(default=None, repr=False)
    """A network of the same architecture, which knows what answers are that are not logits."""

    @classmethod
    def opened(cls, path: Path, threads: int, like: Network | None) -> "OnnxFile":
        """Open a file.

        Raises:
            UserError: not an ONNX file, or neither one that takes `images` and gives `logits` nor one of ours.
        """
        require_exported(path)
        session = open_session(path, threads)
        inputs, outputs = [one.name for one in session.get_inputs()], [one.name for one in session.get_outputs()]
        said = session.get_modelmeta().custom_metadata_map
        if (inputs != [INPUT] and not Tokens.told_by(said)) or (outputs != [OUTPUT] and NETWORK not in said):
            raise UserError(
                f"{path}: takes {', '.join(inputs)} and gives {', '.join(outputs)}; a file from tickets shrink takes "
                f"{INPUT}, or says which tokenizer it needs, and gives {OUTPUT}"
            )
        return cls(path, file_digest(path), session, like)

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself, each as JSON."""
        return self.session.get_modelmeta().custom_metadata_map

    @property
    def takes(self) -> tuple[str, ...]:
        """Names of its inputs."""
        return tuple(one.name for one in self.session.get_inputs())

    @property
    def noun(self) -> str:
        """What goes in, as interfaces call it."""
        return Pixels.noun if self.takes == (INPUT,) else Tokens.noun

    def predict(self, inputs: Any) -> Any:
        """Return logits float32 [N, C], on the CPU, of images [N, C, H, W] in [0, 1], or tokens, from any device.

        Of an adapted body with other answers, what its task's metric takes.

        Raises:
            UserError: the file has other answers or inputs than the network that it is opened for.
        """
        names = tuple(one.name for one in self.session.get_outputs())
        expected = self.like.answers if self.like is not None else LOGITS
        if names != expected:
            hint = "; measure it with tickets verify RUN --exported FILE" if self.like is None else ""
            raise UserError(
                f"{self.path}: gives {' and '.join(names)}, but {' and '.join(expected)} are needed here{hint}"
            )
        given = [torch.from_numpy(values) for values in self.session.run(names, feed(inputs))]
        return self.like.answered(given) if self.like is not None else given[0]

    @property
    def provenance(self) -> Provenance:
        """Return which run the file says it was made from.

        Raises:
            UserError: it does not say.
        """
        return _provenance(self.path, self.metadata)


@final
@dataclass(frozen=True, eq=False)
class RuntimeFile:
    """A file that `write_runtime` wrote, ready to be executed on the CPU."""

    path: Path
    digest: str
    """Of the file's bytes."""
    runtime: Runtime = field(repr=False)

    @classmethod
    def opened(cls, path: Path, threads: int, like: Network | None) -> "RuntimeFile":
        """Open a file.

        Raises:
            UserError: no such file, or not a runtime file.
        """
        runtime = open_runtime(path, threads)
        return cls(path, file_digest(path), runtime)

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself, each as JSON."""
        return self.runtime.graph.metadata

    def predict(self, inputs: Any) -> Tensor:
        """Return logits float32 [N, C], on the CPU, of images [N, C, H, W] in [0, 1] or tokens [N, L], from any device.

        Of a network that answers for each token [N, L, C].
        """
        return self.runtime.logits(inputs).cpu()  # smoothing's noise leaves [0, 1]

    @property
    def provenance(self) -> Provenance:
        """Return which run the file says it was made from.

        Raises:
            UserError: it does not say.
        """
        return _provenance(self.path, self.metadata)


@final
@dataclass(frozen=True, eq=False)
class NetworkFolder:
    """A folder that `write_folder` wrote, its network on the CPU."""

    path: Path
    digest: str
    """Of `source.json`, which holds that of the weights."""
    network: Network = field(repr=False)

    @torch.no_grad()
    def predict(self, inputs: Any) -> Any:
        """Return logits float32 [N, C], on the CPU, of images [N, C, H, W] in [0, 1] from any device."""
        return self.network(as_floats(moved(inputs, "cpu")))

    @property
    def provenance(self) -> Provenance:
        """Return which run the folder says it was made from.

        Raises:
            UserError: it does not say.
        """
        said = read_origin(self.path).run if (self.path / ORIGIN).is_file() else None
        if said is None:
            raise UserError(f"{self.path}: does not say which run it was made from; write it with tickets shrink")
        return said


OPENED: dict[str, Callable[[Path, int, Network | None], Artefact]] = {RUNTIME: RuntimeFile.opened}
"""What opens a file of a suffix; all others are taken for ONNX files."""


def load_artefact(path: Path | str, threads: int = 1, like: Network | None = None) -> Artefact:
    """Open what `tickets shrink` wrote.

    Args:
        path: an ONNX file, a runtime file, or a folder.
        threads: threads that a file's engine may use.
        like: the architecture, for a folder whose architecture is the user's own code, and for files whose answers are
            no logits.

    Raises:
        UserError: no such file, not an ONNX or runtime file, not one that takes `images` and gives `logits`, or a
            folder that cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return NetworkFolder(path, file_digest(path / FACTS), portable(load(path, like)))
    return OPENED.get(path.suffix, OnnxFile.opened)(path, threads, like)


def open_runtime(path: Path, threads: int) -> Runtime:
    """Read a runtime file and make it ready, with this many threads.

    Raises:
        UserError: no such file, or not a runtime file.
    """
    try:
        return load_runtime(path, threads)
    except RuntimeFileError as error:
        raise UserError(str(error)) from None


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Open a file in ONNX Runtime on the CPU, with this many threads.

    Raises:
        UserError: no such file, or ONNX Runtime cannot read it.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except UNREADABLE as error:
        raise UserError(f"{path}: is not an ONNX file that ONNX Runtime can run ({error})") from None


def _provenance(path: Path, said: Mapping[str, str]) -> Provenance:
    if not {NETWORK, "seed"} <= said.keys():
        raise UserError(f"{path}: does not say which run it was made from; write it with tickets shrink")
    return Provenance(
        ticket=json.loads(said.get("ticket", "null")),
        network=json.loads(said[NETWORK]),
        seed=json.loads(said["seed"]),
    )
