"""Backbones without a head, names of well-known code, and what is said of weights that do not fit."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.folders import load_folder, save_source
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from tests.models.test_formats import behind, load, network_state
from tests.shared_data import SHARED


def saved(content: Any, folder: Path, name: str, **settings: Any) -> Source:
    torch.save(content, folder / "net.pt")
    return load_source(SourceSettings.model_validate({"name": name, "weights": str(folder / "net.pt"), **settings}))


def headless(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}


def test_a_backbone_loads_with_a_random_head_and_says_so(tmp_path: Path) -> None:
    torch.save({"state_dict": behind("backbone.", headless(network_state()))}, tmp_path / "net.pt")
    source = load(tmp_path / "net.pt")
    assert source.identity.headless
    assert any(
        note == "head: the weights came without fc; it is random until a transfer trains it"
        for note in source.identity.notes
    )
    assert load(tmp_path / "net.pt").identity.digest == source.identity.digest
    assert torch.equal(source.network.plain_state()["conv5.0.weight"], network_state()["conv5.0.weight"])
    with pytest.raises(UserError, match="head: keep: the weights came without a head"):
        source.network.require_head("head: keep")
    save_source(source.network, source.identity, tmp_path / "kept")
    assert load_folder(tmp_path / "kept")[0].headless
    assert load_source(tmp_path / "kept").network.headless
    assert load_source(source.network).identity.headless
    source.network.reset_head(3, seed=0)
    source.network.require_head("head: keep")
    assert not save_source(source.network, source.identity, tmp_path / "trained").headless


def test_the_layers_of_a_projector_are_no_head(tmp_path: Path) -> None:
    mlp = {"fc.0.weight": torch.ones(8, 1024), "fc.0.bias": torch.ones(8), "fc.2.weight": torch.ones(4, 8)}
    moco = behind("module.encoder_q.", {**headless(network_state()), **mlp}) | {"module.queue": torch.ones(4, 9)}
    torch.save({"state_dict": moco, "arch": "shufflenet"}, tmp_path / "net.pt")
    assert load(tmp_path / "net.pt").identity.headless


def test_a_layer_missing_inside_is_no_missing_head(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in network_state().items() if name != "conv5.0.weight"}
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(UserError, match=r"does not fit .*: conv5\.0 is missing; only the head, fc, may be"):
        load(tmp_path / "net.pt")


class KuangliuBlock(nn.Module):
    """A basic block or bottleneck of kuangliu/pytorch-cifar, models/resnet.py, as published."""

    def __init__(self, in_planes: int, planes: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        self.expansion = 4 if bottleneck else 1
        if bottleneck:
            self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=1, bias=False)
            self.bn1 = nn.BatchNorm2d(planes)
            self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(planes)
            self.conv3 = nn.Conv2d(planes, 4 * planes, kernel_size=1, bias=False)
            self.bn3 = nn.BatchNorm2d(4 * planes)
        else:
            self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(planes)
            self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        out = self.expansion * planes
        if stride != 1 or in_planes != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, out, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        if self.expansion == 4:
            out = F.relu(self.bn2(self.conv2(out)))
            out = self.bn3(self.conv3(out))
        else:
            out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class Kuangliu(nn.Module):
    """ResNet of kuangliu/pytorch-cifar."""

    def __init__(self, counts: tuple[int, ...], bottleneck: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        entering = 64
        for stage, count in enumerate(counts):
            planes, blocks = 64 * 2**stage, []
            for index in range(count):
                blocks.append(KuangliuBlock(entering, planes, 2 if stage and not index else 1, bottleneck))
                entering = planes * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(entering, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            out = stage(out)
        out = F.avg_pool2d(out, 4)
        return self.linear(out.view(out.size(0), -1))


def with_statistics(network: nn.Module) -> nn.Module:
    """Return the network with batch-norm statistics that are not those of a fresh one."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


@pytest.mark.parametrize(("depth", "counts", "bottleneck"), [(18, (2, 2, 2, 2), False), (50, (3, 4, 6, 3), True)])
def test_kuangliu_resnets_are_our_small_ones(
    tmp_path: Path, depth: int, counts: tuple[int, ...], bottleneck: bool
) -> None:
    network = with_statistics(Kuangliu(counts, bottleneck))
    content = {"net": behind("module.", network.state_dict()), "acc": 95.1, "epoch": 3}
    source = saved(content, tmp_path, f"small/resnet{depth}")
    assert source.identity.format == "DataParallel state dict (module.*), names of kuangliu/pytorch-cifar"
    assert source.identity.preprocessing.std == (0.2023, 0.1994, 0.2010)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(source.network.body.eval()(images), network(images), rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match=f"it fits small/resnet{depth}; name that as the source"):
        saved(content, tmp_path, "torchvision/resnet18")


def lukemelas(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return timm's EfficientNet under the names of lukemelas/EfficientNet-PyTorch."""
    blocks = sorted({tuple(map(int, name.split(".")[1:3])) for name in state if name.startswith("blocks.")})
    outside = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    squeeze = {"se.conv_reduce": "_se_reduce", "se.conv_expand": "_se_expand"}
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    rest = {
        "conv_pw": "_expand_conv",
        "bn1": "_bn0",
        "conv_dw": "_depthwise_conv",
        "bn2": "_bn1",
        "conv_pwl": "_project_conv",
        "bn3": "_bn2",
    }
    found = {}
    for name, tensor in state.items():
        layer, _, leaf = name.rpartition(".")
        if name.startswith("blocks."):
            _, stage, block, inner = layer.split(".", 3)
            names = (first if stage == "0" else rest) | squeeze
            found[f"_blocks.{blocks.index((int(stage), int(block)))}.{names[inner]}.{leaf}"] = tensor
        else:
            found[f"{outside[layer]}.{leaf}"] = tensor
    return found


def test_lukemelas_efficientnets_are_timms_with_tensorflows_padding(tmp_path: Path) -> None:
    network = with_statistics(timm.create_model("tf_efficientnet_b0", num_classes=4))
    state = lukemelas(network.state_dict())
    assert "_blocks.15._project_conv.weight" in state
    source = saved(state, tmp_path, "timm/tf_efficientnet_b0")
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(source.network.body.eval()(images), network(images))
    with pytest.raises(UserError, match=r"pads as TensorFlow does; take timm's tf_efficientnet_\*"):
        saved(state, tmp_path, "timm/efficientnet_b0")
    with pytest.raises(UserError, match="it fits timm/tf_efficientnet_b0; name that as the source"):
        saved(state, tmp_path, "torchvision/efficientnet_b0")


@pytest.mark.slow
@pytest.mark.parametrize("size", ["b0", "b1"])
def test_lukemelas_own_package_computes_the_same(tmp_path: Path, size: str) -> None:
    package = pytest.importorskip("efficientnet_pytorch", reason="needs efficientnet_pytorch 0.7.1")
    network = with_statistics(package.EfficientNet.from_name(f"efficientnet-{size}", num_classes=4))
    source = saved(network.state_dict(), tmp_path, f"timm/tf_efficientnet_{size}")
    images = torch.rand(1, 3, *source.identity.preprocessing.size)
    with torch.no_grad():
        torch.testing.assert_close(source.network.body.eval()(images), network(images), rtol=1e-4, atol=1e-4)


ONES = torch.ones(3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            timm.create_model("vit_tiny_patch16_224", num_classes=0).state_dict(),
            "it fits timm/vit_tiny_patch16_224 without head; name that as the source",
        ),
        (
            OrderedDict(behind("student.", models.mobilenet_v2(num_classes=3).state_dict())),
            "it fits torchvision/mobilenet_v2; name that as the source",
        ),
        ({"backbone.bottom_up.res2.0.conv1.norm.weight": ONES, "roi_heads.a": ONES}, "it looks like detectron2 names"),
        ({"backbone.conv1.weight": ONES, "bbox_head.fc.weight": ONES}, "it looks like an OpenMMLab checkpoint"),
        ({"conv1/kernel:0": ONES, "bn1/gamma:0": ONES}, "it looks like Keras or TensorFlow names; convert"),
        ({"params.stem.kernel": ONES, "params.stem.bias": ONES}, "it looks like Flax names"),
        ({"layer.lora_A.weight": ONES, "layer.lora_B.weight": ONES}, "it looks like a LoRA adapter; merge it"),
        ({"fc._packed_params.dtype": ONES, "conv.zero_point": ONES}, "it looks like quantised weights"),
        ({"_fsdp_wrapped_module._flat_param": ONES}, "it looks like an FSDP checkpoint with flattened parameters"),
        ({"vit.encoder.layer.0.output.dense.weight": ONES}, "it looks like Hugging Face transformers names"),
        ({"visual.transformer.resblocks.0.ln_1.weight": ONES}, "it looks like a CLIP model"),
        ({"model.0.conv.weight": ONES, "model.2.cv1.conv.weight": ONES}, "it looks like an Ultralytics YOLO model"),
        ({"momentum_buffer": ONES}, "it looks like the state of an optimizer"),
        (
            {"state": {0: {"exp_avg": ONES}}, "param_groups": [{"lr": 0.1}]},
            "is the state of an optimizer, not of a net",
        ),
        ({"optimizer": {"state": {}, "param_groups": []}}, "contains only optimizer states"),
    ],
)
def test_what_does_not_fit_is_named_for_what_it_is(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(UserError) as caught:
        saved(content, tmp_path, "torchvision/resnet18")
    assert said in str(caught.value)
    assert "102 missing" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(SHARED is None, reason="needs the real data sets (set ROBUST_TICKETS_DATA)")
def test_a_published_file_behind_other_entries(tmp_path: Path) -> None:
    assert SHARED is not None
    published = read_checkpoint(SHARED / "weights" / "resnet20-12fca82f.th")
    source = saved({"model_ema": None, **published}, tmp_path, "cifar/resnet20")
    plain = load_source(SourceSettings(name="cifar/resnet20", weights=str(SHARED / "weights" / "resnet20-12fca82f.th")))
    assert source.identity.digest == plain.identity.digest
