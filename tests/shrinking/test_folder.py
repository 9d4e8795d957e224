"""A shrunken network as a folder: the same network again, from JSON and safetensors, with modules that feel native."""

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.models.layers import weights_by_type
from robust_tickets.shrinking.export import Provenance
from robust_tickets.shrinking.folder import read_origin, write_folder
from robust_tickets.shrinking.removal import remove_channels
from tests.shrinking.networks import channel_masks, classifier

SAID = Provenance(ticket="sha256:1", network="sha256:2", seed=3)


def source_of(name: str, size: int | None) -> rt.Source:
    overrides = {"size": size} if size is not None else {}
    return rt.load_source(rt.SourceSettings(name=name, weights="random", num_classes=4, preprocessing=overrides))


def shrunken(source: rt.Source, sparsity: float = 0.4, group: str = "channel") -> tuple[rt.Network, rt.Network]:
    """Return a network without its least channels, and the same network with zeros in their place."""
    ticket = rt.draw(source, sparsity=sparsity, group=group)
    masked = ticket.subnetwork(source)
    preprocessing = masked.interface
    example = torch.zeros(1, preprocessing.channels, *preprocessing.size)
    removal = remove_channels(masked.body, ticket.masks, example)
    assert removal.counts.channels_removed > 0
    return rt.Network(removal.body, preprocessing, masked.head).eval(), masked.eval()


def images_for(network: rt.Network) -> Tensor:
    preprocessing = network.interface
    return torch.rand(2, preprocessing.channels, *preprocessing.size, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folder") / "small"
    source = source_of("cifar/resnet8", 16)
    small, masked = shrunken(source)
    write_folder(small, masked, source.identity, folder, classes=list("abcd"), provenance=SAID)
    return folder


@pytest.mark.parametrize(
    ("name", "size", "group"),
    [
        ("cifar/resnet8", 16, "channel"),
        ("cnn-a", 16, "channel"),
        ("demo/resnet4", 16, "channel"),
        ("supernet/hr4-1", 16, "channel"),  # parallel depthwise kernels, two resolutions
        ("timm/resnet18", 32, "channel"),
        ("torchvision/mobilenet_v2", 32, "channel"),  # depthwise: groups shrink
        ("timm/mobilenetv3_small_050", 32, "channel"),  # squeeze and excitation
        ("timm/deit_tiny_patch16_224", 224, "head"),
        ("timm/deit_tiny_patch16_224", 224, "neuron"),
        pytest.param("torchvision/vit_b_16", 224, "head", marks=pytest.mark.slow),  # another class computes attention
    ],
)
@torch.no_grad()
def test_the_very_same_network_is_loaded(name: str, size: int, group: str, tmp_path: Path) -> None:
    source = source_of(name, size)
    small, masked = shrunken(source, group=group)
    write_folder(small, masked, source.identity, tmp_path / "small")
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == [
        "origin.json",
        "source.json",
        "weights.safetensors",
    ]
    loaded = rt.load(tmp_path / "small")
    images = images_for(small)
    assert torch.equal(loaded(images), small(images))
    assert repr(loaded.body) == repr(small.body)  # every layer and its hyperparameters
    assert not loaded.training


def test_nothing_about_it_is_special(written: Path) -> None:
    network = rt.load(written)
    images = images_for(network)
    exported = torch.export.export(network, (images,)).module()
    assert torch.allclose(exported(images), network(images), atol=1e-5)
    again = rt.load(written)
    again.load_state_dict(network.state_dict())
    assert next(rt.load(written).half().parameters()).dtype == torch.half
    assert torch.equal(copy.deepcopy(network)(images), network(images))
    network.train()
    network(images).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_timm_makes_a_new_head_of_the_width_that_is_left(tmp_path: Path) -> None:
    source = source_of("timm/resnet18", 32)
    small, masked = shrunken(source)
    write_folder(small, masked, source.identity, tmp_path)
    network = rt.load(tmp_path)
    network.body.reset_classifier(7)  # pyright: ignore[reportCallIssue]
    assert network(images_for(network)).shape == (2, 7)


def test_it_is_a_source_like_any_other(written: Path, tmp_path: Path) -> None:
    ticket = rt.draw(written, sparsity=0.9)
    ticket.save(tmp_path / "ticket")
    found = rt.Ticket.load(tmp_path / "ticket").subnetwork()
    assert torch.equal(found(images_for(found)), ticket.subnetwork()(images_for(found)))
    # Removing channels twice: numbers of both removals are kept.
    source = rt.load_source(written)
    smaller, masked = shrunken(source, 0.3)
    write_folder(smaller, masked, source.identity, tmp_path / "smaller")
    again = rt.load(tmp_path / "smaller")
    assert torch.equal(again(images_for(again)), smaller(images_for(again)))
    before = sum(parameter.numel() for parameter in source.network.parameters())
    assert sum(parameter.numel() for parameter in again.parameters()) < before


def test_it_says_where_it_comes_from(written: Path) -> None:
    origin = read_origin(written)
    assert origin.run == SAID
    assert origin.classes == ("a", "b", "c", "d")


def test_a_networks_own_code_is_given_not_run(tmp_path: Path) -> None:
    masked = classifier()
    source = rt.load_source(masked)
    masks = channel_masks(masked.body, 0.5)
    removal = remove_channels(masked.body, masks, images_for(masked)[:1])
    small = rt.Network(removal.body, masked.interface, masked.head).eval()
    write_folder(small, masked, source.identity, tmp_path)
    with pytest.raises(
        rt.UserError, match=r"is your own code, tests\.shrinking\.networks:Residual, which a file does not contain"
    ):
        rt.load(tmp_path)
    images = images_for(small)
    for like in (classifier(1), classifier(1).body):
        assert torch.equal(rt.load(tmp_path, like=like)(images), small(images))


def test_what_numbers_cannot_tell_is_refused(tmp_path: Path) -> None:
    masked = classifier()
    small = copy.deepcopy(masked)
    small.body.get_submodule("stem")[2] = nn.SiLU()  # pyright: ignore[reportIndexIssue]
    with pytest.raises(rt.UserError, match=r"stem\.2 of Residual was ReLU and became SiLU"):
        write_folder(small, masked, rt.load_source(masked).identity, tmp_path / "small")
    assert not (tmp_path / "small").exists()


def damaged(written: Path, folder: Path, **changes: object) -> Path:
    folder.mkdir()
    for path in written.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    facts = json.loads((folder / "source.json").read_text())
    (folder / "source.json").write_text(json.dumps({**facts, **changes}))
    return folder


def test_broken_newer_and_foreign_folders_are_refused_in_one_line(written: Path, tmp_path: Path) -> None:
    def complaint(folder: Path) -> str:
        with pytest.raises(rt.UserError) as refused:
            rt.load(folder)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    assert complaint(tmp_path / "gone").endswith("gone: no such folder")
    (tmp_path / "empty").mkdir()
    assert "is not a network saved by robust-tickets (no source.json in it)" in complaint(tmp_path / "empty")
    assert "has version 2, but this robust-tickets reads up to 1; upgrade" in complaint(
        damaged(written, tmp_path / "new", version=2)
    )
    modules = json.loads((written / "source.json").read_text())["modules"]
    name = next(name for name in modules if "out_channels" in modules[name])

    def of(number: int, **numbers: object) -> Path:
        changed = {**modules, name: {**modules[name], **numbers}}
        return damaged(written, tmp_path / f"numbers-{number}", modules=changed)

    assert f"by its numbers {name} has a weight of shape (99, " in complaint(of(1, out_channels=99))
    assert f"has no forward of {name} that could be 3" in complaint(of(2, forward=3))
    assert f"has no out_channels of {name} that could be -1" in complaint(of(3, out_channels=-1))
    assert "modules" in complaint(of(4, out_channels="many"))
    extra = damaged(written, tmp_path / "extra", modules={**modules, "layer9": {"out_channels": 3}})
    assert "has no module layer9" in complaint(extra)
    fewer = damaged(written, tmp_path / "fewer", modules={})
    assert "weights.safetensors: does not fit the network" in complaint(fewer)
    cut = damaged(written, tmp_path / "cut")
    (cut / "weights.safetensors").write_bytes((written / "weights.safetensors").read_bytes()[:-100])
    assert "is a broken safetensors file" in complaint(cut)
    text = damaged(written, tmp_path / "text")
    (text / "source.json").write_text('{"version": 1,')
    assert "source.json: is not valid JSON" in complaint(text)
    other = damaged(written, tmp_path / "other")
    content = bytearray((other / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (other / "weights.safetensors").write_bytes(bytes(content))
    assert "weights.safetensors was altered" in complaint(other)


def test_every_weight_is_in_the_file_once(written: Path) -> None:
    network = rt.load(written)
    names = set(weights_by_type(network.body))
    assert names <= network.body.state_dict().keys()
    size = sum(tensor.nbytes for tensor in network.body.state_dict().values())
    assert size < (written / "weights.safetensors").stat().st_size < size + 20_000
