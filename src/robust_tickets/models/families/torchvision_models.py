"""torchvision's image classifiers, with the weights and transforms that torchvision ships for them."""

from typing import Any

from torch import nn
from torchvision import models
from torchvision.models import WeightsEnum

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Loaded
from robust_tickets.models.heads import first_convolution, like_convolution
from robust_tickets.models.pixels import Pixels


class TorchvisionModels:
    """`torchvision/<architecture>`; the weights' tag goes into `weights`, as in `IMAGENET1K_V1`."""

    prefix = "torchvision/"

    def names(self) -> list[str]:
        """Return every classifier; detectors and segmenters are not."""
        return [f"torchvision/{name}" for name in models.list_models(module=models)]

    def knows(self, name: str) -> bool:
        """Return whether torchvision has the classifier."""
        return f"torchvision/{name}" in self.names()

    def tags(self, name: str) -> list[str]:
        """Return the names of torchvision's weight enumeration."""
        return [weights.name for weights in models.get_model_weights(name)]

    def build(self, name: str, shape: ArchitectureOptions) -> nn.Module:
        """Return the architecture without weights and without auxiliary heads."""
        arguments = {} if shape.num_classes is None else {"num_classes": shape.num_classes}
        body = _without_auxiliary(models.get_model(name, weights=None, **_special(name, shape), **arguments))
        if shape.in_channels is not None and shape.in_channels != 3:
            replace_stem(body, shape.in_channels)
        return body

    def pretrained(self, name: str, tag: str | None, shape: ArchitectureOptions, downloads: Downloads) -> Loaded:
        """Return the architecture with the weights torchvision downloads or has cached."""
        tags = self.tags(name)
        if not tags:
            raise UserError(f"torchvision/{name}: no pretrained weights exist; give `weights: path/to/file`")
        weights = models.get_model_weights(name)[tag or "DEFAULT"]
        with downloads.of(f"torchvision/{name}"), downloads.torch_hub(weights.url):
            body = _without_auxiliary(models.get_model(name, weights=weights))
        full, preprocessing = f"torchvision/{name}", _transforms(weights)
        return Loaded(full, body, preprocessing, weights.name, "torchvision pretrained")

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Pixels | None, str]:
        """Return ImageNet's mean and std at the size of torchvision's own weights: its convention."""
        if in_channels != 3:
            return None, ""
        weights = models.get_model_weights(name)["DEFAULT"]
        return _transforms(weights), "preprocessing: torchvision's convention (ImageNet mean and std)"


def _transforms(weights: WeightsEnum) -> Pixels:
    transforms = weights.transforms()
    crop, resize = transforms.crop_size[0], transforms.resize_size[0]
    return Pixels(
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        size=(crop, crop),
        interpolation=transforms.interpolation.value,
        crop_fraction=min(1.0, crop / resize),
    )


def _special(name: str, shape: ArchitectureOptions) -> dict[str, Any]:
    """Return what some builders must be told: the input size, or to renormalise as the weights expect."""
    if name in {"googlenet", "inception_v3"}:
        return {"init_weights": True, "transform_input": shape.in_channels in (None, 3)}
    if shape.size is not None and name.startswith("vit_"):
        return {"image_size": shape.size[0]}
    if shape.size is not None and name == "maxvit_t":
        return {"input_size": shape.size}
    return {}


def _without_auxiliary(body: nn.Module) -> nn.Module:
    """Drop the heads that GoogLeNet and Inception use only in training, where they return a tuple."""
    if getattr(body, "aux_logits", False):
        setattr(body, "aux_logits", False)  # noqa: B010 - not declared by nn.Module
        for name in ("aux1", "aux2", "AuxLogits"):
            if hasattr(body, name):
                setattr(body, name, None)
    return body


def replace_stem(body: nn.Module, in_channels: int) -> None:
    """Let the first convolution read another number of channels, in place."""
    stem = first_convolution(body)
    assert stem is not None  # every classifier of torchvision has one
    owner, _, leaf = stem[0].rpartition(".")
    setattr(body.get_submodule(owner), leaf, like_convolution(stem[1], in_channels=in_channels))
