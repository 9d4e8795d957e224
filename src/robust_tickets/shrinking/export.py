"""An ONNX file that anyone can run: images in [0, 1] or tokens in, logits out, checked before it is in place."""

import contextlib
import copy
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from robust_tickets.foundation.batch import IMAGES, Batch, as_floats, by_name, sliced
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_atomic
from robust_tickets.foundation.ownership import require_ours
from robust_tickets.foundation.settings import Settings
from robust_tickets.models.adaptations.adapted_body import LOGITS, AdaptedBody
from robust_tickets.models.network import Network
from robust_tickets.models.proofs import relative_difference

TOLERANCE = 1e-4
"""Largest difference of logits, over their standard deviation, between file and network."""

LARGEST_FILE = 2**31 - 2**24
"""Bytes of parameters that fit one ONNX file with room for its graph: protocol buffers end at 2 GiB."""

INPUT, OUTPUT = IMAGES, LOGITS[0]

_log = logging.getLogger(__name__)


class Provenance(Settings):
    """The run that an exported file was made from, according to its metadata."""

    ticket: str | None = Field(description="Digest of the ticket; null for dense.")
    network: str = Field(description="Digest of the network's parameters and buffers.")
    seed: int | None = Field(default=None, description="Seed of the run; null if nothing was trained.")


def export_onnx(
    classifier: Network,
    path: Path | str,
    *,
    classes: Sequence[str] | None = None,
    provenance: Provenance | None = None,
) -> float:
    """Write a classifier as one ONNX file, completely or not at all, and check it in ONNX Runtime.

    The file takes `images`, float32 [batch, C, H, W] in [0, 1], any batch size, and gives `logits`
    [batch, classes], or what else an adapted body answers; normalisation is inside. Of a network for texts it takes
    int64 [batch, length] by the names of transformers, `input_ids` and `attention_mask`, and mostly `token_type_ids`,
    of any length up to the network's, and gives `logits` [batch, classes], or [batch, length, classes] for tokens,
    spans ([batch, length, 2]) and hidden words. Its metadata say, as JSON, what goes in (of images `size`, `mean`,
    `std`, `interpolation`, `crop_fraction`, of texts `length`, `pad`, `tokenizer.json` and more), which head a language
    model has (`adaptation`), and where given `classes`, `ticket`, `network` and `seed`.

    Args:
        classifier: moved to the CPU in float32 eval mode on a copy; the one given is not touched.
        path: the file to write.
        classes: names in the order of the logits.
        provenance: which run the network is of.

    Returns:
        Largest |ONNX Runtime - torch| over the standard deviation of the logits, on random images, or on random texts
        of several lengths, with padding and without; of other answers, over the largest value.

    Raises:
        UserError: the network cannot be expressed in ONNX, is too large for one file, the class names do not
            fit, another's file is at the place, or it cannot be written.
        RuntimeError: the file differs from the network by more than 1e-4 of the logits' spread, or of the largest value
            of other answers.
    """
    require_ours(path)
    about = metadata(classifier, classes, provenance)
    network = portable(classifier)
    inputs = sliced(random_inputs(network, 3), 0, 2)
    network.require_exportable()
    with torch.no_grad():
        network.exported(sliced(inputs, 0, 1))  # what depends on sizes alone is computed before the network is traced
    written = network if network.gives_logits else Answering(network)
    name = classifier.called
    program = onnx_program(written, inputs, name, network.answers, network.interface.free)
    program.model.metadata_props.update(about)

    difference = float("nan")

    def write(temporary: Path) -> None:
        nonlocal difference
        with quiet():
            program.save(temporary, external_data=False)
        difference = _difference(network, temporary)

    write_atomic(path, write)
    return difference


def onnx_program(
    network: nn.Module, inputs: Any, name: str, answers: Sequence[str] = LOGITS, free: Sequence[str] = ("batch",)
) -> torch.onnx.ONNXProgram:
    """Return a network as ONNX, from `images` or tokens of any number to `logits`, or to what else it answers.

    Args:
        network: on the CPU, in float32 and eval mode.
        inputs: two or more of its inputs.
        name: what messages call the network.
        answers: names of what it returns, a tensor for each.
        free: names of the inputs' first dimensions, which may be of any size.

    Raises:
        UserError: it cannot be expressed in ONNX, or is too large for one file.
    """
    if (size := sum(parameter.nbytes for parameter in network.parameters())) > LARGEST_FILE:
        raise UserError(f"{name}: {size / 2**30:.1f} GiB of parameters do not fit into one ONNX file (2 GiB)")
    # Several inputs agree in their sizes only by name. A name also has to be proven, and that of the one input of a
    # detector cannot be.
    several = len(by_name(inputs)) > 1
    sizes = {
        place: torch.export.Dim(dimension) if several else torch.export.Dim.DYNAMIC
        for place, dimension in enumerate(free)
    }
    try:
        with quiet():
            program = torch.onnx.export(
                network,
                (inputs, {}),  # of a mapping in the last place the exporter would make keyword arguments
                dynamo=True,
                verbose=False,
                input_names=list(by_name(inputs)),
                output_names=list(answers),
                dynamic_shapes=(tree_map(lambda _: sizes, inputs),),
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0][:200]
        raise UserError(f"{name} cannot be exported to ONNX: {reason}") from error
    assert program is not None
    # The exporter notes for every operation the stack of source files that it came from: paths of the user's machine,
    # and most of a small network's file.
    for graph in (program.model.graph, *program.model.functions.values()):
        for node in graph.all_nodes():
            node.metadata_props.clear()
    return program


class Answering(nn.Module):
    """A network that returns what a file exported from it gives."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Any) -> Any:
        """Return a tensor for each of the network's answers."""
        return self.network.exported(inputs)


def portable(classifier: Network) -> Network:
    """Return a copy on the CPU, in float32 and eval mode."""
    return copy.deepcopy(classifier).cpu().float().eval()


def random_inputs(classifier: Network, count: int) -> Any:
    """Return uniform noise in [0, 1] of the classifier's input shape, or texts of random tokens; always the same."""
    return classifier.interface.example(count, "export")


def metadata(classifier: Network, classes: Sequence[str] | None, provenance: Provenance | None) -> dict[str, str]:
    """Return what an exported file says about itself, each as JSON.

    Raises:
        UserError: the class names do not fit.
    """
    if classes and len(classes) != classifier.num_classes:
        raise UserError(f"{len(classes)} class names were given for a network of {classifier.num_classes} classes")
    content = classifier.interface.model_dump(mode="json")
    if isinstance(classifier.body, AdaptedBody):
        content |= classifier.body.stated
    if classes:  # numbers, spans and hidden words have none
        content["classes"] = list(classes)
    if provenance is not None:
        content |= provenance.model_dump(mode="json", exclude_none=True)
    said = {key: json.dumps(value) for key, value in content.items()}
    # A tokenizer goes into the file itself: a file that is sent or renamed alone still answers to texts. It is some
    # 0.5 MB of JSON, next to tens of MB of weights.
    return said | {name: file.decode() for name, file in classifier.interface.files().items()}


def feed(inputs: Any) -> dict[str, np.ndarray]:
    """Return inputs as ONNX Runtime takes them: arrays by name, floats in fp32."""
    return {name: values.detach().cpu().contiguous().numpy() for name, values in by_name(as_floats(inputs)).items()}


@torch.no_grad()
def _difference(network: Network, path: Path) -> float:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst, others = 0.0, not network.gives_logits
    for batch in network.interface.tried():
        given = [torch.from_numpy(values) for values in session.run(network.answers, feed(batch))]
        expected = network.exported(batch)
        pair = (given, expected if isinstance(expected, tuple) else (expected,))
        worst = max(worst, relative_difference(*(counted(batch, each) for each in pair), of_largest=others))
    if not worst <= TOLERANCE:
        scale = "largest of its " if others else "spread of its "
        raise RuntimeError(
            f"the ONNX file of {network.called} differs from the network by {worst:.1e} of the "
            f"{scale}{' or '.join(network.answers)} (allowed: {TOLERANCE:.0e})"
        )
    return worst


def counted(inputs: Any, outputs: Sequence[Tensor]) -> list[Tensor]:
    """Return outputs without those of padding, which nobody reads and engines compute in different ways."""
    places = Batch(inputs, None).counted
    return [each[places] if places is not None and each.dim() > places.dim() else each for each in outputs]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Redirect the exporter's output and warnings to the log."""
    said = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        warnings.simplefilter("always")
        yield
    for line in [*said.getvalue().splitlines(), *(str(warning.message) for warning in caught)]:
        _log.debug("%s", line)
