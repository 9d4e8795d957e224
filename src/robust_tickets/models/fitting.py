"""Which named architecture a state dict or a module is, told by building candidates without memory."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torchvision import models

from robust_tickets.models.families.family import Shape
from robust_tickets.models.heads import find_head, reads
from robust_tickets.models.registry import available, resolve
from robust_tickets.models.strict import mismatches

MOST = 150
"""Candidates tried before giving up; one takes some hundredths of a second."""


def architecture_of(state: Mapping[str, Tensor], named: str) -> str | None:
    """Return an architecture with exactly the tensors of `state`, or None; kin of `named` come first."""
    stem = re.match(r"[a-z]*", named.rpartition("/")[2].lower())
    kin = stem.group() if stem else ""

    def distance(name: str) -> tuple[bool, bool, int]:
        return (not kin or kin not in name, name.startswith("timm/"), len(name))

    for name in sorted(available(), key=distance)[:MOST]:
        family, inner = resolve(name)
        with torch.device("meta"):
            body = family.build(inner, Shape())
            head = f"{find_head(body)}.weight"
            if head in state:
                body = family.build(inner, Shape(num_classes=state[head].shape[0]))
        if not mismatches(body, state):
            return name
    return None


def name_of(body: nn.Module, num_classes: int) -> str:
    """Return the name under which a family builds exactly this module, else `module:Class` of the user's.

    "Exactly" is to PyTorch's printed form, which holds every layer and its hyperparameters.
    """
    printed = repr(body)
    for name in _kin(body):
        family, inner = resolve(name)
        with torch.device("meta"):
            twin = family.build(inner, Shape(num_classes, reads(body)))
        if type(twin) is type(body) and repr(twin) == printed:
            return name
    return f"{type(body).__module__}:{type(body).__qualname__}"


def _kin(body: nn.Module) -> Iterator[str]:
    """Yield the names whose family's code defines the class of `body`."""
    home = type(body).__module__
    recorded = getattr(body, "pretrained_cfg", None)
    if home.startswith("timm.") and isinstance(recorded, dict):
        yield f"timm/{recorded['architecture']}"
    elif home.startswith("torchvision.models."):
        yield from _torchvision(home)
    elif home.startswith(f"{__package__}.networks."):
        yield from (name for name in available() if not name.startswith(("timm/", "torchvision/")))


def _torchvision(home: str) -> Iterable[str]:
    return [
        f"torchvision/{name}"
        for name in models.list_models(module=models)
        if getattr(inspect.getmodule(models.get_model_builder(name)), "__name__", "") == home
    ]
