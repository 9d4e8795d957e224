"""Which architecture a checkpoint was probably written by, when it does not fit the one that was named."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from robust_tickets.models.families.family import Shape
from robust_tickets.models.heads import find_head
from robust_tickets.models.registry import available, resolve
from robust_tickets.models.strict import mismatches

MOST = 60
"""Architectures tried, on the meta device, before giving up."""


def suggest(state: Mapping[str, Tensor], name: str) -> str | None:
    """Return the full name of an architecture akin to `name` with exactly the tensors of `state`; or None."""
    stem = re.match(r"[a-z]*", name.rpartition("/")[2].lower())
    stem = stem.group() if stem else ""
    kin = [full for full in available() if stem and stem in full.rpartition("/")[2]]
    kin.sort(key=lambda full: (full.startswith("timm/"), len(full)))
    for full in kin[:MOST]:
        family, inner = resolve(full)
        with torch.device("meta"):
            body = family.build(inner, Shape())
            head = find_head(body)
            if f"{head}.weight" in state:
                body = family.build(inner, Shape(num_classes=state[f"{head}.weight"].shape[0]))
        if not mismatches(body, state):
            return full
    return None
