"""Names that well-known code gives to the tensors of an architecture that has other names here.

Only where the function is the same: padding, epsilons and strides included, so that outputs are equal.

| code | as |
|---|---|
| kuangliu/pytorch-cifar ResNets: `layer2.0.shortcut.0`, `linear` | `small/resnet18`: `layer2.0.downsample.0`, `fc` |
| lukemelas/EfficientNet-PyTorch: `_conv_stem`, `_blocks.0._depthwise_conv` | timm's `tf_efficientnet_*` |
| facebookresearch/dinov2: `register_tokens`, `blocks.1.6.norm1` | timm's `vit_*_dinov2`; see `dinov2.py` |
| children in an `nn.Sequential`: `0.weight`, `4.0.conv1` | any: `conv1.weight`, `layer1.0.conv1`; see `numbered.py` |
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from timm.layers.attention import Attention
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

from robust_tickets.models.formats.dinov2 import is_dinov2, timm_names, with_position_in_class_token
from robust_tickets.models.formats.numbered import numbered
from robust_tickets.models.formats.self_supervised import MOCO_V3, SOLO_LEARN

KUANGLIU = "kuangliu/pytorch-cifar"
LUKEMELAS = "lukemelas/EfficientNet-PyTorch"
DINOV2 = "facebookresearch/dinov2"

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2023, 0.1994, 0.2010)
"""In kuangliu's training script; they are not the data's own, and copied widely."""

SHORTCUT = re.compile(r"(|.*\.)(layer\d+\.\d+)\.shortcut\.(\d+\.\w+)")
LINEAR = re.compile(r"(|.*\.)linear\.((?:\d+\.)?(?:weight|bias))")
OTHER_HEAD = re.compile(r"(|.*\.)fc\.weight")
BLOCK = re.compile(r"(|.*\.)_blocks\.(\d+)\.(_\w+)\.(.+)")
OUTSIDE = re.compile(r"(|.*\.)(_conv_stem|_bn0|_conv_head|_bn1|_fc)\.(\w+)")

STEM_AND_HEAD = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
    **SQUEEZE,
}
"""Layers of lukemelas' blocks, and timm's inverted residuals."""
SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2", **SQUEEZE}
"""Of the blocks that do not expand, timm's depthwise separable convolutions."""


@dataclass(frozen=True)
class Renamed:
    """A state dict under an architecture's names."""

    state: dict[str, Tensor]
    names: dict[str, str]
    """For each name that was changed, what it is now."""
    code: str = ""
    """Whose names they were; empty if nothing was renamed, or if they were nobody's in particular."""
    mean: tuple[float, ...] | None = None
    """What that code's training script normalises with, where it has one."""
    std: tuple[float, ...] | None = None
    numbered: bool = False
    """Whether the names had numbers for the architecture's children."""


def renamed(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Renamed:
    """Return the tensors under the names that are `wanted`, if they are known under others; prefixes stay."""
    children = numbered(state, wanted)
    state = _under(children, state)
    found = _known_code(state, wanted)
    names = {name: found.names.get(now, now) for name, now in children.items()} | {
        name: now for name, now in found.names.items() if name not in children.values()
    }
    return replace(found, names=names, numbered=bool(children))


def _known_code(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Renamed:
    """Return the tensors under the names that are `wanted`, if some well-known code has others for them."""
    if is_kuangliu(state) and "fc.weight" in wanted and not any("shortcut" in name for name in wanted):
        names = {name: LINEAR.sub(r"\1fc.\2", SHORTCUT.sub(r"\1\2.downsample.\3", name)) for name in state}
        whole = any(LINEAR.fullmatch(name) for name in state)  # without, it may be another's training script
        mean, std = (CIFAR_MEAN, CIFAR_STD) if whole else (None, None)
        return Renamed(_under(names, state), names, KUANGLIU, mean, std)
    if is_lukemelas(state) and "conv_stem.weight" in wanted:
        names = _efficientnet(state, wanted.keys())
        return Renamed(_under(names, state), names, LUKEMELAS)
    if is_dinov2(state) and (names := timm_names(state, wanted)):
        return Renamed(with_position_in_class_token(_under(names, state)), names, DINOV2)
    return Renamed(dict(state), {})


def unlike(code: str, body: nn.Module) -> str | None:
    """Return why an architecture with the same names computes something else than `code` does; None if it does not."""
    if code == LUKEMELAS and not any(isinstance(module, Conv2dSame) for module in body.modules()):
        return f"{LUKEMELAS} pads as TensorFlow does; take timm's tf_efficientnet_* of the same size"
    if code == MOCO_V3:
        small = [layer for layer in body.modules() if isinstance(layer, Attention) and layer.qkv.in_features == 384]
        if any(layer.num_heads != 12 for layer in small):
            return (
                f"the ViT-S of {MOCO_V3} has 12 attention heads, this has {small[0].num_heads}; build it with "
                "num_heads=12 in your own function and name that (package.module:function)"
            )
    return None


def doubt(code: str, body: nn.Module) -> str | None:
    """Return why an architecture may compute something else than `code` does, which the names do not settle."""
    stem = next((layer for layer in body.modules() if isinstance(layer, nn.Conv2d)), None)
    if code == SOLO_LEARN and stem is not None and stem.kernel_size == (3, 3) and stem.padding != (2, 2):
        return (
            f"stem: its 3 x 3 convolution pads by {stem.padding[0]}, that of {SOLO_LEARN} by 2; if that wrote the "
            "file, build the network in your own function and name that (package.module:function)"
        )
    return None


def _under(names: Mapping[str, str], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {names.get(name, name): tensor for name, tensor in state.items()}


def is_kuangliu(names: Mapping[str, Tensor]) -> bool:
    """Return whether names are of kuangliu's ResNets with projection shortcuts, perhaps without their head."""
    if not any(SHORTCUT.fullmatch(name) for name in names):
        return False
    return any(LINEAR.fullmatch(name) for name in names) or not any(OTHER_HEAD.fullmatch(name) for name in names)


def is_lukemelas(names: Mapping[str, Tensor]) -> bool:
    """Return whether names are of lukemelas' EfficientNets."""
    return any(name.endswith("_conv_stem.weight") for name in names) and any(BLOCK.fullmatch(name) for name in names)


def _efficientnet(state: Mapping[str, Tensor], wanted: Set[str]) -> dict[str, str]:
    """Rename an EfficientNet; timm counts blocks within stages, lukemelas through all of them."""
    places = {(int(m[1]), int(m[2])) for name in wanted if (m := re.match(r"blocks\.(\d+)\.(\d+)\.", name))}
    blocks = [f"blocks.{stage}.{block}" for stage, block in sorted(places)]
    expanding = {m[2] for name in state if (m := BLOCK.fullmatch(name)) and m[3] == "_expand_conv"}
    names: dict[str, str] = {}
    for name in state:
        names[name] = name
        if (m := BLOCK.fullmatch(name)) and int(m[2]) < len(blocks):
            layers = EXPANDING if m[2] in expanding else SEPARABLE
            names[name] = f"{m[1]}{blocks[int(m[2])]}.{layers.get(m[3], m[3])}.{m[4]}"
        elif m := OUTSIDE.fullmatch(name):
            names[name] = f"{m[1]}{STEM_AND_HEAD[m[2]]}.{m[3]}"
    return names
