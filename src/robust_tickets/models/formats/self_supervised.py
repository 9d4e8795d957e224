"""What self-supervised training adds to a network: a copy that follows it, projectors, prototypes, a queue.

The network is the one that the authors evaluate. Everything else is left out, and named.

| code | the network | its copy | beside them |
|---|---|---|---|
| MoCo v1 and v2 | `encoder_q` | `encoder_k` | `queue`; a projector in the head's place |
| MoCo v3 | `base_encoder` | `momentum_encoder` | `predictor`; a projector in the head's place |
| BYOL | `online_encoder.net`, `online_network.encoder` | `target_...` | `projector`, `online_predictor` |
| solo-learn | `backbone`, `encoder` | `momentum_...` | `projector`, `predictor`, `classifier` |
| lightly | `backbone` | `..._momentum` | `projection_head`, `prediction_head` |
| SwAV | | | `projection_head`, `prototypes` |
| DINO, DINOv2, iBOT | `teacher.backbone` | the student, see `states.py` | `head`, `mask_token` |
| MAE | | | `mask_token`, `decoder_...` |
"""

import re
from collections.abc import Container, Iterable, Mapping

from torch import Tensor

MOCO_V3 = "facebookresearch/moco-v3"
DINO = "facebookresearch/dino"
MAE = "facebookresearch/mae"
SOLO_LEARN = "vturrisi/solo-learn"

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALISED = {MOCO_V3: IMAGENET, DINO: IMAGENET, MAE: IMAGENET}
"""Mean and std of training scripts, whatever timm records for an architecture."""

QUERY = "encoder_q"
COPIES = (("encoder_k", QUERY), ("momentum", "base"), ("target", "online"), ("momentum_", ""), ("_momentum", ""))
"""A word in the name of a copy, and what the name of its original has instead."""

PART = re.compile(
    r"(?:student_|teacher_|momentum_|online_|target_)?"
    r"(?:projector|projection|projetion|projection_head|predictor|prediction_head|prototypes\d*)(?:_momentum)?"
    r"|queue(?:_\w+)?|mask_token|masked_embed|decoder_(?:embed|pos_embed|blocks|norm|pred)"
)
"""Modules and buffers that only the training needs; `projetion` is what PyTorch-BYOL calls it."""

DINO_HEAD = re.compile(r"(?:^|\.)head\.last_layer\.weight")


def original_of(place: str, places: Container[str]) -> str | None:
    """Return which of several places is followed by the moving average at `place`; None if none is."""
    originals = [place.replace(word, instead) for word, instead in COPIES if word in place]
    return next((original for original in originals if original in places), None)


def is_part(name: str) -> bool:
    """Return whether any part of a dotted name is one that only the training needs."""
    return any(PART.fullmatch(part) for part in name.split("."))


def is_inside(name: str, wanted: Iterable[str]) -> bool:
    """Return whether a name inside a network is of a part that only the training needs, and the network has not."""
    top = name.partition(".")[0]
    return PART.fullmatch(top) is not None and not any(own.partition(".")[0] == top for own in wanted)


def instead_of_head(places: Iterable[str], states: Mapping[str, Mapping[str, Tensor]]) -> str:
    """Return what the last layer of networks is, in words, where it is no classifier; empty if it may be one.

    It may have the head's name and shape: MoCo's query encoder ends in a projector, and a network that a momentum copy
    follows, beside parts of such training, ends in a projector or in a layer that nothing trained.

    Args:
        places: where the networks are, all alike.
        states: all state dicts of the file.
    """
    names = {*places}
    if any(QUERY in name.split(".") for name in names):
        return "a projector"
    copied = any(original_of(name, names) is not None for name in names)
    if copied and any(is_part(name) for state in states.values() for name in state):
        return "a projector or an untrained layer"
    return ""


def code_of(prefix: str, names: Iterable[str]) -> str:
    """Return whose training script wrote a state dict, of those that one has to know; empty if it is another's.

    Args:
        prefix: of the network's names in it.
        names: all names in it.
    """
    outer, _, network = prefix.removesuffix(".").rpartition(".")
    outer = f"{outer}." if outer else ""
    beside = {name.removeprefix(outer).partition(".")[0] for name in names if name.startswith(outer)}
    if network == "base_encoder" and beside & {"momentum_encoder", "predictor"}:
        return MOCO_V3
    if network == "backbone" and beside == {"backbone", "head"} and any(DINO_HEAD.search(name) for name in names):
        return DINO
    if {"decoder_embed", "decoder_blocks", "mask_token"} <= beside:
        return MAE
    if network in ("backbone", "encoder") and {"classifier", "projector"} <= beside:
        return SOLO_LEARN
    return ""
