"""What the layers of a network say in between: naming layers, catching their outputs, comparing them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import F, nn, torch

if TYPE_CHECKING:
    from torch import Tensor


def blocks_of(body: nn.Module) -> list[str]:
    """Return the module paths of a network's repeated blocks, in the order in which they are defined.

    A block has layers of its own and stands in a `Sequential` or `ModuleList` beside another of its class: the layers
    of an encoder (`encoder.layer.0`), the residual blocks of a ResNet (`layer1.0`). Blocks inside blocks are not named.
    """
    found: list[str] = []
    for path, container in body.named_modules():
        if not isinstance(container, nn.Sequential | nn.ModuleList) or is_inside(path, found):
            continue
        classes = Counter(type(child) for child in container)
        found += [
            f"{path}.{name}" if path else name
            for name, child in container.named_children()
            if classes[type(child)] > 1
            and not isinstance(child, nn.Sequential | nn.ModuleList)
            and next(child.children(), None) is not None
        ]
    return found


def layers_before_the_last(body: nn.Module) -> list[str]:
    """Return the module paths of all convolutions and linear layers but the last, in the order of definition."""
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    return [path for path, module in body.named_modules() if path and isinstance(module, kinds)][:-1]


def named_layers(body: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Return the module paths that match glob patterns, in the order of definition.

    Where a match is inside another, the outer one counts: `encoder.layer.*` means the layers and not their parts.
    Without patterns it is the repeated blocks, or in a plain chain of layers, such as a VGG, all but the last.

    Raises:
        UserError: a pattern matches nothing, or there is no pattern and the network has a single layer.
    """
    paths = [path for path, _ in body.named_modules() if path]
    if not patterns:
        if found := blocks_of(body) or layers_before_the_last(body):
            return found
        raise UserError("hidden states: the network has no layer before its last one; set hidden: 0")
    found = []
    for path in paths:
        if not is_inside(path, found) and any(fnmatchcase(path, pattern) for pattern in patterns):
            found.append(path)
    for pattern in patterns:
        if not any(fnmatchcase(path, pattern) for path in paths):
            some = ", ".join(blocks_of(body)[:3] or paths[:3])
            raise UserError(f"hidden states: no layer matches {pattern!r}; there are for example {some}")
    return found


def is_inside(path: str, others: Sequence[str]) -> bool:
    """Say whether a module path lies below one of others."""
    return any(path.startswith(f"{other}.") for other in others)


@contextmanager
def caught(body: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Yield a dictionary that fills with the layers' outputs when the network is called, by module path.

    Of a layer that returns several values it is the first one; of one that is called several times, its last output.
    """
    states: dict[str, Tensor] = {}

    def catch(path: str, output: Any) -> None:
        states[path] = first_tensor(path, output)

    hooks = [
        body.get_submodule(path).register_forward_hook(lambda _, inputs, output, path=path: catch(path, output))
        for path in layers
    ]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def first_tensor(path: str, output: Any) -> Tensor:
    """Return what a layer says first.

    Raises:
        UserError: it is not a tensor.
    """
    values = (
        output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else [output]
    )
    first = next(iter(values), None)
    if not torch.is_tensor(first):
        raise UserError(f"hidden states: {path} does not give a tensor but {type(output).__name__}; name other layers")
    return first


def distance(student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], counted: Tensor | None = None) -> Tensor:
    """Return the mean over layers of 1 - cosine, a scalar in [0, 2].

    Of tokens [N, T, D] every position has its own cosine, of feature maps [N, C, H, W] (and whatever else has more
    than three dimensions) each example as a whole.

    Args:
        student, teacher: outputs of the same layers.
        counted: bool [N, T], which tokens are not padding; None: all.

    Raises:
        UserError: a layer's outputs differ in shape, or a layer was not called.
    """
    apart = []
    for path, theirs in teacher.items():
        ours = student.get(path)
        if ours is None or ours.shape != theirs.shape:
            shape = "nothing" if ours is None else list(ours.shape)
            raise UserError(
                f"hidden states: {path} gives {list(theirs.shape)} in the teacher and {shape} in the network"
            )
        pair = (ours.float(), theirs.float())
        if ours.dim() > 3:
            pair = (pair[0].flatten(1), pair[1].flatten(1))
        cosines = F.cosine_similarity(*pair, dim=-1)
        apart.append(
            1 - (cosines[counted] if counted is not None and counted.shape == cosines.shape else cosines).mean()
        )
    return torch.stack(apart).mean()
