"""The papers' networks have the published shapes, names and sizes."""

import pytest
import torch

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.registry import available
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source


def body(name: str, **settings: object) -> torch.nn.Module:
    return load_source(SourceSettings.model_validate({"name": name, "weights": "random", **settings})).network.body


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "millions"), [("resnet20", 0.27), ("resnet32", 0.46), ("resnet44", 0.66), ("resnet56", 0.85)]
)
def test_cifar_resnets_have_the_papers_sizes(name: str, millions: float) -> None:
    assert count(body(f"cifar/{name}")) / 1e6 == pytest.approx(millions, abs=0.006)


def test_option_b_projects_shortcuts_and_option_a_has_no_parameters() -> None:
    plain, projected = body("cifar/resnet20"), body("cifar/resnet20-b")
    extra = projected.state_dict().keys() - plain.state_dict().keys()
    assert {name.rpartition(".")[0] for name in extra} == {
        "layer2.0.shortcut.0",
        "layer2.0.shortcut.1",
        "layer3.0.shortcut.0",
        "layer3.0.shortcut.1",
    }


def test_option_a_shortcut_subsamples_and_pads_channels_on_both_sides() -> None:
    shortcut = body("cifar/resnet20").get_submodule("layer2.0.shortcut")
    x = torch.rand(1, 16, 8, 8)
    out = shortcut(x)
    assert out.shape == (1, 32, 4, 4)
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2])
    assert out[:, :8].abs().sum() == 0
    assert out[:, 24:].abs().sum() == 0


def test_small_resnets_have_torchvisions_names_and_keep_resolution() -> None:
    small = body("small/resnet18")
    large = body("torchvision/resnet18", num_classes=10)
    assert small.state_dict().keys() == large.state_dict().keys()
    assert count(large) - count(small) == 64 * 3 * (49 - 9)
    stem = torch.nn.Sequential(*list(small.children())[:4])
    assert stem(torch.rand(1, 3, 32, 32)).shape == (1, 64, 32, 32)


def test_width_factor_scales_every_stage() -> None:
    assert body("cifar/resnet8-x2").get_submodule("linear").in_features == 128
    assert body("small/resnet50-x0.25").get_submodule("fc").in_features == 512


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(
    "name",
    ["cifar/resnet8", "small/resnet18-x0.125", "demo/resnet4", "resnet2b", "cnn-a", "supernet/hr4-1", "timm/resnet10t"],
)
def test_any_number_of_input_channels(name: str, channels: int) -> None:
    source = load_source(SourceSettings(name=name, weights="random", in_channels=channels, num_classes=3))
    assert source.identity.preprocessing.channels == channels
    height, width = source.identity.preprocessing.size
    assert source.network.eval()(torch.rand(2, channels, height, width)).shape == (2, 3)


def test_a_module_of_a_size_that_no_list_has_is_taken_as_it_is() -> None:
    source = load_source(SourceSettings(name="supernet/hr2-1", weights="random", in_channels=1, num_classes=3))
    again = load_source(source.network)
    assert again.identity.digest == source.identity.digest
    assert again.identity.name == "robust_tickets.models.networks.supernet:Supernet"


def test_depth_and_width_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UserError, match="6n \\+ 2"):
        body("cifar/resnet21")
    with pytest.raises(UserError, match="width factor"):
        body("cifar/resnet20-x1.2.3")
    with pytest.raises(UserError, match="leaves no channel"):
        body("cifar/resnet20-x0.001")


def test_random_weights_follow_their_seed() -> None:
    def digest(seed: int) -> str:
        return load_source(SourceSettings(name="demo/resnet4", weights="random", seed=seed)).identity.digest

    assert digest(1) == digest(1) != digest(2)


def test_names_are_listed_by_prefix() -> None:
    assert "cifar/resnet20" in available("cifar/")
    assert "timm/resnet18" in available("timm/resnet")
    assert "torchvision/squeezenet1_1" in available("torchvision/")
    assert not [name for name in available("torchvision/") if "fcn" in name or "rcnn" in name]
