"""How a shrunken network's modules differ in shape from those of its architecture, as plain numbers.

A module's shape is what its whole-number attributes say: channels and groups of a convolution, features of a
linear layer or a norm, heads of an attention layer, zeros padded by a shortcut. Written down by name and set again
on the plain architecture, they need no class but the library's own, and nothing is executed to read them.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import architecture_of
from robust_tickets.models.reduced_attention import ReducedAttention

Size = int | tuple[int, ...]
ModuleShapes = dict[str, dict[str, Size]]
"""Module path -> attribute -> value, for all that differ from the architecture's."""


def shape_changes(before: nn.Module, after: nn.Module) -> ModuleShapes:
    """Return the attributes in which `after` differs from `before`, a network of the same modules.

    Raises:
        UserError: a module is missing, new, or of another class, which numbers cannot tell.
    """
    plain, changed = dict(before.named_modules()), dict(after.named_modules())
    kinds, others = ({name: _kind(module) for name, module in part.items()} for part in (plain, changed))
    if kinds != others:
        name = next(name for name in {**kinds, **others} if kinds.get(name) is not others.get(name))
        was, found = (part[name].__name__ if name in part else "nothing" for part in (kinds, others))
        raise UserError(
            f"{name} of {architecture_of(before).__name__} was {was} and became {found}: such a network cannot be "
            "written as a folder; write an .onnx file"
        )
    found_changes = {}
    for name, module in changed.items():
        was = sizes(plain[name])
        if differing := {key: value for key, value in sizes(module).items() if was.get(key) != value}:
            found_changes[name] = differing
    return found_changes


def sizes(module: nn.Module) -> dict[str, Size]:
    """Return a module's own whole-number attributes, alone or in tuples and lists; flags are not numbers."""
    return {
        key: tuple(value) if isinstance(value, list | tuple) else value
        for key, value in vars(module).items()
        if not key.startswith("_") and _is_size(value)
    }


def reshape(body: nn.Module, shapes: Mapping[str, Mapping[str, Size]], state: Mapping[str, Tensor], where: str) -> None:
    """Give a plain architecture the shapes of a shrunken network, in place: attributes, then room for its tensors.

    Args:
        body: the architecture; values of tensors that are made smaller are lost, `state` is not loaded.
        shapes: what `shape_changes` returned.
        state: the tensors that are to be loaded; only their shapes are used.
        where: the file that says so, for messages.

    Raises:
        UserError: the architecture has no such module or attribute, or is smaller.
    """
    modules = dict(body.named_modules())
    for name, attributes in shapes.items():
        own = sizes(modules[name]) if name in modules else {}
        for key, value in attributes.items():
            if not _is_alike(own.get(key), value):
                there = f"{key} of {name}" if name in modules else f"module {name}"
                raise UserError(
                    f"{where}: {architecture_of(body).__name__} has no {there} that could be {value}; it is damaged"
                )
            as_list = isinstance(vars(modules[name])[key], list)
            if type(modules[name]) is nn.MultiheadAttention and key == "num_heads":
                modules[name].__class__ = ReducedAttention
            setattr(modules[name], key, list(value) if as_list and isinstance(value, tuple) else value)
    for path, module in modules.items():
        for leaf, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            wanted = state.get(f"{path}.{leaf}".lstrip("."))
            if wanted is not None and wanted.shape != tensor.shape and _fits_into(wanted, tensor):
                smaller = torch.empty(wanted.shape, dtype=tensor.dtype, device=tensor.device)
                is_parameter = isinstance(tensor, nn.Parameter)
                setattr(module, leaf, nn.Parameter(smaller, tensor.requires_grad) if is_parameter else smaller)
    for name in shapes:
        expected, weight = _weight_shape(modules[name]), getattr(modules[name], "weight", None)
        if expected is not None and isinstance(weight, Tensor) and expected != weight.shape:
            raise UserError(
                f"{where}: by its numbers {name} has a weight of shape {expected}, the file of weights has "
                f"{tuple(weight.shape)}; it is damaged"
            )


def _kind(module: nn.Module) -> type[nn.Module]:
    """Return a module's class; that it had before it lost heads, which its number of heads says."""
    return nn.MultiheadAttention if type(module) is ReducedAttention else type(module)


def _weight_shape(module: nn.Module) -> tuple[int, ...] | None:
    """Return the shape that a layer's numbers give its weight; None for other modules."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        if module.groups < 1 or module.in_channels % module.groups or module.out_channels % module.groups:
            return ()
        return module.out_channels, module.in_channels // module.groups, *module.kernel_size
    if isinstance(module, nn.Linear):
        return module.out_features, module.in_features
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
        return (module.num_features,)
    return None


def _is_size(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(_is_size(part) and not isinstance(part, list | tuple) for part in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_alike(own: Size | None, value: Size) -> bool:
    """Return whether a value may take the place of an attribute's: of the same kind, and not below zero."""
    if isinstance(own, tuple) and isinstance(value, tuple):
        return len(own) == len(value) and all(part >= 0 for part in value)
    return isinstance(own, int) and isinstance(value, int) and value >= 0


def _fits_into(smaller: Tensor, tensor: Tensor) -> bool:
    return smaller.dim() == tensor.dim() and all(a <= b for a, b in zip(smaller.shape, tensor.shape, strict=True))
