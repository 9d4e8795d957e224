"""A folder as timm and the Hugging Face Hub keep one: `config.json` next to the weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data.constants import DEFAULT_CROP_PCT

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json
from robust_tickets.foundation.settings import parse
from robust_tickets.models.pixels import Pixels

CONFIG = "config.json"

FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "pytorch_model.pth",
    "model.pth",
)
"""Names that the weights may have, in order of precedence; timm's own, and the index of sharded ones."""

HARMLESS_ARGUMENTS = {"num_classes", "in_chans", "img_size", "drop_rate", "drop_path_rate", "pretrained"}
"""Arguments of a timm model that change no tensor and no output in evaluation mode, or are seen in the weights."""


@dataclass(frozen=True)
class HubFolder:
    """What a folder says about the network in it."""

    name: str | None
    """`timm/<architecture>`; None if the folder does not name one of timm's."""
    weights: Path
    preprocessing: Pixels | None


def is_hub_folder(folder: Path) -> bool:
    """Return whether a folder is laid out as the Hub's are."""
    return (folder / CONFIG).is_file()


def read_hub_folder(folder: Path) -> HubFolder:
    """Read which network a folder holds, the file of its weights, and what its images are prepared with.

    Raises:
        UserError: there are no weights in it, or its architecture is built in a way that its name does not tell.
    """
    config, where = read_json(folder / CONFIG), folder / CONFIG
    if not isinstance(config, dict):
        raise UserError(f"{where}: is not a network's configuration")
    weights = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if weights is None:
        raise UserError(f"{folder}: has {CONFIG} but none of {', '.join(FILES[:3])}; download the weights too")
    architecture = config.get("architecture")
    if not isinstance(architecture, str):
        return HubFolder(None, weights, None)
    if not timm.is_model(architecture):
        raise UserError(f"{where}: timm {timm.__version__} has no architecture {architecture!r}")
    arguments = config.get("model_args") or {}
    if _is_another(architecture, {key: arguments[key] for key in arguments if key not in HARMLESS_ARGUMENTS}):
        told = ", ".join(f"{key}={arguments[key]!r}" for key in arguments if key not in HARMLESS_ARGUMENTS)
        raise UserError(
            f"{where}: its model_args ({told}) make a different network from timm/{architecture}; build it in your own "
            "function and name that: package.module:function"
        )
    preprocessing, size = _preprocessing(config, where), arguments.get("img_size")
    size = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, list) else None
    if size is not None and preprocessing is not None:
        preprocessing = parse(Pixels, {**preprocessing.model_dump(), "size": size}, str(where))
    return HubFolder(f"timm/{architecture}", weights, preprocessing)


def _is_another(architecture: str, arguments: dict[str, Any]) -> bool:
    """Return whether arguments change the network that the architecture's name gives; timm records defaults too."""
    if not arguments:
        return False
    with torch.device("meta"):
        try:
            built = timm.create_model(architecture, **arguments)
        except (TypeError, ValueError, KeyError, AttributeError, AssertionError, RuntimeError):
            return True  # arguments of another version of timm, or of none
        plain = timm.create_model(architecture)
    pool = (getattr(built, "global_pool", None), getattr(plain, "global_pool", None))
    return repr(built) != repr(plain) or (isinstance(pool[0], str) and pool[0] != pool[1])


def _preprocessing(config: dict[str, Any], where: Path) -> Pixels | None:
    # The configuration of older versions is flat.
    recorded = config.get("pretrained_cfg", config)
    if not isinstance(recorded, dict) or not {"mean", "std", "input_size"} <= recorded.keys():
        return None
    size = recorded["input_size"]
    if not isinstance(size, list) or len(size) != 3:
        raise UserError(f"{where}: input_size is {size!r}; it must be channels, height and width")
    values = {
        "mean": recorded["mean"],
        "std": recorded["std"],
        "size": size[1:],
        "interpolation": recorded.get("interpolation") or "bicubic",
        "crop_fraction": recorded.get("crop_pct") or DEFAULT_CROP_PCT,
    }
    return parse(Pixels, values, str(where))


def explain(folder: Path) -> str:
    """Say why a folder of the Hub whose architecture is not timm's does not do as a name."""
    config = read_json(folder / CONFIG)
    classes = config.get("architectures") if isinstance(config, dict) else None
    what = f" ({classes[0]})" if isinstance(classes, list) and classes else ""
    return (
        f"{folder}: {CONFIG} names no timm architecture{what}; give the architecture as the name and the folder as "
        "`weights`, or a network of transformers from Python as a module"
    )
