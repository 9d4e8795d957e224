"""The number format of training passes: fp32, or bfloat16 if the machine multiplies it natively."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from robust_tickets.foundation.lazy import nn, torch

Precision = Literal["auto", "fp32", "bf16"]
Resolved = Literal["fp32", "bf16"]


def has_native_bf16(device: torch.device) -> bool:
    """Say whether `device` has matrix instructions for bfloat16 (emulation is slower than fp32)."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def gains_from_bf16(network: nn.Module, device: torch.device) -> bool:
    """Say whether training `network` is faster in bfloat16 on `device`.

    On CPUs depthwise convolutions have no bfloat16 kernels worth the name (MobileNetV3-small took 1.45 times as
    long), and for a single layer on cached features the casts outweigh the product.
    """
    if not has_native_bf16(device):
        return False
    if device.type != "cpu":
        return True
    return not has_depthwise(network) and any(True for _ in network.children())


def has_depthwise(network: nn.Module) -> bool:
    """Say whether some convolution keeps its channels apart, as those of MobileNets and EfficientNets do."""
    from robust_tickets.models.layers import is_depthwise

    return any(isinstance(module, nn.Conv2d) and is_depthwise(module) for module in network.modules())


def resolved(precision: Precision, network: nn.Module, device: torch.device) -> Resolved:
    """Return what `auto` means for a network on a device."""
    if precision == "auto":
        return "bf16" if gains_from_bf16(network, device) else "fp32"
    return precision


def autocast(precision: Resolved, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a training pass; evaluation never enters it and stays fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()
