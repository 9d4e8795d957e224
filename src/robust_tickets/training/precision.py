"""The number format of training passes: fp32, or bfloat16 where the machine multiplies it natively."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]


def has_native_bf16(device: torch.device) -> bool:
    """Say whether `device` has matrix instructions for bfloat16 (emulation is slower than fp32)."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a training pass; evaluation never enters it and stays fp32."""
    use_bf16 = precision == "bf16" or (precision == "auto" and has_native_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16) if use_bf16 else nullcontext()
