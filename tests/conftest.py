"""What makes every test process cheaper: one thread each, and nothing looked up again that stays as it is."""

import functools
import gc
import os

import torch
from torch.onnx._internal.exporter._registration import ONNXRegistry

torch.set_num_threads(1)

# Every export lists all the operators that torch knows, 0.4 s each time, and the suite exports hundreds of networks.
ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))

# Files are put in place durably, milliseconds each for tens of thousands of them; no test turns off the machine.
os.fsync = lambda _: None


def pytest_collection_finish() -> None:
    """Hide a million objects that stay until the end from the garbage collector, which takes a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def pytest_sessionfinish() -> None:
    """Let the interpreter clear everything away as it is used to."""
    gc.unfreeze()
