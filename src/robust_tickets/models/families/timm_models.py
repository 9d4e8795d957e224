"""timm's image classifiers, with the weights and preprocessing that timm records for them."""

from typing import Any

import timm
from timm.data.config import resolve_data_config
from timm.models import get_pretrained_cfg
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Loaded
from robust_tickets.models.pixels import Pixels

CLASSES = 1000
"""Of an architecture that timm builds without a head, like most of the others."""


class TimmModels:
    """`timm/<architecture>` or `timm/<architecture>.<tag>`; the tag says which weights."""

    prefix = "timm/"

    def names(self) -> list[str]:
        """Return every architecture."""
        return [f"timm/{name}" for name in timm.list_models()]

    def knows(self, name: str) -> bool:
        """Return whether timm has the architecture, and the tag if one is given."""
        architecture, _, tag = name.partition(".")
        return timm.is_model(architecture) and (not tag or tag in self.tags(name))

    def tags(self, name: str) -> list[str]:
        """Return the tags with weights."""
        architecture = name.partition(".")[0]
        return [full.partition(".")[2] for full in timm.list_models(f"{architecture}.*", pretrained=True)]

    def build(self, name: str, shape: ArchitectureOptions) -> nn.Module:
        """Return the architecture without weights."""
        return timm.create_model(name, pretrained=False, **_arguments(name, shape))

    def pretrained(self, name: str, tag: str | None, shape: ArchitectureOptions, downloads: Downloads) -> Loaded:
        """Return the architecture with the weights timm downloads or has cached."""
        architecture, _, named = name.partition(".")
        tags = self.tags(architecture)
        if not tags:
            raise UserError(f"timm/{name}: timm has no pretrained weights for it; give `weights: path/to/file`")
        full = f"{architecture}.{tag}" if tag else name
        arguments = _arguments(full, ArchitectureOptions(size=shape.size))
        with downloads.of(f"timm/{full}"), downloads.hub():
            body = timm.create_model(full, pretrained=True, cache_dir=downloads.cache, **arguments)
        found: Any = body.pretrained_cfg
        tag = str(tag or named or found["tag"])
        headless = found["classifier"] if found["num_classes"] == 0 else None
        notes = (f"head: the weights came without {headless}; it is random until a transfer trains it",)
        return Loaded(
            f"timm/{architecture}.{tag}",
            body,
            recorded_preprocessing(found),
            tag,
            "timm pretrained",
            notes if headless is not None else (),
            headless=headless,
        )

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Pixels | None, str]:
        """Return what timm records for the architecture."""
        recorded: Any = body.pretrained_cfg
        if in_channels != len(recorded["mean"]):
            return None, ""
        return recorded_preprocessing(recorded), f"preprocessing: what timm records for {name}"


def _arguments(name: str, shape: ArchitectureOptions) -> dict[str, Any]:
    """Return what to ask of timm; only a network of fixed input size may be told its size.

    Self-supervised ones such as DINOv2 would come without a head, and are given one as other architectures have.
    """
    wanted: dict[str, Any] = {"num_classes": shape.num_classes, "in_chans": shape.in_channels}
    recorded = get_pretrained_cfg(name)
    if recorded is not None and recorded.num_classes == 0 and shape.num_classes is None:
        wanted["num_classes"] = CLASSES
    if recorded is not None and recorded.fixed_input_size:
        wanted["img_size"] = shape.size
    return {key: value for key, value in wanted.items() if value is not None}


def recorded_preprocessing(recorded: dict[str, Any]) -> Pixels:
    """Return a `pretrained_cfg` of timm as a preprocessing."""
    config = resolve_data_config({}, pretrained_cfg=recorded)
    return Pixels(
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        size=tuple(config["input_size"][1:]),
        interpolation=config["interpolation"],
        crop_fraction=config["crop_pct"],
    )
