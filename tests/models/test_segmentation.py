"""Networks that label pixels: whose backbone they have, what they keep of it, and what is refused."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.segmentation import deeplabv3_resnet50

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import placed
from robust_tickets.models.adaptations.segmentation_head import SegmentationHead
from robust_tickets.models.folders import load_folder, save_source
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels, identity_preprocessing
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source

SIZE = (40, 56)


def source(name: str) -> Source:
    return load_source(SourceSettings(name=name, weights="random"))


def sized(classifier: Network, size: tuple[int, int]) -> Pixels:
    return classifier.pixels.model_copy(update={"size": size})


def labelling(classifier: Network, classes: int = 5, seed: int = 0, **settings: object) -> Network:
    chosen = SegmentationHead.model_validate(settings)
    return chosen.adapted(copy.deepcopy(classifier), classes, sized(classifier, SIZE), seed, "the network")


@pytest.mark.parametrize(
    ("name", "head"),
    [
        *(("cifar/resnet8", "deeplabv3"), ("demo/resnet4", "fcn"), ("small/resnet18-x0.25", "fcn")),
        ("supernet/hr4-1", "fcn"),
        *(("torchvision/resnet18", "fcn"), ("torchvision/mobilenet_v3_small", "fcn"), ("timm/resnet10t", "fcn")),
    ],
)
def test_a_backbone_keeps_its_weights_under_their_names(name: str, head: str) -> None:
    whole = source(name).network
    network = labelling(whole, head=head).eval()
    channels = network.interface.channels
    assert network(torch.rand(2, channels, *SIZE)).shape == (2, 5, *SIZE)
    assert network(torch.rand(1, channels, 33, 47)).shape == (1, 5, 33, 47)
    assert (network.num_classes, network.interface.size) == (5, SIZE)
    ours, theirs = network.plain_state(), whole.plain_state()
    kept = [key for key in theirs if f"backbone.{key}" in ours]
    assert all(torch.equal(ours[f"backbone.{key}"], theirs[key]) for key in kept)
    assert {key.split(".")[0] for key in ours} == {"backbone", "classifier"}
    lost = {key.rpartition(".")[0] for key in theirs if f"backbone.{key}" not in ours}
    assert lost == ({"classifier.0", "classifier.3"} if "mobilenet" in name else {whole.head})


def test_the_head_comes_from_its_seed() -> None:
    whole = source("demo/resnet4").network
    one, same, other = (labelling(whole, seed=seed).plain_state() for seed in (1, 1, 2))
    name = "classifier.4.weight"
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])


def resnet(block: type[BasicBlock] | type[Bottleneck]) -> Network:
    torch.manual_seed(0)
    return Network(ResNet(block, [1, 1, 2, 2], num_classes=3), identity_preprocessing(3, (64, 64)), "fc")


def features(network: Network, images: Tensor) -> Tensor:
    network.eval()
    with torch.no_grad():
        return network.features(images)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
@pytest.mark.parametrize("output_stride", [16, 8])
def test_dilation_computes_the_old_features_and_those_between(
    block: type[BasicBlock] | type[Bottleneck], output_stride: int
) -> None:
    whole, images = resnet(block), torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    whole.eval()
    body = whole.body
    assert isinstance(body, ResNet)
    with torch.no_grad():
        stem = body.maxpool(body.relu(body.bn1(body.conv1(images))))
        plain = body.layer4(body.layer3(body.layer2(body.layer1(stem))))
    dense = features(labelling(whole, output_stride=output_stride, head="fcn"), images)
    step = 32 // output_stride
    assert dense.shape[-1] == step * plain.shape[-1]
    torch.testing.assert_close(dense[..., ::step, ::step], plain)


def test_at_stride_8_it_is_torchvisions_own_network() -> None:
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=4).eval()
    ours = labelling(source("torchvision/resnet50").network, classes=4, output_stride=8).eval()
    ours.body.load_state_dict(theirs.state_dict())
    images = torch.rand(1, 3, 65, 49, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours((images * ours.std) + ours.mean), theirs(images)["out"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "settings", "complaint"),
    [
        ("cnn-a", {}, "the network cannot label pixels: it has neither forward_features nor features"),
        ("timm/vit_tiny_patch16_224", {}, r"features have shape \(1, 197, 192\), not \[N, channels, h, w\]"),
        ("timm/resnet10t", {"output_stride": 8}, "output_stride: the network has 32, and only"),
    ],
)
def test_what_cannot_label_pixels_is_refused(name: str, settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        labelling(source(name).network, **settings)
    assert "\n" not in str(caught.value)


def test_channels_in_last_place_are_refused() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Conv2d(3, 12, 3, 2, 1)
            self.fc = nn.Linear(12, 2)

        def forward_features(self, x: Tensor) -> Tensor:
            return self.features(x).permute(0, 2, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.forward_features(x).mean((1, 2)))

    with pytest.raises(UserError, match="cannot label pixels: its features have shape"):
        labelling(Network(Last(), identity_preprocessing(3, (16, 16)), "fc"))


def test_masks_find_their_weights_in_the_backbone_or_are_named() -> None:
    whole = source("cifar/resnet8").network
    network = labelling(whole, head="fcn")
    masks = {name: whole.body.get_parameter(name) > 0 for name in prunable_weights(whole)}
    found = placed(masks, network.body)
    assert list(found) == [f"backbone.{name}" for name in masks]
    assert placed(masks, whole.body) == masks
    with pytest.raises(UserError, match=r"masks linear\.weight of shape \(10, 64\), which is not there"):
        placed({"linear.weight": torch.ones(10, 64, dtype=torch.bool)}, network.body)
    with pytest.raises(UserError, match=r"masks conv1\.weight .* which is of shape \(16, 3, 3, 3\)"):
        placed({"conv1.weight": torch.ones(16, 3, dtype=torch.bool)}, network.body)


def test_a_kept_network_is_read_back_and_its_head_is_not_prunable(tmp_path: Path) -> None:
    origin = source("demo/resnet4")
    network = labelling(origin.network, head="fcn").eval()
    save_source(network, origin.identity, tmp_path)
    loaded, identity = load_folder(tmp_path)
    assert identity.adaptation == SegmentationHead(head="fcn")
    images = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images), network(images))
    assert all(name.startswith("backbone.") for name in prunable_weights(loaded))
