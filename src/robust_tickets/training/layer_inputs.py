"""What weights are multiplied with in a forward pass, seen where it happens: behind any padding, in any layer."""

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Sizes = int | tuple[int, ...]


class LayerInputs(TorchFunctionMode):
    """While it is entered, tells of each product of a watched weight with inputs; the forward pass is the same.

    Args:
        weights: by name, the tensors themselves: of linear layers, of convolutions of one or two dimensions.
        tell: is given the name and float [divisions, rows, f], f inputs of each output in the order of the flattened
            weight; a convolution has a division for each of its `groups`.
        counted: of texts, which positions are not padding, bool [N, T]; None if nothing is padded.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], tell: Callable[[str, Tensor], None], counted: Tensor | None
    ) -> None:
        super().__init__()
        self.names = {id(weight): name for name, weight in weights.items()}
        self.tell, self.counted = tell, counted

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Look at a call of torch, and do it."""
        read = READ.get(func)
        if read is not None:
            call = read(*args, **(kwargs or {}))
            if (name := self.names.get(id(call.weight))) is not None:
                self.tell(name, call.rows(self.counted))
        return func(*args, **(kwargs or {}))


class LinearCall:
    """The arguments of `F.linear`."""

    def __init__(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
        self.inputs, self.weight = input, weight

    def rows(self, counted: Tensor | None) -> Tensor:
        """Return the inputs of each product, [1, rows, f]."""
        if counted is not None and self.inputs.shape[:2] == counted.shape:
            return self.inputs[counted][None]
        return self.inputs.reshape(1, -1, self.inputs.shape[-1])


class ConvolutionCall:
    """The arguments of `F.conv1d` and `F.conv2d`."""

    def __init__(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> None:
        self.inputs, self.weight, self.groups = input, weight, groups
        self.kernel = tuple(weight.shape[2:])
        self.stride, self.dilation = self.each(stride), self.each(dilation)
        self.padding = padding if isinstance(padding, str) else self.each(padding)

    def each(self, sizes: Sizes) -> tuple[int, ...]:
        """Return a size for each dimension."""
        return (sizes,) * len(self.kernel) if isinstance(sizes, int) else tuple(sizes)

    def margins(self) -> list[tuple[int, int]]:
        """Return how many zeros come before and after each dimension."""
        if self.padding == "valid":
            return [(0, 0)] * len(self.kernel)
        if self.padding == "same":
            totals = [step * (length - 1) for step, length in zip(self.dilation, self.kernel, strict=True)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(size, size) for size in self.padding if isinstance(size, int)]

    def rows(self, counted: Tensor | None) -> Tensor:
        """Return the inputs of each product, [groups, rows, f]."""
        padded = F.pad(self.inputs, [zeros for pair in reversed(self.margins()) for zeros in pair])
        kernel, dilation, stride = self.kernel, self.dilation, self.stride
        if len(kernel) == 1:
            padded = padded[:, :, None]
            kernel, dilation, stride = (1, *kernel), (1, *dilation), (1, *stride)
        columns = F.unfold(padded, kernel, dilation, 0, stride)
        return columns.unflatten(1, (self.groups, -1)).permute(1, 0, 3, 2).flatten(1, 2)


READ: dict[Callable[..., Any], type[LinearCall] | type[ConvolutionCall]] = {
    F.linear: LinearCall,
    F.conv1d: ConvolutionCall,
    F.conv2d: ConvolutionCall,
}
