"""Detectors are torchvision's own on a source's layers; what they keep of the source, and what is refused."""

import copy
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.ssd import SSD
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import place_in, placed
from robust_tickets.models.adaptations.detection.head import DetectionHead
from robust_tickets.models.adaptations.detection.network import DetectionNetwork
from robust_tickets.models.folders import load_folder, save_source
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network, tensors_of
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.shrinking.export import export_onnx
from robust_tickets.shrinking.removal import remove_channels
from robust_tickets.verbs.draw import draw

HEADS = ("fasterrcnn", "retinanet", "fcos", "ssd", "ssdlite")
SIZE = (64, 96)
CLASSES = 3


def source(name: str) -> Source:
    return load_source(SourceSettings(name=name, weights="random"))


def finding(network: Network, size: tuple[int, int] = SIZE, seed: int = 0, **settings: object) -> Network:
    chosen = DetectionHead.model_validate({"width": 64, **settings})
    interface = network.pixels.model_copy(update={"size": size})
    return chosen.adapted(copy.deepcopy(network), CLASSES, interface, seed, "the network")


def targets(*boxes: int) -> list[dict[str, Tensor]]:
    """Return targets with so many boxes in each image."""
    chance = torch.Generator().manual_seed(0)
    made = []
    for count in boxes:
        corners = torch.rand(count, 2, generator=chance) * 40
        sides = 10 + torch.rand(count, 2, generator=chance) * 14
        labels = torch.randint(CLASSES, (count,), generator=chance)
        made.append({"boxes": torch.cat([corners, corners + sides], 1), "labels": labels})
    return made


def images(count: int, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1))


def settled(network: Network) -> Network:
    """Give frozen norms statistics and scales that are not those of a fresh network, and heads some confidence."""
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, tensor in network.body.state_dict().items():
            if name.endswith("running_mean"):
                tensor.normal_(0, 0.2, generator=chance)
            elif name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
                tensor.uniform_(0.5, 1.5, generator=chance)
            elif "cls_logits.bias" in name:
                tensor.zero_()
    return network


FIXED: dict[str, Any] = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}


def of_torchvision(head: str, ours: Network, size: tuple[int, int]) -> Any:
    """Return torchvision's own detector, with its own transform and the same weights."""
    body: Any = copy.deepcopy(ours.body)
    if head.startswith("ssd"):
        settings = {"score_thresh": 0.001, "nms_thresh": 0.55, "detections_per_img": 300, "topk_candidates": 300}
        settings = settings if head == "ssdlite" else {}
        return SSD(
            body.backbone, body.anchor_generator, (size[1], size[0]), CLASSES + 1, head=body.head, **FIXED, **settings
        )
    # The second stage looks at other regions as soon as the first rounds otherwise, so there norms are computed alike.
    network = resnet18(norm_layer=nn.BatchNorm2d if head == "fasterrcnn" else FrozenBatchNorm2d)
    sides = {"min_size": min(size), "max_size": max(size)}
    if head == "fasterrcnn":
        theirs: Any = FasterRCNN(_resnet_fpn_extractor(network, 5), CLASSES + 1, **FIXED, **sides)
    else:
        backbone = _resnet_fpn_extractor(network, 5, [2, 3, 4], LastLevelP6P7(256, 256))
        theirs = {"retinanet": RetinaNet, "fcos": FCOS}[head](backbone, CLASSES, **FIXED, **sides)
    theirs.load_state_dict(ours.body.state_dict())
    return theirs


@pytest.mark.parametrize("size", [(128, 160), (120, 150)])
@pytest.mark.parametrize("head", HEADS)
def test_losses_and_detections_are_torchvisions_own(head: str, size: tuple[int, int]) -> None:
    ours = settled(finding(source("torchvision/resnet18").network, size, head=head, width=256))
    theirs = of_torchvision(head, ours, size)
    shift = int(head in ("fasterrcnn", "ssd", "ssdlite"))
    wanted, x = targets(3, 0), images(2, size)
    shifted = [{**one, "labels": one["labels"] + shift} for one in wanted]
    theirs.train()
    ours.train()
    theirs.transform.eval()  # it would draw the size of every image, of which there is but one to choose from
    if head == "fasterrcnn":
        theirs.backbone.body.eval()
    torch.manual_seed(0)
    expected = theirs(list(x), shifted)
    torch.manual_seed(0)
    losses = ours.body(x).losses(wanted)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name], atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        found, expected = ours.eval().body(x).detections(), theirs.eval()(list(x))
    assert sum(len(one["boxes"]) for one in found) > 20
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one["scores"], other["scores"], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(one["boxes"], other["boxes"], atol=1e-3, rtol=1e-4)
        assert torch.equal(one["labels"] + shift, other["labels"])
        assert {0, 1, 2}.issuperset(one["labels"].tolist())


BACKBONES = ("torchvision/resnet18", "torchvision/mobilenet_v3_small", "timm/resnet18", "timm/mobilenetv3_small_050")


@pytest.mark.parametrize(
    ("name", "head"),
    [
        *product(BACKBONES, HEADS),
        *product(("torchvision/mobilenet_v2", "small/resnet18", "cifar/resnet20", "demo/resnet4"), ("fcos",)),
    ],
)
def test_masks_land_on_the_sources_own_weights(name: str, head: str) -> None:
    network = source(name).network
    adapted = finding(network, head=head)
    assert isinstance(adapted.body, DetectionNetwork)
    state, before = adapted.plain_state(), network.plain_state()
    fresh = tuple(f"{path}." for path in adapted.body.fresh)
    found = 0
    for weight in prunable_weights(network):
        place = place_in(adapted.body, weight)
        assert not place.startswith(fresh)
        if place in state:
            found += 1
            assert torch.equal(state[place], before[weight])
        else:
            # What a classifier has behind its last feature map is not in a detector, and its ticket is refused.
            with pytest.raises(UserError, match=f"the ticket masks {weight} .*, which is not there"):
                placed({weight: before[weight] != 0}, adapted.body)
    assert found >= 8


@pytest.mark.parametrize("head", HEADS)
def test_the_losses_reach_every_weight_and_each_images_own_adds_up(head: str) -> None:
    adapted = settled(finding(source("torchvision/resnet18").network, head=head)).train()
    outputs = adapted(images(2))
    sum(outputs.losses(targets(3, 2)).values()).backward()
    still = {name for name, value in adapted.body.named_parameters() if value.requires_grad and value.grad is None}
    assert not still
    alone = adapted(images(2)).per_image(targets(3, 2))
    assert alone.shape == (2,)
    assert torch.equal(alone, adapted(images(2)).per_image(targets(3, 2))), (
        "an attack must meet one loss, not a random one"
    )


def test_frozen_norms_neither_learn_nor_follow_batches() -> None:
    adapted = finding(source("torchvision/resnet18").network, frozen_norm=True).train()
    free = finding(source("torchvision/resnet18").network, frozen_norm=False).train()
    before = {name: value.clone() for name, value in adapted.plain_state().items()}
    for network, follows in ((adapted, False), (free, True)):
        network(images(2)).losses(targets(2, 1))
        changed = [name for name, value in network.plain_state().items() if not torch.equal(value, before[name])]
        assert any(name.endswith("running_mean") for name in changed) == follows
    norms = [name for name, value in adapted.body.named_parameters() if not value.requires_grad]
    assert len(norms) == 40
    assert all(".bn" in name or ".downsample.1" in name for name in norms)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("timm/vit_tiny_patch16_224", "the network cannot find objects: all its maps have one stride, 16"),
        ("resnet2b", "the network cannot find objects: it has neither forward_intermediates nor features"),
    ],
)
def test_networks_without_levels_are_refused_by_name(name: str, complaint: str) -> None:
    network = source(name).network
    with pytest.raises(UserError, match=complaint) as caught:
        finding(network, size=(224, 224) if name.startswith("timm") else SIZE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("head", HEADS)
def test_a_folder_brings_the_detector_back(head: str, tmp_path: Path) -> None:
    before = source("demo/resnet4")
    adapted = settled(finding(before.network, head=head)).eval()
    kept = DetectionHead.model_validate({"width": 64, "head": head})
    save_source(adapted, before.identity.model_copy(update={"adaptation": kept}), tmp_path)
    loaded, identity = load_folder(tmp_path)
    assert identity.adaptation == kept
    with torch.no_grad():
        for ours, theirs in zip(adapted(images(2)).detections(), loaded.eval()(images(2)).detections(), strict=True):
            assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("head", HEADS)
def test_channels_are_removed_where_that_changes_nothing(head: str) -> None:
    before = source("demo/resnet4")
    ticket = draw(before, sparsity=0.3, group="channel", scope="layer")
    adapted = settled(finding(before.network, head=head, frozen_norm=False)).eval()
    masks = placed(ticket.masks, adapted.body)
    MaskApplier(dict(adapted.body.named_parameters()), masks).apply_to_weights()
    with torch.no_grad():
        expected = tensors_of(adapted, images(2))
        removal = remove_channels(adapted.body, masks, images(1))
        assert removal.counts.channels_removed
        shrunk = Network(removal.body, adapted.interface, adapted.head)
        for name, value in tensors_of(shrunk, images(2)).items():
            torch.testing.assert_close(value, expected[name], atol=1e-4, rtol=1e-3)


def test_a_detector_that_has_hardly_been_trained_is_exported_at_a_size_that_no_stride_divides(tmp_path: Path) -> None:
    network = finding(source("demo/resnet4").network, (37, 53), head="retinanet", frozen_norm=False).eval()
    with torch.no_grad():
        scores = network(images(2, (37, 53))).scores()
    assert scores.std() < 1e-2 * scores.mean()
    assert export_onnx(network, tmp_path / "model.onnx") < 1e-4
