"""How a batch reaches the device it trains on, and how its images lie in memory there."""

from typing import Any

import torch
from torch import nn

from robust_tickets.foundation.batch import Batch, moved
from robust_tickets.training.precision import Resolved, has_depthwise

KNOWN = ("torch.nn.", "torchvision.", "timm.", "robust_tickets.")
"""Packages whose networks take images of either memory format."""


def memory_format(network: nn.Module, device: torch.device, precision: Resolved) -> torch.memory_format:
    """Return how images should lie in memory for `network` on `device`.

    Tensor cores read channels last; images of another format are transposed before every convolution in
    bfloat16. On CPUs depthwise convolutions in fp32 do: a step of EfficientNet-Lite0 takes 0.6 of the time, of
    MobileNetV3-small 0.7; ResNets gain nothing there. A user's own network may reshape its activations in a way that
    only the usual format allows, and gets that. Weights stay as they are, so that masks, scores and files never see a
    difference.
    """
    is_known = all(f"{type(module).__module__}.".startswith(KNOWN) for module in network.modules())
    gains = {
        "cuda": precision == "bf16",
        "cpu": precision == "fp32" and has_depthwise(network),
    }
    return torch.channels_last if is_known and gains.get(device.type, False) else torch.contiguous_format


class BatchPlacement:
    """Brings batches to a device without making the host wait for it."""

    def __init__(self, device: torch.device, images: torch.memory_format) -> None:
        self.device, self.images = device, images

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch on the device."""
        inputs, targets = self.moved(batch.inputs), self.moved(batch.targets)
        if torch.is_tensor(inputs) and inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=self.images)
        return Batch(inputs, targets)

    def moved(self, values: Any) -> Any:
        """Return a batch's values on the device; from ordinary memory a copy would wait for all queued work."""
        if not torch.is_tensor(values):
            return moved(values, self.device)
        if self.device.type == "cuda" and values.device.type == "cpu":
            values = values.pin_memory()
        return values.to(self.device, non_blocking=True)
