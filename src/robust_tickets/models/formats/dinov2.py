"""DINOv2 as its authors save it, and timm's names for it.

| authors | timm |
|---|---|
| `blocks.1.6.norm1`, in chunks, for training on several devices | `blocks.6.norm1` |
| `register_tokens` | `reg_token` |
| `cls_token`, `pos_embed` with a position for it | with registers: both summed in `cls_token` |
| `mlp.w12`, `mlp.w3` | `mlp.fc1`, `mlp.fc2` |
"""

import re
from collections.abc import Mapping

from torch import Tensor

CHUNKED = re.compile(r"(|.*\.)blocks\.\d+\.(\d+\..+)")
GATED = {"w12": "fc1", "w3": "fc2"}
GATE = re.compile(r"(.*\.mlp)\.(w12|w3)\.(weight|bias)")
REGISTERS = "register_tokens"


def is_dinov2(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state dict has both the mask token and the layer scale of DINOv2."""
    return any(name.endswith("mask_token") for name in state) and any(name.endswith("ls1.gamma") for name in state)


def timm_names(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, str]:
    """Return timm's name for each of the authors'; {} if they are the same.

    Args:
        state: tensors by name, perhaps behind a prefix.
        wanted: the architecture's own tensors by name.
    """
    names: dict[str, str] = {}
    for name in state:
        now = GATE.sub(lambda match: f"{match[1]}.{GATED[match[2]]}.{match[3]}", name)
        if (match := CHUNKED.fullmatch(now)) and f"blocks.{match[2]}" in wanted:
            now = f"{match[1]}blocks.{match[2]}"
        if now.endswith(REGISTERS) and "reg_token" in wanted:
            now = f"{now.removesuffix(REGISTERS)}reg_token"
        if now != name:
            names[name] = now
    return names


def with_position_in_class_token(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with the class token's position added to it, as timm keeps them where there are registers."""
    found = dict(state)
    for name in state:
        token, position = f"{(prefix := name.removesuffix('reg_token'))}cls_token", f"{prefix}pos_embed"
        if prefix != name and token in state and position in state:
            found[token] = state[token] + state[position][:, :1]
            found[position] = state[position][:, 1:]
    return found
