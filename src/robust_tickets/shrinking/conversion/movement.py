"""Torch's operators by name: those that move numbers without changing them."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from robust_tickets.runtime.graph import Shape
from robust_tickets.shrinking.conversion.operators import Handler, array
from robust_tickets.shrinking.conversion.site import Inexpressible, Site
from robust_tickets.shrinking.conversion.value import IMAGES, SEQUENCE, TOKENS, GraphValue, Grouped, Heads


def same(site: Site, **arguments: Any) -> Any:
    """Operators that change nothing in evaluation: dropout, copies, contiguity."""
    return arguments.get("x", arguments.get("input"))


def view(site: Site, x: GraphValue | Grouped | Heads, **sizes: Any) -> GraphValue | Grouped | Heads:
    """A view, a reshape, a flattening.

    Of axes of length 1, of all pixels, of channels on their way to a shuffle, of pixels that become a sequence, of the
    features of a sequence that become heads.
    """
    wanted = site.wanted()
    if isinstance(x, Heads):
        if x.axes[0] == IMAGES and wanted == x.seen:
            return x
        if x.is_merged and wanted == x.value.seen:
            return x.value
        raise Inexpressible(f"views {list(x.seen)} as {list(wanted)}; heads can only become features again")
    if x.seen == wanted:
        return x
    if isinstance(x, Grouped):
        if wanted != x.value.shape:
            raise Inexpressible(f"views {list(x.seen)} as {list(wanted)}; the runtime can only shuffle channels")
        if not x.swapped:
            return x.value
        name = site.builder.emit("shuffle", site.layer, [x.value.name], wanted, None, {"groups": x.groups})
        return GraphValue.plain(name, wanted)
    if (found := x.viewed(wanted)) is not None:
        return found
    if len(x.shape) == 1 and x.shape[0] in wanted and len(wanted) <= 3:
        shape = (x.shape[0], 1, 1)
        name = site.builder.emit("reshape", site.layer, [x.name], shape, None, {"shape": list(shape)})
        found = GraphValue(name, shape, (0,)).viewed(wanted)
        assert found is not None
        return found
    if len(wanted) == 1 and x.is_plain:
        return GraphValue.plain(site.flattened(x, site.layer), wanted)
    if len(wanted) == 4 and x.is_plain and len(x.shape) == 3 and wanted[2:] == x.shape[1:]:
        return Grouped(x, wanted[0])
    pixels = prod(x.shape[1:])
    by_order: dict[tuple[int, ...], Shape] = {(0, 1, 2): (x.shape[0], pixels), (1, 2, 0): (pixels, x.shape[0])}
    if by_order.get(x.order) == wanted:
        order = (0, 2) if x.is_plain else SEQUENCE
        return GraphValue(site.builder.sequence(site.layer, x.name), (x.shape[0], 1, pixels), order)
    if (
        x.order == SEQUENCE
        and len(x.shape) == 3
        and len(wanted) > 2
        and wanted[0] == x.shape[2]
        and prod(wanted[1:]) == x.shape[0]
    ):
        return Heads(x, wanted[1:], (IMAGES, TOKENS, *range(len(wanted) - 1)))
    raise Inexpressible(f"views {list(x.seen)} as {list(wanted)}; the runtime keeps images or flattens them")


def permute(site: Site, x: GraphValue | Grouped | Heads, dims: Sequence[int]) -> GraphValue | Grouped | Heads:
    """Dimensions in another order: images and their channels-last form, the groups of a shuffle, or heads."""
    places = [dim % (len(x.seen) + 1) for dim in dims]
    if isinstance(x, Heads):
        return replace(x, axes=tuple(x.axes[place] for place in places))
    if places[0] != 0:
        raise Inexpressible("moves the dimension of the images")
    if isinstance(x, GraphValue):
        return x.permuted([place - 1 for place in places[1:]])
    if places == [0, 2, 1, 3, 4]:
        return replace(x, swapped=not x.swapped)
    raise Inexpressible(f"permutes {list(x.seen)} by {list(dims)}; the runtime can only shuffle channels")


def transpose(site: Site, x: GraphValue | Grouped | Heads, dim0: int, dim1: int) -> GraphValue | Grouped | Heads:
    """Two dimensions swapped."""
    rank = len(x.seen) + 1
    dims = list(range(rank))
    dims[dim0], dims[dim1] = dims[dim1 % rank], dims[dim0 % rank]
    return permute(site, x, dims)


def expand(site: Site, x: GraphValue, **sizes: Any) -> GraphValue:
    """One number per channel, as many times as there are pixels: its readers broadcast anyway."""
    if x.seen != site.wanted() and not (x.is_pixelless and len(x.shape) == 3 and x.seen[0] == site.wanted()[0]):
        raise Inexpressible(f"repeats {list(x.seen)} to {list(site.wanted())}")
    return x


def cat(site: Site, tensors: Sequence[GraphValue | Tensor], dim: int) -> GraphValue:
    """Channels one after another, or tokens that are the same for all images before those of a sequence."""
    *before, last = tensors
    if before and isinstance(last, GraphValue) and all(isinstance(one, Tensor) for one in before):
        return _with_first(site, [one for one in before if isinstance(one, Tensor)], last, dim)
    return _with_more(site, [one for one in tensors if isinstance(one, GraphValue)], len(tensors), dim)


def _with_first(site: Site, before: Sequence[Tensor], x: GraphValue, dim: int) -> GraphValue:
    tokens_first = x.order == SEQUENCE or (x.is_pixelless and x.order == (1, 0))
    if not tokens_first or dim % 3 != 1 or any(one.dim() != 3 or len(one) != 1 for one in before):
        raise Inexpressible("concatenates with constants; the runtime can only put tokens before a sequence")
    first = np.concatenate([array(one)[0] for one in before]).T
    name = site.builder.sequence(site.layer, x.name, first)
    return GraphValue(name, site.builder.shapes[name], SEQUENCE)


def _with_more(site: Site, tensors: Sequence[GraphValue], count: int, dim: int) -> GraphValue:
    if len(tensors) != count:
        raise Inexpressible("concatenates with constants")
    first = tensors[0]
    place = dim % (len(first.seen) + 1) - 1
    if place < 0 or any(one.order != first.order or first.order[place] != 0 for one in tensors):
        raise Inexpressible(f"concatenates {[list(one.seen) for one in tensors]} along dimension {dim}; not channels")
    if len({len(one.shape) for one in tensors}) > 1:
        names, sizes = [site.flat(one) for one in tensors], ()
    else:
        names, sizes = [one.name for one in tensors], first.shape[1:]
    shape = (sum(one.shape[0] for one in tensors), *sizes)
    order = first.order if sizes else (0,)
    return GraphValue(site.builder.emit("concat", site.layer, names, shape), shape, order)


def stack(site: Site, tensors: Sequence[GraphValue], dim: int) -> GraphValue:
    """Values of one channel, as channels of one: the beginnings and ends of answers."""
    if not all(isinstance(one, GraphValue) and one.shape[0] == 1 and 0 not in one.order for one in tensors):
        raise Inexpressible("puts values side by side in a new dimension; the runtime does so with single channels")
    first = tensors[0]
    place = dim % (len(first.order) + 2) - 1
    shape = (len(tensors), *first.shape[1:])
    name = site.builder.emit("concat", site.layer, [one.name for one in tensors], shape)
    return GraphValue(name, shape, (*first.order[:place], 0, *first.order[place:]))


def part(site: Site, x: GraphValue, place: int, start: int, stop: int) -> GraphValue:
    """Return channels or tokens [start, stop); `place` counts torch's dimensions behind the batch."""
    length = x.seen[place] if place >= 0 else -1
    if (start, stop) == (0, length):
        return x
    if x.order == SEQUENCE and place == 0:
        shape, tokens = (x.shape[0], 1, stop - start), {"start": start, "stop": stop}
        return GraphValue(site.builder.emit("tokens", site.layer, [x.name], shape, None, tokens), shape, x.order)
    if place < 0 or x.order[place] != 0:
        raise Inexpressible(
            f"takes a part of {list(x.seen)} along dimension {place + 1}; the runtime can only take channels or tokens"
        )
    shape = (stop - start, *x.shape[1:])
    attributes = {"start": start, "stop": stop}
    return GraphValue(site.builder.emit("slice", site.layer, [x.name], shape, None, attributes), shape, x.order)


def bounds(start: int | None, end: int | None, length: int) -> tuple[int, int]:
    """Return a slice's ends as Python has them."""
    first, last, _ = slice(start, end).indices(length)
    return first, max(first, last)


def take(
    site: Site, x: GraphValue | Heads, dim: int, start: int | None, end: int | None, step: int
) -> GraphValue | Heads:
    """A slice of the channels or tokens, or every n-th row or column; a slice of all images changes nothing."""
    place = dim % (len(x.seen) + 1) - 1
    if place < 0 and start in (0, None) and (end is None or (isinstance(end, int) and end >= 2**31)):
        return x
    if place < 0:
        raise Inexpressible("takes some of the images")
    if isinstance(x, Heads):
        raise Inexpressible(f"takes a part of {list(x.seen)}; the runtime can only take all heads of one kind")
    if step != 1:
        if x.order[place] == 0 or bounds(start, end, x.seen[place]) != (0, x.seen[place]):
            raise Inexpressible(
                f"takes every {step}th of some; the runtime can do so only over all rows or all columns"
            )
        stride = [step if axis == x.order[place] else 1 for axis in (1, 2)]
        shape = (x.shape[0], *((length - 1) // step + 1 for length, step in zip(x.shape[1:], stride, strict=True)))
        one = {"kernel": [1, 1], "stride": stride, "padding": [0, 0, 0, 0], "dilation": [1, 1]}
        return GraphValue(site.builder.emit("max_pool", site.layer, [x.name], shape, None, one), shape, x.order)
    return part(site, x, place, *bounds(start, end, x.seen[place]))


def put(
    site: Site, x: GraphValue, src: GraphValue, dim: int, start: int | None, end: int | None, step: int
) -> GraphValue:
    """Channels put in place of others."""
    place = dim % (len(x.seen) + 1) - 1
    if src.seen == x.seen:
        return src
    if place < 0 or step != 1:
        raise Inexpressible("replaces some of the images or every few channels")
    first, last = bounds(start, end, x.seen[place])
    around = [part(site, x, place, a, b) for a, b in ((0, first), (last, x.seen[place])) if a != b]
    pieces = [*around[: int(first > 0)], src, *around[int(first > 0) :]]
    return cat(site, pieces, dim)


def copy(site: Site, x: GraphValue, src: GraphValue, **rest: Any) -> GraphValue:
    """All numbers put in place of others."""
    if not isinstance(src, GraphValue) or src.seen != x.seen:
        raise Inexpressible(f"fills {list(x.seen)} with something of another shape")
    return src


def shuffle(site: Site, x: GraphValue, groups: int) -> GraphValue:
    """A channel shuffle by its own name."""
    return site.give("shuffle", [site.image(x)], groups=groups)


def select(site: Site, x: GraphValue | Heads, dim: int, index: int) -> GraphValue | Heads:
    """One channel or token, or one kind of heads, without its dimension."""
    if isinstance(x, Heads):
        return _kind_of_heads(site, x, dim, index)
    place = dim % (len(x.seen) + 1) - 1
    if place < 0:
        raise Inexpressible("takes one of the images")
    index %= x.seen[place]
    one = part(site, x, place, index, index + 1)
    return replace(one, order=tuple(axis for other, axis in enumerate(one.order) if other != place))


def unbind(site: Site, x: Heads, dim: int) -> tuple[GraphValue | Heads, ...]:
    """All kinds of heads: queries, keys and values."""
    if not isinstance(x, Heads):
        raise Inexpressible("takes a value apart; the runtime can only do so with queries, keys and values")
    return tuple(_kind_of_heads(site, x, dim, index) for index in range(x.factors[0]))


def _kind_of_heads(site: Site, x: Heads, dim: int, index: int) -> Heads:
    place = dim % len(x.axes)
    if x.axes[place] != 0 or len(x.factors) < 3:
        raise Inexpressible(f"takes a part of {list(x.seen)}; the runtime can only take all heads of one kind")
    inner = x.factors[1:]
    start = index % x.factors[0] * prod(inner)
    axes = tuple(one - 1 if isinstance(one, int) else one for at, one in enumerate(x.axes) if at != place)
    return Heads(part(site, x.value, 1, start, start + prod(inner)), inner, axes)


def split(site: Site, x: GraphValue, dim: int, **sizes: Any) -> tuple[GraphValue, ...]:
    """Channels in several parts: a number in each, a number of parts, or sizes one by one."""
    place = dim % (len(x.seen) + 1) - 1
    if place < 0:
        raise Inexpressible("splits the images")
    length = x.seen[place]
    given = next(iter(sizes.values()))
    if "chunks" in sizes:
        given = -(-length // given)
    each = [given] * (length // given) + [length % given] * (length % given > 0) if isinstance(given, int) else given
    ends = [sum(each[: index + 1]) for index in range(len(each))]
    return tuple(part(site, x, place, end - size, end) for end, size in zip(ends, each, strict=True))


def pad(
    site: Site, x: GraphValue, pad: Sequence[int], value: float | None = None, mode: str = "constant"
) -> GraphValue:
    """Padding of pixels, which has to end in a convolution or pooling; of channels with zeros, a 1 x 1 convolution."""
    sides = [*pad, 0, 0, 0, 0][:4]
    if mode != "constant" or any(pad[6:]) or min(pad) < 0:
        raise Inexpressible(f"pads {list(pad)} in mode {mode}; the runtime pads pixels and channels with a constant")
    if any(pad[4:6]) and not any(sides) and not value:
        before, channels = pad[4], x.shape[0]
        weight = np.zeros((sum(pad[4:6]) + channels, channels, 1, 1), np.float32)
        weight[before + np.arange(channels), np.arange(channels)] = 1
        plain = {"stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1], "groups": 1}
        return site.give("conv", [site.image(x)], {"weight": weight}, **plain)
    if any(pad[4:6]):
        raise Inexpressible(
            f"pads {list(pad)} with {value}: pixels and channels at once, or channels with another number"
        )
    if not any(sides):
        return x
    left, right, top, bottom = sides
    attributes = {"padding": [top, left, bottom, right], "value": float(value or 0.0)}
    return site.give("pad", [site.image(x)], None, **attributes)


OF_GROUPS: dict[type, tuple[Handler, ...]] = {
    Grouped: (same, view, permute, transpose),
    Heads: (same, view, permute, transpose, select, take, unbind),
}
"""What is on its way through a shuffle, or into attention -> the handlers that take it."""

MOVEMENT: dict[str, Handler] = {
    **dict.fromkeys(
        (
            "dropout",
            "to",  # another kind of float: exported in float32, all are that
            "dropout2d",
            "feature_dropout",
            "alpha_dropout",
            "clone",
            "contiguous",
            "detach",
            "alias",
            "lift_fresh_copy",
        ),
        same,
    ),
    **dict.fromkeys(("view", "reshape", "flatten", "squeeze", "unsqueeze", "_unsafe_view", "unflatten"), view),
    "permute": permute,
    "transpose": transpose,
    "expand": expand,
    "expand_as": expand,
    "cat": cat,
    "concat": cat,
    "stack": stack,
    "slice": take,
    "slice_scatter": put,
    "copy": copy,
    "channel_shuffle": shuffle,
    "native_channel_shuffle": shuffle,
    "select": select,
    "unbind": unbind,
    "split": split,
    "split_with_sizes": split,
    "chunk": split,
    "pad": pad,
    "constant_pad_nd": pad,
    "zero_pad2d": pad,
}
