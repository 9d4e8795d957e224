"""Layers: how sparse each is, and which of its kernels and outputs are empty."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class LayerCounts:
    """What a mask leaves of one weight [out, in, *kernel], or of many together."""

    weights: int
    kept: int
    outputs: int
    """Filters of convolutions, neurons of linear layers: out."""
    zero_outputs: int
    """Outputs all of whose weights are removed: they compute their bias and nothing else."""
    kernels: int
    """Kernels of convolutions, out x in; linear layers have none. A 1x1 kernel is a single weight."""
    zero_kernels: int
    """Kernels all of whose weights are removed: pairs of channels that are no longer connected."""

    @classmethod
    def of(cls, mask: Tensor) -> Self:
        """Count a bool mask [out, in, *kernel], True = kept; of biases and norms [out]."""
        kept = int(torch.count_nonzero(mask))
        outputs = mask.reshape(len(mask), -1).any(1) if mask.dim() else mask.reshape(1)
        kernels = mask.flatten(2).any(2) if mask.dim() > 2 else mask.new_empty(0)
        return cls(
            mask.numel(),
            kept,
            len(outputs),
            len(outputs) - int(torch.count_nonzero(outputs)),
            kernels.numel(),
            kernels.numel() - int(torch.count_nonzero(kernels)),
        )

    @classmethod
    def total(cls, layers: Iterable["LayerCounts"]) -> Self:
        """Add layers up."""
        columns = zip(*(vars(layer).values() for layer in layers), strict=True)
        return cls(*map(sum, columns))

    @property
    def sparsity(self) -> float:
        """Return the fraction of weights removed, in [0, 1]."""
        return 1 - self.kept / self.weights

    @property
    def zero_kernel_share(self) -> float:
        """Return the fraction of kernels that are all zero, in [0, 1]; nan without kernels."""
        return self.zero_kernels / self.kernels if self.kernels else math.nan

    @property
    def zero_output_share(self) -> float:
        """Return the fraction of outputs that are all zero, in [0, 1]."""
        return self.zero_outputs / self.outputs


def layer_counts(masks: Mapping[str, Tensor]) -> dict[str, LayerCounts]:
    """Return the counts of every mask of a weight [out, in, *kernel], by name, in order."""
    return {name: LayerCounts.of(mask) for name, mask in masks.items()}
