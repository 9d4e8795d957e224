"""An exported file in 8-bit integers: static quantisation by ONNX Runtime's own tools."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
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
    path, out = Path(path), Path(out)
    require_ours(out)
    wanted = open_session(path, 1).get_inputs()[0].shape[1:]
    if images.ndim != 4 or list(images.shape[1:]) != wanted or not len(images):
        raise UserError(f"{path}: calibrates on images of shape (N, {', '.join(map(str, wanted))}), not {images.shape}")
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props} | {"precision": json.dumps("int8")}
    # The exporter has folded and inferred already; without this mark the tools would advise to do so.
    add_pre_process_metadata(model)

    def write(temporary: Path) -> None:
        with quiet():
            quantize_static(
                model,
                str(temporary),
                CalibrationBatches(images),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=reduce_range,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
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
