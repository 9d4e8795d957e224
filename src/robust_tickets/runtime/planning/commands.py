"""What a plan consists of: commands on views, which become steps once addresses and kernels are chosen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.graph import Weight
from robust_tickets.runtime.kernels.depthwise import DepthwiseKernel
from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.planning.buffers import MapView, PlainView, View


@dataclass(frozen=True, eq=False)
class Command:
    """One thing to do."""

    name: str
    """Of the layer that it is part of."""
    source: View
    target: View

    @property
    def views(self) -> tuple[View, ...]:
        """Return all views that it reads or writes."""
        return (self.source, self.target)


@dataclass(frozen=True, eq=False)
class Gather(Command):
    """Put pixels into blocks: from a plain map or other blocks, halo included, as x * scale + shift."""

    target: MapView
    scale: NDArray[np.float32] | None = None
    """By channel; None: 1."""
    shift: NDArray[np.float32] | None = None
    """By channel; None: 0."""
    every: tuple[int, int] = (1, 1)
    """Which rows and columns of pixels are taken."""
    first: int = 0
    """The pixel that is taken first."""


@dataclass(frozen=True, eq=False)
class Scatter(Command):
    """Put the pixels of blocks into row-major order, as many from the first on as the target has."""

    source: MapView
    target: PlainView
    first: int = 0


@dataclass(frozen=True, eq=False)
class Border(Command):
    """Fill the halo of a map from its blocks, and lanes outside of the map with zeros."""

    source: MapView
    target: MapView


@dataclass(frozen=True, eq=False)
class Window:
    """How a window moves over a map."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    """Top, left, bottom, right."""
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False)
class Convolve(Command):
    """A convolution of maps, with its bias, a residual and an activation."""

    source: MapView
    target: MapView
    window: Window
    groups: int
    weight: Weight
    bias: NDArray[np.float32]
    residual: MapView | None
    activation: Activation
    edges: tuple[int, ...] = ()
    """Channels at which the output is cut, from 0 to how many there are; a source, target or residual that has fewer
    holds what lies between two of them, beginning with its own first channel. Absent: whole."""

    @property
    def views(self) -> tuple[View, ...]:
        """Return all views that it reads or writes."""
        return (self.source, self.target, *([] if self.residual is None else [self.residual]))

    @property
    def inputs(self) -> int:
        """Return how many input channels there are."""
        return self.weight.shape[1] * self.groups


@dataclass(frozen=True, eq=False)
class Depthwise(Command):
    """A convolution of each channel by itself, with its bias and an activation; it needs no halo."""

    source: MapView
    target: MapView
    kernel: DepthwiseKernel
    weights: NDArray[np.float32]
    """[channels, kernel rows, kernel columns], zeros included."""
    bias: NDArray[np.float32]
    edges: tuple[int, ...] = ()
    """Channels at which it is cut; see `Convolve`."""


@dataclass(frozen=True, eq=False)
class Linear(Command):
    """A matrix times features."""

    source: PlainView
    target: PlainView
    weight: Weight
    """[outputs, inputs]."""
    bias: NDArray[np.float32]
    activation: Activation


@dataclass(frozen=True, eq=False)
class Pool(Command):
    """The largest value or the average in a window."""

    source: MapView
    target: MapView
    kind: str
    """max or avg."""
    window: Window
    divisors: NDArray[np.float32] | None = None
    """What sums are divided by, [output height, output width]."""


@dataclass(frozen=True, eq=False)
class Average(Command):
    """Weighted means over whole maps: target[channel, o] = sum over pixels of weights[o, pixel] * source."""

    source: MapView
    target: PlainView
    weights: NDArray[np.float32]
    """[outputs a channel, pixels]."""


@dataclass(frozen=True, eq=False)
class Pointwise(Command):
    """activation(x * scale + shift), channel by channel, or activation(x + y), or activation(x * y)."""

    kind: str
    """affine, add, mul; scale or shift: x times, or plus, one number per channel that is computed as well."""
    other: View | None
    """The second operand of add and mul; the numbers of scale or shift, plain."""
    scale: NDArray[np.float32] | None
    shift: NDArray[np.float32] | None
    activation: Activation

    @property
    def views(self) -> tuple[View, ...]:
        """Return all views that it reads or writes."""
        return (self.source, self.target, *([] if self.other is None else [self.other]))


@dataclass(frozen=True, eq=False)
class CopyChannels(Command):
    """target[first + c] = source[channels[c]]."""

    channels: NDArray[np.int64]
    first: int = 0
    """The first channel that is written, of a plain target; a map's view begins with it."""


@dataclass(frozen=True, eq=False)
class LayerNorm(Command):
    """Normalise over the channels at each pixel."""

    scale: NDArray[np.float32]
    shift: NDArray[np.float32]
    epsilon: float


@dataclass(frozen=True, eq=False)
class Sequence(Command):
    """Put the pixels of a map one after another, behind some tokens, and add a number to each."""

    target: MapView
    first: int
    """Tokens before the pixels."""
    added: NDArray[np.float32]
    """[channels, tokens]."""


@dataclass(frozen=True, eq=False)
class Embed(Command):
    """Look numbers of tokens up in a table."""

    source: MapView
    """One channel."""
    target: MapView
    table: NDArray[np.float32]
    """[rows, channels]."""


@dataclass(frozen=True, eq=False)
class Attention(Command):
    """Softmax attention of the tokens of one map, the queries, to those of another."""

    source: MapView
    """The queries."""
    target: MapView
    key: MapView
    value: MapView
    mask: MapView | None
    """One channel, 0 for keys that nobody attends to; None: all count."""
    heads: int
    key_heads: int
    scale: float
    bias: NDArray[np.float32] | None = None
    """What is added to the scores, [heads, queries, keys]."""

    @property
    def views(self) -> tuple[View, ...]:
        """Return all views that it reads or writes."""
        return (self.source, self.target, self.key, self.value, *([] if self.mask is None else [self.mask]))
