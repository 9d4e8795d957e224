"""Sources come from names, folders, functions and modules; what is wrong is told in one line."""

import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.folders import load_folder, save_source
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source

FUNCTIONS = """
import helper
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3)
        self.out = nn.Linear(width, 2)
    def forward(self, x):
        return self.out(self.stem(x).mean((2, 3)))

def plain():
    return Net()

def stated():
    net = Net(helper.WIDTH)
    net.preprocessing = {"mean": [0.5] * 3, "std": [0.25] * 3, "size": 24}
    return net

def needs(width):
    return Net(width)

def text():
    return "net"
"""


def load(name: str, **settings: Any) -> Source:
    return load_source(SourceSettings.model_validate({"name": name, **settings}))


@pytest.fixture
def user_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mynets.py").write_text(FUNCTIONS)
    (tmp_path / "helper.py").write_text("WIDTH = 6\n")
    monkeypatch.chdir(tmp_path)
    for module in ("mynets", "helper"):
        monkeypatch.delitem(__import__("sys").modules, module, raising=False)


class Tiny(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.out = nn.Linear(4, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.stem(x).mean((2, 3)))


@pytest.mark.parametrize(
    "name",
    ["timm/resnet10t", "torchvision/squeezenet1_1", "cifar/resnet8-b", "small/resnet18-x0.25", "cnn-a"],
)
def test_a_saved_network_comes_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    source = load(name, weights="random", num_classes=4, preprocessing={"size": 64})
    source.network.reset_head(3, seed=1)
    identity = save_source(source.network, source.identity, tmp_path / "net")
    back = load_source(tmp_path / "net")
    assert back.identity == identity
    assert identity.num_classes == 3
    assert identity.digest != source.identity.digest
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(back.network.eval()(images), source.network.eval()(images))
    assert load_source(back.settings).identity == identity


def test_fixed_input_sizes_survive_a_folder(tmp_path: Path) -> None:
    source = load("timm/vit_tiny_patch16_224", weights="random", preprocessing={"size": 32}, num_classes=2)
    save_source(source.network, source.identity, tmp_path / "net")
    assert load_source(tmp_path / "net").network(torch.rand(1, 3, 32, 32)).shape == (1, 2)


@pytest.mark.parametrize("name", ["torchvision/googlenet", "torchvision/vit_b_32"])
def test_networks_that_are_told_more_survive_a_folder(tmp_path: Path, name: str) -> None:
    source = load(name, weights="random", preprocessing={"size": 96}, num_classes=2)
    save_source(source.network, source.identity, tmp_path / "net")
    images = torch.rand(2, 3, 96, 96)
    assert torch.equal(load_source(tmp_path / "net").network.eval()(images), source.network.eval()(images))
    assert source.network.train()(images).shape == (2, 2)


def test_an_altered_or_incomplete_folder_is_refused(tmp_path: Path) -> None:
    source = load("demo/resnet4", weights="random")
    other = load("demo/resnet4", weights="random", seed=1)
    save_source(source.network, source.identity, tmp_path / "net")
    save_source(other.network, other.identity, tmp_path / "other")
    (tmp_path / "other" / "weights.safetensors").replace(tmp_path / "net" / "weights.safetensors")
    with pytest.raises(UserError, match=r"weights\.safetensors was altered"):
        load_source(tmp_path / "net")
    (tmp_path / "net" / "weights.safetensors").unlink()
    with pytest.raises(UserError, match="no such file"):
        load_source(tmp_path / "net")
    (tmp_path / "net" / "source.json").write_text('{"name": "demo/resnet4"}')
    with pytest.raises(UserError, match=r"source.json.weights: is missing"):
        load_source(tmp_path / "net")


def test_saving_is_cut_off_before_the_facts_or_after_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = load("demo/resnet4", weights="random")
    folder = tmp_path / "net"
    save_source(source.network, source.identity, folder)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("robust_tickets.models.folders.write_json", killed)
    source.network.reset_head(3, seed=0)
    with pytest.raises(KeyboardInterrupt):
        save_source(source.network, source.identity, folder)
    with pytest.raises(UserError, match=r"folder without source\.json"):
        load_source(folder)


def test_a_saved_network_brings_its_own_settings(tmp_path: Path) -> None:
    source = load("demo/resnet4", weights="random")
    save_source(source.network, source.identity, tmp_path / "net")
    with pytest.raises(UserError, match="num_classes: a saved network brings its own"):
        load(str(tmp_path / "net"), num_classes=3)
    changed = load(str(tmp_path / "net"), preprocessing={"mean": [0, 0, 0]})
    assert changed.identity.preprocessing.mean == (0, 0, 0)
    assert changed.identity.preprocessing.std == source.identity.preprocessing.std
    assert load_source(changed.settings).identity == changed.identity


@pytest.mark.usefixtures("user_code")
def test_a_users_function_is_found_in_the_current_folder() -> None:
    source = load_source("mynets:stated")
    assert source.identity.name == "mynets:stated"
    assert source.identity.preprocessing == Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(24, 24))
    assert source.identity.num_classes == 2
    assert source.network.body.get_submodule("stem").out_channels == 6


@pytest.mark.usefixtures("user_code")
def test_a_users_function_loads_files_with_any_head(tmp_path: Path) -> None:
    state = Tiny(5).state_dict()
    state["stem.weight"] = torch.rand(4, 3, 3, 3)
    torch.save(state, tmp_path / "net.pt")
    source = load("mynets:plain", weights="net.pt", preprocessing={"mean": [0] * 3, "std": [1] * 3, "size": 8})
    assert source.identity.num_classes == 5
    assert source.identity.format == "plain state dict"
    assert load_source(source.settings).identity == source.identity


@pytest.mark.usefixtures("user_code")
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("mynets:plain", "it is unknown how its inputs were normalised"),
        ("mynets:plane", "mynets has no 'plane'; near: plain"),
        ("mynets:needs", "must be callable without arguments"),
        ("mynets:text", "returned a str"),
        ("yournets:plain", "no module 'yournets'"),
    ],
)
def test_mistakes_in_a_users_function_are_told(name: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        load_source(name)


@pytest.mark.usefixtures("user_code")
def test_errors_inside_a_users_module_are_the_users_to_see(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import no_such_package_anywhere\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_package_anywhere"):
        load_source("broken:net")


@pytest.mark.usefixtures("user_code")
def test_a_folder_never_runs_a_users_code_by_itself(tmp_path: Path) -> None:
    source = load_source("mynets:stated")
    source.network.reset_head(3, seed=0)
    identity = save_source(source.network, source.identity, tmp_path / "net")
    with pytest.raises(UserError, match=r"which a file does not contain; give `name: mynets:stated`"):
        load_source(tmp_path / "net")
    named = load("mynets:stated", weights=str(tmp_path / "net"))
    assert named.identity == identity
    alike = load_source(tmp_path / "net", like=source.network)
    assert alike.identity == identity
    assert load_source(alike.settings).identity == identity


def test_a_module_at_hand_is_a_source() -> None:
    assumed = load_source(Tiny(3))
    assert assumed.identity.preprocessing == Pixels(mean=(0.0,), std=(1.0,), size=(224, 224))
    assert assumed.identity.notes == ("preprocessing: not given; mean 0, std 1 and 224 x 224 assumed",)
    stated = load_source(Tiny(3), preprocessing=Pixels(mean=(0.5,), std=(0.5,), size=(28, 28)))
    assert stated.identity.notes == ()
    assert stated.identity.preprocessing.size == (28, 28)
    with pytest.raises(UserError, match="mean has 3 channels"):
        load_source(Tiny(3), preprocessing=Pixels(mean=(0.5,) * 3, std=(0.5,) * 3, size=(28, 28)))
    assert load_source(stated) is stated


def test_a_module_without_convolutions_has_to_state_its_channels() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with pytest.raises(UserError, match="no convolution shows how many channels it reads"):
        load_source(network)
    stated = load_source(network, preprocessing=Pixels(mean=(0.5,), std=(0.5,), size=(28, 28)))
    assert stated.network(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_library_modules_at_hand_are_recognised_and_come_back_from_folders(tmp_path: Path) -> None:
    networks = {
        "torchvision/squeezenet1_1": models.squeezenet1_1(num_classes=3),
        "torchvision/resnet18": models.resnet18(num_classes=3),
        "timm/resnet10t": timm.create_model("resnet10t", num_classes=3, in_chans=1),
        "cifar/resnet8": load("cifar/resnet8", weights="random").network.body,
    }
    for name, body in networks.items():
        assert load_source(body, preprocessing=None if name != "timm/resnet10t" else GREY).identity.name == name
    source = load_source(networks["torchvision/resnet18"])
    save_source(source.network, source.identity, tmp_path / "net")
    assert load_folder(tmp_path / "net")[1].digest == source.identity.digest


GREY = Pixels(mean=(0.5,), std=(0.5,), size=(64, 64))


def test_a_changed_library_module_is_not_taken_for_the_librarys() -> None:
    body = models.resnet18(num_classes=3)
    body.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    assert load_source(body).identity.name == "torchvision.models.resnet:ResNet"


def test_libraries_preprocessing_is_taken_over() -> None:
    recorded = load("timm/resnet10t", weights="random").identity.preprocessing
    assert recorded.interpolation == "bicubic"
    assert recorded.size == (176, 176)
    transforms = models.Inception_V3_Weights.DEFAULT.transforms()
    found = load("torchvision/inception_v3", weights="random").identity.preprocessing
    assert found.size == (299, 299)
    assert found.crop_fraction == pytest.approx(299 / 342)
    assert found.mean == tuple(transforms.mean)


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        ("cifr/resnet20", {}, "unknown network 'cifr/resnet20'; similar: cifar/resnet20"),
        ("timm/resnet18.a9_in1k", {}, "similar: timm/resnet18.a1_in1k"),
        ("torchvision/resnet17", {}, "similar: torchvision/resnet1"),
        ("torchvision/fcn_resnet50", {}, "unknown network"),
        ("cifar/resnet20", {}, "comes without weights"),
        ("torchvision/resnet18", {"weights": "nowhere.pt"}, r"neither a file nor pretrained.*IMAGENET1K_V1"),
        (
            "demo/resnet4",
            {"weights": "random", "preprocessing": {"mean": [0.5], "std": [1, 1]}},
            "mean has 1 channels and std",
        ),
        ("demo/resnet4", {"weights": "random", "head": "linear"}, "'linear' is not a module"),
    ],
)
def test_mistakes_are_told_in_one_line(name: str, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        load(name, **settings)
    assert "\n" not in str(caught.value)


def test_a_file_or_a_foreign_folder_is_not_a_name(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    torch.save(models.resnet18().state_dict(), file)
    with pytest.raises(UserError, match="give the architecture as the name, and the file as `weights"):
        load_source(file)
    with pytest.raises(UserError, match=r"folder without source\.json"):
        load_source(tmp_path)


def test_pretrained_networks_bring_classes_and_channels(tmp_path: Path) -> None:
    made = load("demo/resnet4", weights="random", num_classes=7)
    torch.save(made.network.plain_state(), tmp_path / "net.pt")
    with pytest.raises(UserError, match="num_classes: demo/resnet4 has 7 classes, not 3; leave it out"):
        load("demo/resnet4", weights=str(tmp_path / "net.pt"), num_classes=3)
    with pytest.raises(UserError, match="in_channels: demo/resnet4 reads 3 channels, not 1"):
        load("demo/resnet4", weights=str(tmp_path / "net.pt"), in_channels=1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("timm/resnet10t", r"\(HF_HUB_OFFLINE is set\)"), ("torchvision/squeezenet1_1", r"\([^)]* error [^)]*\)")],
)
def test_offline_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=rf"neither cached nor reachable {reason}; .*`weights: path/to/file`"):
        load_source(name)


def test_cached_weights_load_through_the_librarys_own_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    state = models.squeezenet1_1().state_dict()
    torch.save(state, cache / weights.url.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    source = load("torchvision/squeezenet1_1", weights="IMAGENET1K_V1")
    assert source.identity.weights == "IMAGENET1K_V1"
    assert source.identity.format == "torchvision pretrained"
    assert torch.equal(source.network.plain_state()["features.0.weight"], state["features.0.weight"])


def test_saved_weights_are_plain_safetensors(tmp_path: Path) -> None:
    source = load("demo/resnet4", weights="random")
    save_source(source.network, source.identity, tmp_path)
    assert read_checkpoint(tmp_path / "weights.safetensors").keys() == source.network.body.state_dict().keys()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (nn.Linear, "Linear: is a class; give an instance of it, as in Linear()"),
        (nn.Linear(2, 2).state_dict(), "OrderedDict: a mapping is not a network; load it into one"),
        (None, "source: should be a name, a path or a torch module (got None)"),
        (3, "source: should be a name, a path or a torch module (got 3)"),
    ],
)
def test_what_is_no_source_is_named_for_what_it_is(given: Any, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        load_source(given)
