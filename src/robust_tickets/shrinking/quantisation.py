"""An exported file in 8-bit integers, by ONNX Runtime's own tools: static for images, dynamic for texts."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_atomic
from robust_tickets.foundation.ownership import require_ours
from robust_tickets.shrinking.artefact import open_session
from robust_tickets.shrinking.export import INPUT, quiet

CALIBRATION_BATCH = 16
"""Images per call while ranges are measured: bounds the memory, decides nothing."""


def quantise(path: Path | str, out: Path | str, images: np.ndarray, *, reduce_range: bool = False) -> None:
    """Write an exported file again with weights and activations in 8 bits, completely or not at all.

    Weights become int8, symmetric, with a scale for each output channel, so that a zero stays a zero; activations
    become uint8 with one scale a tensor, from the least and the largest value that the images bring about
    (Jacob et al., 2018). Quantise and dequantise stand in the graph (QDQ), so any ONNX engine runs the file. Input,
    output, dynamic batch and metadata are those of the file at `path`; `precision` says `int8`.

    Args:
        path: a float file that `export_onnx` wrote.
        out: the file to write.
        images: for calibration, float32 [N, C, H, W] in [0, 1]; training images, never those it is tested on.
        reduce_range: 7 bits for the weights, against saturation on x86 processors without VNNI instructions.

    Raises:
        UserError: no such file, images of another shape, another's file at the place, or it cannot be written.
    """
    path = Path(path)
    wanted = open_session(path, 1).get_inputs()[0].shape[1:]
    if images.ndim != 4 or list(images.shape[1:]) != wanted or not len(images):
        raise UserError(f"{path}: calibrates on images of shape (N, {', '.join(map(str, wanted))}), not {images.shape}")

    def quantised(model: onnx.ModelProto, temporary: str) -> None:
        quantize_static(
            model,
            temporary,
            CalibrationBatches(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=reduce_range,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )

    _written(path, Path(out), quantised)


def quantise_matrices(path: Path | str, out: Path | str, *, reduce_range: bool = False) -> None:
    """Write an exported file again with the weights of its matrix products in 8 bits, completely or not at all.

    Weights become int8, symmetric, with a scale for each output; what they are multiplied with becomes uint8 at every
    call, in the range that it has then. ONNX Runtime recommends this for transformers: their activations differ too
    much from text to text for ranges that are measured ahead, and no data are needed. Embeddings and norms stay in
    fp32. Inputs, output and metadata are those of the file at `path`; `precision` says `int8`.

    Args:
        path: a float file that `export_onnx` wrote.
        out: the file to write.
        reduce_range: 7 bits for the weights, against saturation on x86 processors without VNNI instructions.

    Raises:
        UserError: no such file, another's file at the place, or it cannot be written.
    """

    def quantised(model: onnx.ModelProto, temporary: str) -> None:
        # The tool transposes weights of layers, against which shapes that the exporter noted would be held.
        del model.graph.value_info[:]
        # Gather is left out: a table of embeddings with one scale for all words loses more than it saves.
        quantize_dynamic(
            model,
            temporary,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
        )

    _written(Path(path), Path(out), quantised)


def _written(path: Path, out: Path, quantise_to: Callable[[onnx.ModelProto, str], None]) -> None:
    """Write what a tool makes of a file, with the file's metadata, once it is seen to open."""
    require_ours(out)
    open_session(path, 1)
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props} | {"precision": json.dumps("int8")}
    # The exporter has folded and inferred already; without this mark the tools would advise to do so.
    add_pre_process_metadata(model)

    def write(temporary: Path) -> None:
        with quiet():
            quantise_to(model, str(temporary))
        quantised = onnx.load(temporary)
        onnx.helper.set_model_props(quantised, metadata)
        onnx.save(quantised, temporary)
        open_session(temporary, 1)

    write_atomic(out, write)


class CalibrationBatches(CalibrationDataReader):
    """Images as ONNX Runtime's tools ask for them, batch by batch."""

    def __init__(self, images: np.ndarray) -> None:
        self.batches: Iterator[np.ndarray] = (
            images[start : start + CALIBRATION_BATCH] for start in range(0, len(images), CALIBRATION_BATCH)
        )

    def get_next(self) -> dict[str, np.ndarray]:
        """Return the next batch by the input's name; nothing at the end."""
        batch = next(self.batches, None)
        return {} if batch is None else {INPUT: np.ascontiguousarray(batch, dtype=np.float32)}
