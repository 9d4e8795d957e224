"""The children of a network under their numbers in an `nn.Sequential`.

`nn.Sequential(*list(resnet.children())[:-1])` is a ResNet without its head: its state dict has `0.weight` for
`conv1.weight` and `4.0.conv1.weight` for `layer1.0.conv1.weight`. lightly, PyTorch-BYOL and many scripts write it.
"""

import re
from collections.abc import Mapping

from torch import Tensor

NUMBER = re.compile(r"(?:^|(?<=\.))\d+(?=\.)")
SHORTCUT = re.compile(r"(?:^|(?<=\.))shortcut(?=\.)")

Child = dict[str, int]
"""For each tensor of a child, by its name inside it, the number of its dimensions."""


def numbered(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the architecture's names for those of a state dict that number its children; {} if they do not.

    Children without tensors have numbers too, so numbers only say the order. All names and dimensions have to agree;
    only the last child, the head, may be missing.

    Args:
        state: tensors by name, perhaps behind a prefix.
        wanted: the architecture's own tensors by name, in its order.
    """
    children: dict[str, Child] = {}
    for name, tensor in wanted.items():
        _put(children, name, tensor)
    if any(child.isdigit() for child in children):
        return {}
    found: dict[str, str] = {}
    for prefix, numbers in _sequences(state).items():
        ordered = sorted(numbers, key=int)
        named = dict(zip(ordered, children, strict=False))
        if len(children) - 1 <= len(ordered) <= len(children) and all(
            numbers[number] == children[child] for number, child in named.items()
        ):
            for name in state:
                number, _, rest = name.removeprefix(prefix).partition(".")
                if name.startswith(prefix) and number in named:
                    found[name] = f"{prefix}{named[number]}.{rest}"
    return found


def _sequences(state: Mapping[str, Tensor]) -> dict[str, dict[str, Child]]:
    """Return for every prefix that numbers follow the children of these numbers."""
    found: dict[str, dict[str, Child]] = {}
    for name, tensor in state.items():
        for match in NUMBER.finditer(name):
            prefix = name[: match.start()]
            _put(found.setdefault(prefix, {}), name[match.start() :], tensor)
    return found


def _put(children: dict[str, Child], name: str, tensor: Tensor) -> None:
    child, _, rest = name.partition(".")
    if not rest.endswith("num_batches_tracked"):
        children.setdefault(child, {})[SHORTCUT.sub("downsample", rest)] = tensor.ndim
