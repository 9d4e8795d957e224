"""The last layer of a classifier: measuring it, making a fresh one."""

import difflib
from typing import Any

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.adapted_body import architecture_of

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

Head = nn.Linear | nn.Conv2d


def declared_heads(body: nn.Module) -> tuple[str, ...]:
    """Return the paths of the last layers that timm declares; () for other networks."""
    recorded = getattr(body, "pretrained_cfg", None)
    declared = recorded.get("classifier") if isinstance(recorded, dict) else None
    if not declared:
        return ()
    return (declared,) if isinstance(declared, str) else tuple(declared)


def presumed_head(body: nn.Module) -> str | None:
    """Return the path of the layer that is probably the head, before a forward pass decides: declared, or the last."""
    if len(declared := declared_heads(body)) == 1:
        return declared[0]
    return next((name for name, layer in [*body.named_modules()][::-1] if isinstance(layer, Head)), None)


def get_head(body: nn.Module, path: str) -> Head:
    """Return the head at `path`.

    Raises:
        UserError: there is no such module, or it is neither a linear layer nor a convolution.
    """
    modules = dict(body.named_modules())
    if path not in modules:
        near = difflib.get_close_matches(path, modules, n=3, cutoff=0.4)
        similar = ", ".join(near) or presumed_head(body)
        raise UserError(f"head: {path!r} is not a module of {architecture_of(body).__name__}; similar: {similar}")
    head = modules[path]
    if not isinstance(head, Head):
        raise UserError(f"head: {path!r} is a {type(head).__name__}; it must be a Linear or a Conv2d layer")
    return head


def classes_of(head: Head) -> int:
    """Return the number of classes of a head."""
    return head.out_features if isinstance(head, nn.Linear) else head.out_channels


def width_of(head: Head) -> int:
    """Return the number of features or channels that enter a head."""
    return head.in_features if isinstance(head, nn.Linear) else head.in_channels


def fresh_head(head: Head, num_classes: int, seed: int) -> Head:
    """Return a head of the same kind for `num_classes`, initialised by torch's default from stream `head`."""
    with global_stream(seed, "head"):
        if isinstance(head, nn.Linear):
            new: Head = nn.Linear(head.in_features, num_classes, bias=head.bias is not None)
        else:
            new = like_convolution(head, out_channels=num_classes)
    weight = next(head.parameters())
    return new.to(weight.device, weight.dtype).train(head.training)


def put_head(body: nn.Module, path: str, head: Head) -> None:
    """Replace the module at `path`, under every name it has, and the `num_classes` that modules above it state."""
    replace_module(body, body.get_submodule(path), head)
    owner = path.rpartition(".")[0]
    parts = owner.split(".") if owner else []
    for depth in range(len(parts) + 1):
        module = body.get_submodule(".".join(parts[:depth]))
        if isinstance(getattr(module, "num_classes", None), int):
            setattr(module, "num_classes", classes_of(head))  # noqa: B010 - not declared by nn.Module


def replace_module(body: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in the place of another, under every name it has."""
    for module in list(body.modules()):
        for leaf, child in list(module._modules.items()):
            if child is old:
                setattr(module, leaf, new)


def like_convolution(layer: nn.Conv2d, in_channels: int | None = None, out_channels: int | None = None) -> nn.Conv2d:
    """Return a plain convolution of the same geometry, with torch's default initialisation."""
    geometry: dict[str, Any] = {
        key: getattr(layer, key) for key in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    }
    return nn.Conv2d(
        in_channels or layer.in_channels,
        out_channels or layer.out_channels,
        bias=layer.bias is not None,
        **geometry,
    )


def first_convolution(body: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """Return the path and module of the first convolution, None if there is none."""
    return next(((path, module) for path, module in body.named_modules() if isinstance(module, nn.Conv2d)), None)


def input_channels(body: nn.Module) -> int | None:
    """Return how many input channels a network reads, None if no convolution says so."""
    stem = first_convolution(body)
    return stem[1].in_channels if stem else None
