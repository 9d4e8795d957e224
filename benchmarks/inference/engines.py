"""What can run a network: each engine opens a file and gives a function from images, or arrays by name, to logits.

Images are [N, 3, H, W] in [0, 1]; normalisation is inside the networks.

Imports happen when an engine is chosen, in its own process, before memory is counted.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[Any], NDArray[np.float32]]
Open = Callable[[Path, int], Run]
"""Opens a file for so many threads."""


class Absent(Exception):
    """What an engine needs is not on this machine; the message says what."""


def onnxruntime() -> Open:
    """ONNX Runtime on the CPU."""
    import onnxruntime as ort

    def opened(path: Path, threads: int) -> Run:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda inputs: np.asarray(session.run(None, inputs if isinstance(inputs, dict) else {name: inputs})[0])

    return opened


def openvino() -> Open:
    """OpenVINO on the CPU for one request at a time; in fp32, where its own choice may be bf16."""
    try:
        import openvino as ov
    except ImportError:
        raise Absent("OpenVINO is not installed (the extra `bench`)") from None

    def opened(path: Path, threads: int) -> Run:
        options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        request = ov.Core().compile_model(path, "CPU", options).create_infer_request()
        # Without sharing, every call copies its input; ONNX Runtime does not.
        return lambda inputs: np.array(
            request.infer(inputs if isinstance(inputs, dict) else [inputs], share_inputs=True)[0]
        )

    return opened


def torch_eager() -> Open:
    """PyTorch as it is, on a network saved whole by this benchmark."""
    import torch

    def opened(path: Path, threads: int) -> Run:
        torch.set_num_threads(threads)
        network = torch.load(path, weights_only=False)

        def run(inputs: Any) -> NDArray[np.float32]:
            with torch.inference_mode():
                return network(as_tensors(inputs)).numpy()

        return run

    return opened


def torch_compiled() -> Open:
    """PyTorch with `torch.compile`: inductor, weights frozen into the graph."""
    if not (os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")):
        raise Absent("torch.compile needs a C++ compiler, and there is none")
    os.environ |= {"TORCHINDUCTOR_FREEZING": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}  # read on import
    import torch

    def opened(path: Path, threads: int) -> Run:
        torch.set_num_threads(threads)
        network = torch.compile(torch.load(path, weights_only=False))

        def run(inputs: Any) -> NDArray[np.float32]:
            with torch.no_grad():  # freezing asks for this, not for inference mode
                return network(as_tensors(inputs)).numpy()

        return run

    return opened


def as_tensors(inputs: Any) -> Any:
    """Return arrays, alone or by name, as tensors."""
    import torch

    if isinstance(inputs, dict):
        return {name: torch.from_numpy(array) for name, array in inputs.items()}
    return torch.from_numpy(inputs)


def runtime() -> Open:
    """The project's sparse runtime."""
    from robust_tickets import load_runtime

    return lambda path, threads: load_runtime(path, threads=threads)


ENGINES: dict[str, Callable[[], Open]] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "torch": torch_eager,
    "torch.compile": torch_compiled,
    "runtime": runtime,
}
