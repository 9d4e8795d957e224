"""A classifier normalises inside, keeps plain names, and survives what torch does to modules."""

import copy

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source

COLOUR = Pixels(mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.3), size=(32, 32))


def demo(seed: int = 0) -> Network:
    return load_source(SourceSettings(name="demo/resnet4", weights="random", seed=seed)).network.eval()


def test_normalises_images_in_the_unit_range() -> None:
    body = models.squeezenet1_1(num_classes=5).eval()
    images = torch.rand(2, 3, 64, 64)
    mean, std = torch.tensor(COLOUR.mean)[:, None, None], torch.tensor(COLOUR.std)[:, None, None]
    classifier = Network(body, COLOUR, "classifier.1").eval()
    torch.testing.assert_close(classifier(images), body((images - mean) / std))


def test_state_is_the_plain_architectures() -> None:
    body = models.resnet18(num_classes=5)
    classifier = Network(body, COLOUR, "fc")
    assert classifier.plain_state().keys() == body.state_dict().keys()
    assert {name.removeprefix("body.") for name in classifier.state_dict()} == body.state_dict().keys()


def test_plain_state_is_a_contiguous_copy() -> None:
    classifier = demo().to(memory_format=torch.channels_last)
    state = classifier.plain_state()
    assert all(tensor.is_contiguous() for tensor in state.values())
    state["conv1.weight"].zero_()
    assert classifier.body.state_dict()["conv1.weight"].abs().sum() > 0


def test_features_are_what_enters_the_head() -> None:
    classifier, images = demo(), torch.rand(3, 3, 16, 16)
    features = classifier.features(images)
    assert features.shape == (3, 128)
    torch.testing.assert_close(classifier.body.get_submodule("fc")(features), classifier(images))
    assert not classifier.body.get_submodule("fc")._forward_pre_hooks


def test_features_of_a_convolutional_head_are_not_pooled() -> None:
    classifier = Network(models.squeezenet1_1(), COLOUR, "classifier.1").eval()
    assert classifier.features(torch.rand(1, 3, 64, 64)).shape == (1, 512, 3, 3)


@pytest.mark.parametrize(
    ("body", "head"),
    [
        (models.resnet18(), "fc"),
        (models.squeezenet1_1(), "classifier.1"),
        (models.mobilenet_v2(), "classifier.1"),
        (models.vgg11(), "classifier.6"),
        (models.vit_b_32(), "heads.head"),
        (timm.create_model("resnet18"), "fc"),
        (timm.create_model("vit_tiny_patch16_224"), "head"),
        (timm.create_model("convnext_atto"), "head.fc"),
    ],
)
def test_head_is_found_and_replaced(body: nn.Module, head: str) -> None:
    classifier = load_source(body, preprocessing=COLOUR.model_copy(update={"size": (224, 224)})).network.eval()
    assert classifier.head == head
    assert classifier.num_classes == 1000
    kind = type(body.get_submodule(head))
    classifier.reset_head(7, seed=3)
    assert classifier.num_classes == 7
    assert isinstance(body.get_submodule(head), kind)
    assert getattr(body, "num_classes", 7) == 7
    assert classifier(torch.rand(1, 3, 224, 224)).shape == (1, 7)


def test_fresh_heads_follow_their_seed_and_leave_torch_s_generator_alone() -> None:
    first, second, third = demo(), demo(), demo()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first.reset_head(4, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(9)
    second.reset_head(4, seed=1)
    third.reset_head(4, seed=2)
    heads = [network.plain_state()["fc.weight"] for network in (first, second, third)]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_head_names_near_modules_when_it_is_wrong() -> None:
    with pytest.raises(UserError, match=r"'fcc' is not a module of ResNet; similar: fc"):
        Network(models.resnet18(), COLOUR, "fcc")
    with pytest.raises(UserError, match="'bn1' is a BatchNorm2d"):
        Network(models.resnet18(), COLOUR, "bn1")
    with pytest.raises(UserError, match="at least 2 classes"):
        demo().reset_head(1, seed=0)


def test_copies_share_nothing() -> None:
    classifier = demo()
    twin = copy.deepcopy(classifier)
    twin.reset_head(3, seed=0)
    twin.body.get_parameter("conv1.weight").data.zero_()
    assert classifier.num_classes == 10
    assert classifier.plain_state()["conv1.weight"].abs().sum() > 0


def test_exports_and_runs_functionally() -> None:
    classifier, images = demo(), torch.rand(2, 3, 16, 16)
    exported = torch.export.export(classifier, (images,)).module()
    torch.testing.assert_close(exported(images), classifier(images))
    parameters = {name: torch.zeros_like(value) for name, value in classifier.named_parameters()}
    assert torch.func.functional_call(classifier, parameters, (images,)).abs().sum() == 0
