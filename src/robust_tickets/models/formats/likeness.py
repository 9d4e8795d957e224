"""What a state dict looks like that does not fit: whose names these are, and what to do with them."""

import math
import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from robust_tickets.models.formats.layout import State
from robust_tickets.models.formats.renames import is_kuangliu, is_lukemelas
from robust_tickets.models.formats.self_supervised import is_part

OWN_FUNCTION = "build the network in your own function and name that (package.module:function)"

CONVENTIONS: tuple[tuple[str, str, str], ...] = (
    (
        r".*(_flat_param|\bflat_param(_\d+)?)",
        "an FSDP checkpoint with flattened parameters",
        "save it with a full state dict (StateDictType.FULL_STATE_DICT)",
    ),
    (
        r".*\.(lora_[AB]|lora_embedding_[AB])(\..*)?",
        "a LoRA adapter",
        "merge it into its base model (merge_and_unload) and save that",
    ),
    (
        r".*(\._packed_params(\..*)?|\.zero_point|\.SCB|\.quant_state\..*|\.qweight|\.weight_scale|\.absmax)",
        "quantised weights",
        "give the floating-point weights they were made from",
    ),
    (
        r"(.*\.)?(bottom_up|proposal_generator|roi_heads|res[2-5]\.\d+\.conv\d\.norm)\..*|(.*\.)?stem\.conv1\.norm\..*",
        "detectron2 names",
        f"give the weights its backbone was made from, or {OWN_FUNCTION}",
    ),
    (
        r"(bbox_head|rpn_head|roi_head|decode_head|mask_head|data_preprocessor|neck)\..*",
        "an OpenMMLab checkpoint",
        f"give the weights its backbone was made from, or {OWN_FUNCTION}",
    ),
    (
        r".*(kernel:0|gamma:0|beta:0|moving_mean(:0)?|moving_variance(:0)?|/depthwise_kernel|/kernel)",
        "Keras or TensorFlow names",
        "convert the weights to PyTorch first; timm has most published ones",
    ),
    (r".*\.kernel", "Flax names", "convert the weights to PyTorch first; timm has most published ones"),
    (
        r"(exp_avg(_sq)?|momentum_buffer|max_exp_avg_sq)(\..*)?|.*\.(exp_avg|exp_avg_sq|momentum_buffer)",
        "the state of an optimizer",
        "give the weights file that was saved with it",
    ),
    (
        r"(visual\.)?transformer\.resblocks\..*|logit_scale",
        "a CLIP model",
        "name timm's image tower of it (timm/vit_*_clip_*), whose weights are in other files",
    ),
    (
        r"(.*\.)?(encoder|decoder)\.(layer|layers|stages)\.\d+\..*|(.*\.)?embedder\.embedder\..*",
        "Hugging Face transformers names",
        "load it with transformers in Python and give the module",
    ),
    (
        r"(model\.)*\d+\.(cv\d|m\.\d+|conv)\..*",
        "an Ultralytics YOLO model",
        f"detectors cannot be read; to use its backbone, {OWN_FUNCTION}",
    ),
    (
        r"aux_classifier\..*",
        "a segmentation network of torchvision",
        "give the weights of its backbone; tickets adds a head for pixels if the data need one",
    ),
)
"""What one of the names has to match, whose it then is, what to do."""

POSITIONS = "pos_embed"
QKV = "attn.qkv.weight"
"""Of timm's vision transformers."""

VIT_SIZES = {192: "tiny", 384: "small", 768: "base", 1024: "large", 1280: "huge"}
"""Width of a vision transformer, and what timm calls it."""


def likely(state: State) -> list[str]:
    """Return names of architectures that the names and shapes of a state dict suggest, likeliest first."""
    if is_lukemelas(state):
        sizes = [f"b{number}" for number in range(8)] + ["lite0", "lite1", "lite2", "lite3", "lite4"]
        width = _last(state, "_fc.weight")
        wanted = {1280: "b0 b1 lite0 lite1 lite2 lite3 lite4", 1408: "b2", 1536: "b3", 1792: "b4", 2048: "b5"}
        known = wanted.get(width.shape[1], "").split() if width is not None else sizes
        return [f"timm/tf_efficientnet_{size}" for size in known or sizes]
    if is_kuangliu(state):
        return [f"small/resnet{depth}" for depth in (18, 34, 50, 101)]
    position, patches = _last(state, "pos_embed"), _last(state, "patch_embed.proj.weight")
    if position is None or patches is None or position.ndim != 3 or patches.ndim != 4:
        return []
    size, patch = VIT_SIZES.get(position.shape[-1]), patches.shape[-1]
    if size is None:
        return []
    if any(name.endswith("ls1.gamma") for name in state):
        registers = any(name.endswith(("reg_token", "register_tokens")) for name in state)
        return [f"timm/vit_{size}_patch{patch}_{'reg4_' if registers else ''}dinov2"]
    side = math.isqrt(position.shape[1]) * patch
    return [f"timm/{kind}_{size}_patch{patch}_{side}" for kind in ("vit", "deit")]


def likeness(states: Mapping[str, State]) -> str | None:
    """Return whose names the state dicts of a checkpoint have and what to do; None if that is not known."""
    names = [name for state in states.values() for name in state]
    for pattern, what, remedy in CONVENTIONS:
        if _any(pattern, names):
            return f"it looks like {what}; {remedy}"
    largest = max(states.values(), key=len)
    if all(is_part(name) for name in largest):
        parts = ", ".join(dict.fromkeys(_part(name) for name in largest))
        return f"it contains only what self-supervised training adds to a network ({parts}); give the network's file"
    for state in states.values():
        if is_lukemelas(state):
            return "it looks like an EfficientNet of lukemelas; name timm's tf_efficientnet_* of its size"
        if is_kuangliu(state):
            return "it looks like a ResNet of kuangliu's pytorch-cifar; small/resnet18, 34, 50 and 101 are these"
        position = _last(state, "pos_embed")
        if position is not None and _any(r"(.*\.)?blocks\.(\d+\.)+attn\.qkv\.weight", state):
            depth = len({name.rpartition(".attn.")[0].rpartition(".")[2] for name in state if name.endswith(QKV)})
            return f"it looks like a vision transformer of timm, {position.shape[-1]} wide, {depth} blocks"
    return None


def of_other_size(state: State, wanted: State) -> str | None:
    """Return what to do if a vision transformer fits but for the size of its images; None if that is not it."""
    position, own = state.get(POSITIONS), wanted.get(POSITIONS)
    patches = wanted.get("patch_embed.proj.weight")
    if position is None or own is None or patches is None or position.ndim != 3 or position.shape[2:] != own.shape[2:]:
        return None
    if any(name not in state or (state[name].shape != wanted[name].shape and name != POSITIONS) for name in wanted):
        return None
    tokens = own.shape[1] - math.isqrt(own.shape[1]) ** 2
    count = position.shape[1] - tokens
    side = math.isqrt(max(count, 0))
    if side**2 != count or count == own.shape[1] - tokens:
        return None
    size = side * patches.shape[-1]
    return f"its positions are of images of {size} x {size}; give `preprocessing: {{size: {size}}}`"


def _part(name: str) -> str:
    """Return a name up to the part of it that only the training needs."""
    parts = name.split(".")
    return next(".".join(parts[: at + 1]) for at, part in enumerate(parts) if is_part(part))


def _any(pattern: str, names: Iterable[str]) -> bool:
    compiled = re.compile(pattern)
    return any(compiled.fullmatch(name) for name in names)


def _last(state: State, ending: str) -> Tensor | None:
    """Return the first tensor of which the name, without a prefix, is `ending`."""
    return next((t for name, t in state.items() if name == ending or name.endswith(f".{ending}")), None)
