"""Labels that follow channels through tensor operations: every element of every tensor knows its channel.

A label is the number of a channel in `Slots`; 0 marks values that belong to no removable channel: the image,
padding, constants. Operations that only move elements (views, permutations, shuffles, windows, padding) are
applied to the labels as they are to the values, so no layout needs its own rule. Operations that combine
elements of different channels either tie those channels or refuse them. Products of many matrices at once, as in
attention, tie all that meets in one of them: a head.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from robust_tickets.models.channels import Slots

_CUTS = {"select", "slice", "split", "split_with_sizes", "unbind", "narrow", "index", "index_select", "unfold"}
_JOINS = {"cat", "stack", "constant_pad_nd", "repeat", "expand", "expand_as"}
_SHUFFLES = {"channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "roll", "flip"}
_TURNS = {"permute", "transpose", "t", "movedim", "squeeze", "unsqueeze", "flatten", "unflatten"}
_SAME = {"alias", "clone", "contiguous", "detach"}
_MOVES = frozenset(_CUTS | _JOINS | _SHUFFLES | _TURNS | _SAME)
_VIEWS = frozenset({"view", "_unsafe_view", "reshape", "_reshape_alias"})
_SUMS = frozenset({"sum", "linalg_vector_norm", "norm"})
_OTHER_REDUCTIONS = frozenset({"mean", "amax", "amin", "var", "var_mean", "std"})
_PRODUCTS = frozenset({"mm", "addmm", "baddbmm"})
_SOFTMAX = frozenset({"_softmax", "softmax", "_safe_softmax", "_log_softmax"})
_POINTWISE = frozenset({"hardswish", "mish", "masked_fill", "threshold", "_prelu_kernel"})
"""Elementwise like those that torch tags as pointwise, without the tag; also in place."""
_FRESH = frozenset({"empty_like", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_empty"})
_SPATIAL = ("pool", "upsample", "reflection_pad", "replication_pad", "grid_sampler", "roi_align")

ATTENTION = "feeds attention or a softmax, where removing one channel changes all others"
HEAD_BIAS = "meets a bias for each head of {} that cannot be cut"


class LabelMode(TorchDispatchMode):
    """While active, gives every result the labels that its operands imply.

    Layers are not looked into: between `enter` and `leave` operations just run, and anyone who calls these sets
    the labels of what the layer returns.
    """

    def __init__(self, body: nn.Module, slots: Slots) -> None:
        super().__init__()
        self.slots = slots
        self._labels = WeakTensorKeyDictionary()
        self._parameters = {id(parameter): name for name, parameter in body.named_parameters()}
        self._inside_layers = 0
        self.modules: list[str] = [""]
        """Paths of the modules at work that are not layers, innermost last."""

    def enter(self) -> None:
        """Stop following operations: a layer is at work."""
        self._inside_layers += 1

    def leave(self) -> None:
        """Follow operations again, once every layer entered is left."""
        self._inside_layers -= 1

    def labels(self, tensor: Tensor) -> Tensor | None:
        """Return int64 labels of the tensor's shape, or None if all are 0."""
        return self._labels.get(tensor)

    def set_labels(self, tensor: Tensor, labels: Tensor | None) -> None:
        """Give a tensor labels of its shape."""
        if labels is None:
            self._labels.pop(tensor, None)
        else:
            self._labels[tensor] = _compact(labels)

    def along(self, tensor: Tensor, dim: int) -> Tensor | None:
        """Return the labels along one dimension, int64 [size]; None if they vary along the others too."""
        labels = self._labels[tensor].movedim(dim, 0).flatten(1)
        first = labels[:, 0]
        return first if bool((labels == first[:, None]).all()) else None

    def refuse(self, tensor: Tensor, reason: str, subject: str = "") -> None:
        """Note that no channel in this tensor can be removed."""
        if (labels := self.labels(tensor)) is not None:
            self._refuse(labels, reason, subject)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not self._inside_layers:
            operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            with _disable_current_modes():
                if any(operand in self._labels for operand in operands):
                    self._propagate(func, args, kwargs, operands, out)
                elif operands and func._schema.is_mutable:
                    self.set_labels(operands[0], None)
        return out

    def _propagate(self, func: Any, args: Any, kwargs: Any, operands: list[Tensor], out: Any) -> None:
        name = func._schema.name.removeprefix("aten::")
        if name in _VIEWS:
            self._view(args[0], out)
        elif name == "_to_copy":
            self.set_labels(out, self.labels(args[0]))
        elif name == "copy_":
            source = self.labels(args[1])
            self.set_labels(out, None if source is None else source.expand(out.shape))
        elif name in _MOVES:
            self._move(func, name, args, kwargs, out)
        elif torch.Tag.pointwise in func.tags or name.removesuffix("_") in _POINTWISE:
            self._combine(operands, out)
        elif any(kind in name for kind in _SPATIAL) and out is not None:
            self._pool(operands[0], tree_leaves(out)[0], name)
        elif name in _SUMS or name in _OTHER_REDUCTIONS:
            gone = _reduced(func, args, kwargs, operands[0].dim())
            for result in tree_leaves(out):
                self._reduce(operands[0], result, gone, exact=name in _SUMS)
        elif name in _SOFTMAX:
            self._softmax(args[0], args[1] if len(args) > 1 else kwargs["dim"], tree_leaves(out)[0])
        elif name == "bmm":
            self._attend(operands, 0, tree_leaves(out)[0])
        elif "dot_product" in name:
            self._attend(operands, 1, tree_leaves(out)[0])
        elif name not in _FRESH:
            reason = ATTENTION if name in _PRODUCTS else "passes the operation {}, which is not traced"
            for operand in operands:
                self.refuse(operand, reason, name)

    def _view(self, tensor: Tensor, out: Tensor) -> None:
        """Code that lays channels out as a table keeps its rows and asks for equally many channels in each."""
        labels = self._labels[tensor].reshape(out.shape)
        for rows, *columns in _tables(tensor.shape, out.shape):
            if _varies(labels, rows) and any(_varies(labels, column) for column in columns):
                self._tie(labels.narrow(rows, 0, 1).expand(labels.shape), labels, self.slots.tie_table)
        self.set_labels(out, labels)

    def _move(self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, out: Any) -> None:
        def labels_of(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor) or (name in {"index", "index_select"} and leaf is not args[0]):
                return leaf
            labels = self.labels(leaf)
            return torch.zeros(1, dtype=torch.int64).expand(leaf.shape) if labels is None else labels

        if name == "constant_pad_nd":
            args, kwargs = args[:2], {}  # whatever the value, padding is no channel
        moved = func(*tree_map(labels_of, args), **tree_map(labels_of, kwargs))
        results, labels = tree_flatten(out)[0], tree_flatten(moved)[0]
        for result, label in zip(results, labels, strict=True):
            self.set_labels(result, label)
        if name == "split":
            # Code that halves what it gets, however wide, stays right only while the halves are equally wide.
            for other in labels[1:]:
                if other.shape == labels[0].shape:
                    self._tie(labels[0], other)

    def _combine(self, operands: list[Tensor], out: Tensor) -> None:
        """Elements that meet are one channel, be it by a sum or a product; a single gate for all is not."""
        found = [labels for operand in operands if (labels := self.labels(operand)) is not None]
        several = [labels for labels in found if len(labels.unique()) > 1] or found[:1]
        result = several[0].expand(out.shape)
        for other in several[1:]:
            result = self._tie(result, other.expand(out.shape))
        for operand in operands:
            if self.labels(operand) is None and _varies_along(operand.expand(out.shape), result):
                subject = self._parameters.get(id(operand), "")
                reason = "meets the bare parameter {}" if subject else "meets values that are not channels"
                self._refuse(result, reason, subject)
        self.set_labels(out, result)

    def _tie(self, left: Tensor, right: Tensor, tie: Callable[[Any, Any], None] | None = None) -> Tensor:
        """Tie labels that meet, element by element, and return the union. 0 and a label refuse the label."""
        fixed = [dim for dim in range(left.dim()) if left.stride(dim) == right.stride(dim) == 0]
        shape = left.shape
        for dim in fixed:
            left, right = left.narrow(dim, 0, 1), right.narrow(dim, 0, 1)
        union = torch.where(left != 0, left, right)
        pairs = torch.stack([left.flatten(), right.flatten()], 1)[(left != right).flatten()].unique(dim=0)
        padded = (pairs == 0).any(1)
        self._refuse(pairs[padded], "meets padding or other values that are not channels")
        ties = pairs[~padded].numpy()
        (tie or self.slots.tie)(ties[:, 0], ties[:, 1])
        return union.expand(shape)

    def _pool(self, tensor: Tensor, out: Tensor, name: str) -> None:
        """Pooling and resizing work within channels, dimension 1, and leave those where they are."""
        labels = self.along(tensor, 1) if tensor.dim() > 2 else None
        if labels is None or out.dim() != tensor.dim():
            self.refuse(tensor, "passes the operation {} across channels", name)
        else:
            self.set_labels(out, labels.reshape(1, -1, *[1] * (out.dim() - 2)).expand(out.shape))

    def _softmax(self, tensor: Tensor, dim: int, out: Tensor) -> None:
        """Within a head, scores may be normalised as they like."""
        labels = self._labels[tensor]
        if _varies(labels, dim):
            self.refuse(tensor, ATTENTION)
        else:
            self.set_labels(out, labels)

    def _attend(self, operands: list[Tensor], dim: int, out: Tensor) -> None:
        """Products of matrices that lie along `dim`: one for each head, in which all of its channels meet.

        A head goes as a whole. What it adds to the output is zero as soon as its values are, whatever the softmax
        makes of its scores.
        """
        masks = [operand for operand in operands[3:] if self.labels(operand) is None]
        found = [labels for operand in operands if (labels := self.labels(operand)) is not None]
        rows = torch.zeros(1, 1, dtype=torch.int64)
        if len(found) + len(masks) == len(operands) and all(each.shape[dim] == out.shape[dim] for each in found):
            rows = torch.cat([labels.movedim(dim, 0).flatten(1).unique(dim=1) for labels in found], 1)
        heads, index = rows.amin(1).unique(return_inverse=True)
        if len(heads) < 2 or bool((rows == 0).any()):
            for operand in operands:
                self.refuse(operand, ATTENTION)
            return
        if any(mask.dim() == out.dim() and mask.shape[dim] > 1 and mask.stride(dim) for mask in masks):
            self._refuse(rows, HEAD_BIAS, self.modules[-1])
        self.slots.tie_heads(self.modules[-1], [rows[index == head].unique().numpy() for head in range(len(heads))])
        shape = [1] * out.dim()
        shape[dim] = -1
        self.set_labels(out, heads[index].reshape(shape).expand(out.shape))

    def _reduce(self, tensor: Tensor, out: Tensor, gone: list[int], *, exact: bool) -> None:
        """A sum does not miss zeros, as a mean or a maximum may; but what it adds up must stay in step."""
        labels = self._labels[tensor]
        kept = [dim for dim in range(labels.dim()) if dim not in gone]
        rows = labels.permute(*kept, *gone).reshape(*(labels.shape[dim] for dim in kept), -1)
        first = rows[..., :1]
        if bool((rows == first).all()):
            self.set_labels(out, first[..., 0].reshape(out.shape))
        elif not exact:
            self._refuse(labels, "is averaged or compared with other channels")
        elif bool((rows.flatten(0, -2) == rows.flatten(0, -2)[0]).all()):
            self.set_labels(out, None)
        else:
            self._tie(first.expand(rows.shape), rows)
            self.set_labels(out, first[..., 0].reshape(out.shape))

    def _refuse(self, labels: Tensor, reason: str, subject: str = "") -> None:
        found = labels.unique()
        if len(found := found[found != 0]):
            self.slots.refuse(found.numpy(), reason, subject)


def _compact(labels: Tensor) -> Tensor:
    """Store labels once along dimensions where they do not change."""
    shape = labels.shape
    for dim in range(labels.dim()):
        if labels.shape[dim] > 1:
            one = labels.narrow(dim, 0, 1)
            if labels.stride(dim) == 0 or bool((labels == one).all()):
                labels = one
    return labels.expand(shape)


def _varies_along(constant: Tensor, labels: Tensor) -> bool:
    """Tell whether a constant has its own size along a dimension where labels change."""
    return any(
        constant.shape[dim] > 1 and constant.stride(dim) != 0 and labels.stride(dim) != 0
        for dim in range(constant.dim())
    )


def _varies(labels: Tensor, dim: int) -> bool:
    return labels.stride(dim) != 0 and bool((labels != labels.narrow(dim, 0, 1)).any())


def _tables(before: torch.Size, after: torch.Size) -> list[list[int]]:
    """Return, for each dimension that a view cuts into several, which ones: rows first, then columns."""
    found, i, j = [], 0, 0
    while i < len(before) and j < len(after):
        start, first, left, right = i, j, before[i], after[j]
        while left != right:
            if left < right:
                i += 1
                left *= before[i]
            else:
                j += 1
                right *= after[j]
        i, j = i + 1, j + 1
        cut = [dim for dim in range(first, j) if after[dim] > 1]
        if len(cut) > 1 and sum(size > 1 for size in before[start:i]) == 1:
            found.append(cut)
    return found


def _reduced(func: Any, args: Any, kwargs: Any, dims: int) -> list[int]:
    """Return the dimensions that a reduction was told to reduce: all, unless it names some."""
    names = [argument.name for argument in func._schema.arguments]
    given = {**dict(zip(names, args, strict=False)), **kwargs}.get("dim")
    chosen = [given] if isinstance(given, int) else list(given or range(dims))
    return [dim % dims for dim in chosen]
