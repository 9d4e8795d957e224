"""The architectures on which physical removal is proven, and what is measured of each."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import timm
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.detection.ssd import SSD

import robust_tickets as rt
from robust_tickets.models.couplings import Refusal, trace_couplings
from robust_tickets.models.heads import declared_heads
from robust_tickets.models.layers import prunable_weights, weights_by_type
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.proofs import randomised, relative_difference
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.shrinking.removal import Removal, remove_channels

SPARSITY, MULTIPLE = 0.5, 8


@dataclass(frozen=True)
class Architecture:
    """A network with random weights, and the size of the images that it is tried on."""

    name: str
    side: int
    group: Literal["channel", "neuron", "head"] = "channel"
    core: bool = False
    """Whether the default suite tries it too."""
    make: Callable[[], nn.Module] | None = None
    """None: the library in front of the name makes it."""

    def build(self) -> nn.Module:
        """Return the network in eval mode, every weight, bias and statistic of it random."""
        torch.manual_seed(0)
        library, _, model = self.name.partition("/")
        if self.make is not None:
            return randomised(self.make()).requires_grad_(False)
        if library == "timm":
            return randomised(timm.create_model(model, pretrained=False)).requires_grad_(False)
        slow_to_initialise = {"init_weights": False} if model in {"googlenet", "inception_v3"} else {}
        return randomised(models.get_model(model, weights=None, **slow_to_initialise)).requires_grad_(False)


def torchvision_vit() -> nn.Module:
    """Make the base vision transformer of torchvision for small images."""
    return models.VisionTransformer(32, 16, 12, 12, 768, 3072)


def timm_sized(name: str, side: int) -> Callable[[], nn.Module]:
    """Make a transformer of timm for small images."""
    return lambda: timm.create_model(name, pretrained=False, img_size=side)


class HeadedDetector(nn.Module):
    """A detector of torchvision up to the raw scores and boxes: what comes behind has no weights."""

    def __init__(self, detector: SSD) -> None:
        super().__init__()
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return `cls_logits` and `bbox_regression`, [N, anchors, classes or 4]."""
        return self.head(list(self.backbone(images).values()))


def cifar_resnet20() -> nn.Module:
    """Make a residual network whose shortcuts pad channels with zeros."""
    settings = rt.SourceSettings(name="cifar/resnet20", weights="random", num_classes=10)
    return rt.load_source(settings).network.body


def _ssd() -> SSD:
    return models.detection.ssd300_vgg16(weights=None, weights_backbone=None)


def _ssdlite() -> SSD:
    return models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)


ARCHITECTURES = (
    Architecture("torchvision/resnet18", 32, core=True),
    Architecture("torchvision/resnet50", 32),
    Architecture("torchvision/resnext50_32x4d", 32, core=True),
    Architecture("torchvision/wide_resnet50_2", 32),
    Architecture("torchvision/vgg16", 32),
    Architecture("torchvision/vgg16_bn", 32),
    Architecture("torchvision/densenet121", 32, core=True),
    Architecture("torchvision/mobilenet_v2", 32, core=True),
    Architecture("torchvision/mobilenet_v3_large", 32),
    Architecture("torchvision/mobilenet_v3_small", 32, core=True),
    Architecture("torchvision/efficientnet_b0", 32, core=True),
    Architecture("torchvision/regnet_x_400mf", 32, core=True),
    Architecture("torchvision/regnet_y_400mf", 32),
    Architecture("torchvision/convnext_tiny", 32, "neuron"),
    Architecture("torchvision/squeezenet1_1", 48, core=True),
    Architecture("torchvision/shufflenet_v2_x1_0", 32, core=True),
    Architecture("torchvision/googlenet", 32),
    Architecture("torchvision/inception_v3", 96),
    Architecture("torchvision/vit_b_16", 32, "neuron", make=torchvision_vit),
    Architecture("torchvision/vit_b_16 (heads)", 32, "head", make=torchvision_vit),
    Architecture("torchvision/swin_t", 56, "neuron"),
    Architecture("timm/resnet18", 32),
    Architecture("timm/resnet26", 32),
    Architecture("timm/resnet34", 32),
    Architecture("timm/resnet50", 32),
    Architecture("timm/resnet50d", 32),
    Architecture("timm/resnet50_gn", 32),
    Architecture("timm/resnext50_32x4d", 32),
    Architecture("timm/seresnet50", 32),
    Architecture("timm/resnetv2_50", 32),
    Architecture("timm/efficientnet_b0", 32),
    Architecture("timm/tf_efficientnet_b0", 32),
    Architecture("timm/tf_efficientnetv2_b0", 32),
    Architecture("timm/mobilenetv2_100", 32),
    Architecture("timm/mobilenetv3_large_100", 32),
    Architecture("timm/mobilenetv4_conv_small", 32, core=True),
    Architecture("timm/convnext_tiny", 32, "neuron"),
    Architecture("timm/convnextv2_nano", 32, "neuron"),
    Architecture("timm/regnety_004", 32),
    Architecture("timm/densenet121", 32),
    Architecture("timm/vgg16_bn", 32),
    Architecture("timm/ghostnet_100", 32, core=True),
    Architecture("timm/rexnet_100", 32),
    Architecture("timm/mnasnet_100", 32),
    Architecture("timm/dla34", 32),
    Architecture("timm/hrnet_w18_small", 32),
    Architecture("timm/inception_v3", 96),
    Architecture("timm/repvgg_a0", 32),
    Architecture("timm/lcnet_050", 32),
    Architecture("timm/fastvit_t8", 64),
    Architecture("timm/vit_tiny_patch16_224", 32, "neuron", True, timm_sized("vit_tiny_patch16_224", 32)),
    Architecture("timm/vit_small_patch16_224", 32, "neuron", make=timm_sized("vit_small_patch16_224", 32)),
    Architecture("timm/vit_small_patch16_224 (heads)", 32, "head", make=timm_sized("vit_small_patch16_224", 32)),
    Architecture("timm/deit_tiny_patch16_224", 32, "neuron", make=timm_sized("deit_tiny_patch16_224", 32)),
    Architecture("timm/deit_tiny_patch16_224 (heads)", 32, "head", True, timm_sized("deit_tiny_patch16_224", 32)),
    Architecture("timm/beit_base_patch16_224", 32, "neuron", make=timm_sized("beit_base_patch16_224", 32)),
    Architecture(
        "timm/swin_tiny_patch4_window7_224", 56, "neuron", make=timm_sized("swin_tiny_patch4_window7_224", 56)
    ),
    Architecture(
        "timm/swin_tiny_patch4_window7_224 (heads)", 56, "head", make=timm_sized("swin_tiny_patch4_window7_224", 56)
    ),
    Architecture("timm/pit_ti_224 (heads)", 224, "head", make=timm_sized("pit_ti_224", 224)),
    Architecture("timm/mobilevit_xxs (heads)", 64, "head", make=lambda: timm.create_model("mobilevit_xxs")),
    Architecture("timm/mixer_s32_224", 64, "neuron", True, timm_sized("mixer_s32_224", 64)),
    Architecture("cifar/resnet20", 32, core=True, make=cifar_resnet20),
    Architecture(
        "torchvision/deeplabv3_resnet50",
        64,
        make=lambda: models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, aux_loss=True),
    ),
    Architecture(
        "torchvision/fcn_resnet50",
        64,
        make=lambda: models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, aux_loss=True),
    ),
    Architecture("torchvision/ssd300_vgg16 (backbone)", 300, make=lambda: _ssd().backbone),
    Architecture("torchvision/ssd300_vgg16 (backbone and heads)", 300, make=lambda: HeadedDetector(_ssd())),
    Architecture(
        "torchvision/ssdlite320_mobilenet_v3_large (backbone)", 160, core=True, make=lambda: _ssdlite().backbone
    ),
    Architecture(
        "torchvision/ssdlite320_mobilenet_v3_large (backbone and heads)", 160, make=lambda: HeadedDetector(_ssdlite())
    ),
)


@dataclass(frozen=True)
class Proof:
    """What removing half of an architecture's channels gave."""

    removal: Removal
    rounded: Removal
    difference: float
    """Largest difference to the masked network, over the spread of each output, on images of its own."""
    refusals: tuple[Refusal, ...]
    """Without the head's own outputs."""
    odd_widths: tuple[str, ...]
    """Layers that had a multiple of 8 outputs and have none after rounding to one."""


def last_layer(body: nn.Module) -> str:
    """Return what timm declares to be the head, else the last linear layer or convolution."""
    layers = [name for name, module in body.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return (*declared_heads(body), layers[-1])[0]


@torch.no_grad()
def prove(architecture: Architecture) -> Proof:
    """Select half of the channels as a draw does, mask, remove, and compare."""
    body, side = architecture.build(), architecture.side
    head = last_layer(body)
    classifier = Network(body, Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(side, side)), head)
    example = torch.zeros(1, 3, side, side)
    # Not by `rt.draw`: a detector's backbone gives maps, and a source has to give logits.
    names = prunable_weights(classifier)
    weights = {name: body.get_parameter(name).detach() for name in names}
    selection = rt.DrawSettings.model_validate({"group": architecture.group}).selection
    try:
        masks = selection.select(weights, sparsity=SPARSITY, couplings=trace_couplings(body, example, names))
    except rt.UserError:
        masks = {}
    removal = remove_channels(body, masks, example)
    rounded = remove_channels(body, masks, example, round_to=MULTIPLE)

    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    MaskApplier(dict(body.named_parameters()), masks).apply_to_weights()
    difference = relative_difference(removal.body(images), body(images))
    return Proof(
        removal=removal,
        rounded=rounded,
        difference=max(difference, removal.counts.max_difference, rounded.counts.max_difference),
        refusals=tuple(refusal for refusal in removal.refusals if not refusal.name.startswith(f"{head}.")),
        odd_widths=tuple(_odd_widths(body, rounded.body)),
    )


def _odd_widths(before: nn.Module, after: nn.Module) -> list[str]:
    smaller = dict(after.named_parameters())
    return [
        name
        for name in weights_by_type(before)
        if before.get_parameter(name).shape[0] % MULTIPLE == 0 and smaller[name].shape[0] % MULTIPLE
    ]


REASONS = {
    "passes a layer norm": "layer norm on the stream",
    "feeds attention": "attention",
    "is not called as a layer": "not called as a layer",
    "the network's own code": "width fixed in code",
    "is one inseparable channel": "shuffled into one",
    "meets padding": "padded shortcut",
    "is averaged": "norm of responses",
    "reaches the output": "an output",
}
"""What a reason contains -> how the table says it, the first that applies."""


def row(architecture: Architecture, proof: Proof) -> list[str]:
    """Return the cells of an architecture's row; all but the last are the same on every machine."""
    counts, rounded = proof.removal.counts, proof.rounded.counts
    sets = [found for found in proof.removal.couplings if found.are_heads is (architecture.group == "head")]
    reasons = Counter(
        next((short for part, short in REASONS.items() if part in refusal.reason), refusal.reason)
        for refusal in proof.refusals
    )
    return [
        architecture.name,
        architecture.group,
        f"{sum(found.channels for found in sets):,} in {len(sets)}",
        f"{1 - counts.parameters_after / counts.parameters_before:.1%}",
        f"{1 - rounded.parameters_after / counts.parameters_before:.1%}",
        ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "none",
        f"{proof.difference:.0e}",
    ]
