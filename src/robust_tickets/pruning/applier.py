"""Holding a fixed mask during training: a few fused passes per step, nothing in the forward pass."""

from collections.abc import Mapping

import torch
from torch import Tensor


class MaskApplier:
    """Multiplies parameters and their gradients by masks.

    Masking the gradients before the optimiser's step keeps its slots (momentum, second moments) zero where
    weights are removed; masking the weights after it is what guarantees that they are exactly zero, whatever
    the optimiser did. Masks that remove nothing cost nothing.
    """

    def __init__(self, parameters: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
        """Cache one multiplier per mask, in its parameter's dtype and on its device.

        Args:
            parameters: parameters by name; may hold more names than `masks`, never fewer.
            masks: bool tensors of the parameters' shapes, True = kept.

        Raises:
            ValueError: a mask's shape is not its parameter's.
        """
        self._parameters: list[Tensor] = []
        self._multipliers: list[Tensor] = []
        for name, mask in masks.items():
            parameter = parameters[name]
            if mask.shape != parameter.shape:
                raise ValueError(f"mask {name} has shape {tuple(mask.shape)}, not {tuple(parameter.shape)}")
            if not bool(mask.all()):
                self._parameters.append(parameter)
                self._multipliers.append(mask.to(parameter.device, parameter.dtype))

    @torch.no_grad()
    def apply_to_weights(self) -> None:
        """Set removed weights to zero, in place."""
        if self._parameters:
            torch._foreach_mul_(self._parameters, self._multipliers)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def apply_to_gradients(self) -> None:
        """Set the gradients of removed weights to zero, in place, if there are gradients."""
        pairs = [
            (parameter.grad, multiplier)
            for parameter, multiplier in zip(self._parameters, self._multipliers, strict=True)
            if parameter.grad is not None
        ]
        if pairs:
            gradients, multipliers = zip(*pairs, strict=True)
            torch._foreach_mul_(gradients, multipliers)  # pyright: ignore[reportPrivateImportUsage]
