"""What goes through a network at once: inputs, and what they should become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


IMAGES = "images"
"""What an exported file calls images."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and targets of the same examples, in the same order.

    Both are a tensor whose first dimension counts the examples, a mapping of such values by name, or a list with an
    entry for each example (boxes, of which every image has its own number).
    """

    inputs: Any
    """What the network takes: of images float32 [N, C, H, W] in [0, 1]."""
    targets: Any
    """What it is asked for: class numbers int64 [N], or of pixels [N, H, W]; what else there is, its task says."""

    def __iter__(self) -> Iterator[Any]:
        """Yield inputs, then targets: `inputs, targets = batch`."""
        return iter((self.inputs, self.targets))

    @property
    def count(self) -> int:
        """Return the number of examples."""
        return examples_in(self.inputs)

    @property
    def counted(self) -> Tensor | None:
        """Return which positions of the inputs are not padding, bool [N, T]; None if nothing is padded."""
        mask = self.inputs.get("attention_mask") if isinstance(self.inputs, Mapping) else None
        return None if mask is None else mask.bool()

    def to(self, device: torch.device | str) -> Batch:
        """Return the same examples on a device."""
        return Batch(moved(self.inputs, device), moved(self.targets, device))

    def chunk(self, parts: int) -> list[Batch]:
        """Return at most `parts` batches of consecutive examples, as `torch.chunk` cuts: equal but for the last."""
        size = -(-self.count // parts)
        return [self.between(start, start + size) for start in range(0, self.count, size)]

    def between(self, start: int, stop: int) -> Batch:
        """Return the examples from `start` up to `stop`, as views."""
        return Batch(sliced(self.inputs, start, stop), sliced(self.targets, start, stop))

    def chosen(self, indices: Tensor) -> Batch:
        """Return the examples at `indices`, int64 [n], or where they are true, bool [N]."""
        return Batch(taken(self.inputs, indices), taken(self.targets, indices))


def examples_in(values: Any) -> int:
    """Return how many examples a value of a batch holds."""
    return examples_in(next(iter(values.values()))) if isinstance(values, Mapping) else len(values)


def by_name(inputs: Any) -> Mapping[str, Tensor]:
    """Return inputs by the names that engines outside torch know them by: images have one, texts have their own."""
    return inputs if isinstance(inputs, Mapping) else {IMAGES: inputs}


def moved(values: Any, device: torch.device | str) -> Any:
    """Return a batch's values on a device; what is not a tensor stays as it is."""
    if torch.is_tensor(values):
        return values.to(device)
    if isinstance(values, Mapping):
        return {name: moved(value, device) for name, value in values.items()}
    return [moved(value, device) for value in values] if isinstance(values, list) else values


def device_of(values: Any) -> torch.device:
    """Return the device of a batch's inputs: that of the first tensor among them."""
    return device_of(next(iter(values.values()))) if isinstance(values, Mapping) else values.device


def as_floats(values: Any) -> Any:
    """Return inputs with floating-point tensors in fp32; numbers of tokens and the like stay as they are."""
    if isinstance(values, Mapping):
        return {name: as_floats(value) for name, value in values.items()}
    return values.float() if torch.is_floating_point(values) else values


def sliced(values: Any, start: int, stop: int) -> Any:
    """Return the values of consecutive examples."""
    if isinstance(values, Mapping):
        return {name: sliced(value, start, stop) for name, value in values.items()}
    return values[start:stop]


def taken(values: Any, indices: Tensor) -> Any:
    """Return the values of the chosen examples."""
    if isinstance(values, Mapping):
        return {name: taken(value, indices) for name, value in values.items()}
    if torch.is_tensor(values):
        return values[indices]
    places = indices.nonzero().flatten() if indices.dtype == torch.bool else indices
    return [values[index] for index in places.tolist()]
