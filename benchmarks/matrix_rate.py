"""How fast this machine multiplies matrices: what a training could reach at most."""

import torch

from benchmarks.device import wait_for
from benchmarks.timing import in_turns, repeated
from robust_tickets.training.precision import has_native_bf16


def matrix_rates(side: int, device: torch.device) -> dict[str, float]:
    """Return multiply-adds a second of a product of two `side` x `side` matrices, the best of five, by number format.

    On CUDA "fp32" is what convolutions do with fp32 tensors there by default, TF32.
    """
    formats = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if has_native_bf16(device) else {})
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if device.type == "cuda" else precision)
    try:
        return {name: side**3 / fastest(side, dtype, device) for name, dtype in formats.items()}
    finally:
        torch.set_float32_matmul_precision(precision)


def fastest(side: int, dtype: torch.dtype, device: torch.device) -> float:
    """Return the seconds of the fastest of five products."""
    left, right = torch.rand(2, side, side, device=device).to(dtype)

    def product() -> None:
        torch.mm(left, right)
        wait_for(device)

    return min(in_turns({"product": repeated(product)}, 5)["product"])
