"""Files of self-supervised training: the network that its authors evaluate is loaded, all else is left out by name."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.convert import convert
from robust_tickets.models.formats.renames import renamed
from tests.models import self_supervised_layouts as files
from tests.models.self_supervised_layouts import LAST, State, dino_head, linear, normed, numbered, projector, shortcuts
from tests.models.test_formats import behind

RESNET = "torchvision/resnet18"
SMALL = "small/resnet18-x0.25"
VIT = "timm/test_vit"
DINOV2 = "timm/vit_small_patch14_dinov2"
IMAGENET = (0.485, 0.456, 0.406)


def sized(size: int | None) -> dict[str, Any] | None:
    return None if size is None else {"size": size}


@cache
def architecture(name: str, seed: int, size: int | None = None) -> State:
    """Return a network's random tensors, without the head that these trainings do not have."""
    network = rt.load_source(name, weights="random", seed=seed, preprocessing=sized(size)).network.body
    state = {path: tensor for path, tensor in network.state_dict().items() if not path.startswith(("fc.", "head."))}
    return {path: tensor + seed if "running_mean" in path else tensor for path, tensor in state.items()}


@dataclass(frozen=True)
class Layout:
    """How a project saves its training."""

    content: Callable[[State, State], Any]
    """From the network that its authors evaluate, and another like it, to what is in the file."""
    told: tuple[str, ...]
    """What the notes have to name as not loaded."""
    name: str = RESNET
    entry: str = ""
    """What `weights_entry` chooses the other network by, if the file has it."""
    size: int | None = None
    """Of the images, if it is not what the architecture's name says."""


COPY = ", its momentum copy"

LAYOUTS = (
    Layout(
        files.moco_v1,
        ("module.encoder_k" + COPY, "module.queue", "module.queue_ptr", "projector (fc)"),
        RESNET,
        "encoder_k",
    ),
    Layout(files.moco_v2, ("module.encoder_k" + COPY, "module.queue", "projector (fc.0, fc.2)"), SMALL, "encoder_k"),
    Layout(files.moco_query_alone, ("projector (fc)",), SMALL),
    Layout(
        files.moco_v3_resnet, ("module.momentum_encoder" + COPY, "module.predictor", "(fc.0, fc.1, fc.3, fc.4)"), SMALL
    ),
    Layout(
        files.moco_v3_vit, ("module.momentum_encoder" + COPY, "module.predictor", "head.7)"), VIT, "momentum_encoder"
    ),
    Layout(files.simsiam, ("module.predictor", "(fc.0, fc.1"), SMALL),
    Layout(files.simclr_sthalles, ("(fc.0, fc.2), perhaps a projector",)),
    Layout(files.simclr_sthalles_first, ("l1 (2 tensors)", "l2 (2 tensors)"), SMALL),
    Layout(files.simclr_spijkervet, ("projector",), SMALL),
    Layout(files.simclr_atanov, ("projection",), SMALL),
    Layout(files.supcontrast, ("head (4 tensors)",), SMALL),
    Layout(
        files.dino_vit, ("student.module.backbone", ", head (7", "student.module.head", "dino_loss"), VIT, "student"
    ),
    Layout(files.dino_resnet, ("student.module.backbone", "module.head", "dino_loss"), SMALL, "student"),
    Layout(
        files.ibot, ("student.module.backbone", "left out: head (7", "student.module.head", "ibot_loss"), VIT, "student"
    ),
    Layout(files.dinov2_published, ("mask_token",), DINOV2, size=56),
    Layout(files.dinov2_teacher, ("backbone.mask_token", "dino_head", "ibot_head"), DINOV2, size=56),
    Layout(files.mae, ("mask_token", "decoder_pos_embed", "decoder_embed", "decoder_blocks", "decoder_pred"), VIT),
    Layout(files.swav, ("module.projection_head", "module.prototypes")),
    Layout(files.swav_published, ("module.projection_head", "module.prototypes"), SMALL),
    Layout(files.barlow_twins, ("module.projector", "module.bn")),
    Layout(files.vicreg, ("module.projector",), SMALL),
    Layout(files.plain, (), SMALL),
    Layout(
        files.byol_lucidrains,
        ("target_encoder.net", "online_encoder.projector", "target_encoder.projector", "online_predictor", "(fc)"),
        SMALL,
        "target_encoder",
    ),
    Layout(
        files.byol_sthalles,
        ("target_network_state_dict.encoder" + COPY, "projetion"),
        RESNET,
        "target_network_state_dict",
    ),
    Layout(
        files.byol_yaox12,
        ("target_network.encoder" + COPY, "online_network.projetion", "target_network.projetion", "module.predictor"),
        SMALL,
        "model.module.target_network",
    ),
    Layout(files.lightly_simclr, ("projection_head",)),
    Layout(
        files.lightly_byol,
        ("backbone_momentum" + COPY, "projection_head (", "projection_head_momentum", "prediction_head"),
        SMALL,
        "backbone_momentum",
    ),
    Layout(
        files.lightly_dino, ("student_backbone", "student_head", "teacher_head", "criterion"), SMALL, "student_backbone"
    ),
    Layout(files.lightly_swav, ("projection_head", "prototypes"), SMALL),
    Layout(files.lightly_benchmark, ("projection_head", "online_classifier"), SMALL),
    Layout(files.lightly_cifar, ("projection_head",), SMALL),
    Layout(
        files.solo_learn_moco,
        ("momentum_backbone" + COPY, ", projector", "momentum_projector", "queue", "queue_ptr", "classifier"),
        RESNET,
        "momentum_backbone",
    ),
    Layout(files.solo_learn_byol_first, ("momentum_encoder" + COPY, ", projector", "predictor", "classifier"), SMALL),
    Layout(files.vissl_simclr, ("classy_state_dict.base_model.model.heads (4 tensors)",)),
    Layout(files.vissl_swav, ("classy_state_dict.base_model.model.heads",), SMALL),
)


def saved(content: Any, folder: Path) -> Path:
    torch.save(content, folder / "net.pt")
    return folder / "net.pt"


def equals(loaded: Mapping[str, Tensor], state: State) -> bool:
    return all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def tensors(content: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor of a checkpoint by its place, but for what belongs to optimizer and callbacks."""
    for name, value in content.items():
        inner = f"{place}.{name}" if place else name
        if isinstance(value, Tensor):
            yield inner, value
        elif isinstance(value, Mapping) and "optim" not in name and name != "callbacks":
            yield from tensors(value, inner)


def untold(content: Any, taken: State, notes: str) -> list[str]:
    """Return the tensors that are neither in the network nor in the notes, by themselves or by a module around them."""
    own = {id(tensor) for tensor in taken.values()}
    around = [f"{name}." for name, tensor in tensors(content) if id(tensor) in own]
    said = [f".{word}." for word in re.findall(r"[\w.]*\w", notes) if not any(a.startswith(f"{word}.") for a in around)]
    return [
        name
        for name, tensor in tensors(content)
        if id(tensor) not in own and not any(word in f".{name}." for word in said)
    ]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.content.__name__)
def test_the_network_is_loaded_and_the_rest_is_left_out_by_name(layout: Layout, tmp_path: Path) -> None:
    evaluated, other = (architecture(layout.name, seed, layout.size) for seed in (1, 2))
    content = layout.content(evaluated, other)
    source = rt.load_source(layout.name, weights=saved(content, tmp_path), preprocessing=sized(layout.size))
    assert equals(source.network.plain_state(), evaluated)
    assert source.network.headless
    assert source.network.num_classes == (10 if layout.name == SMALL else 1000)
    notes = [note for note in source.identity.notes if note.startswith(("weights:", "head:"))]
    for told in layout.told:
        assert any(told in note for note in notes), f"{told} is not in {notes}"
    assert untold(content, evaluated, " ".join(notes)) == []
    assert len(notes) <= 2
    assert not any("\n" in note for note in notes)
    if layout.entry:
        chosen = rt.load_source(layout.name, weights=tmp_path / "net.pt", weights_entry=layout.entry)
        assert equals(chosen.network.plain_state(), other)
        assert chosen.network.headless


def test_a_note_reads_like_a_sentence(tmp_path: Path) -> None:
    content = files.moco_v1(architecture(SMALL, 1), architecture(SMALL, 2))
    notes = rt.load_source(SMALL, weights=saved(content, tmp_path)).identity.notes
    assert notes[1:] == (
        "weights: state_dict.module.encoder_q; not state_dict.module.encoder_k, its momentum copy, which "
        "`weights_entry: state_dict.module.encoder_k` would choose; left out: module.queue, module.queue_ptr",
        "head: in place of fc the file has a projector (fc); left out, so that the head is random",
    )


def test_a_classifier_beside_a_queue_stays_the_head(tmp_path: Path) -> None:
    """CoMatch, FixMatch and others train a classifier; only the names of self-supervised training say projector."""
    network = architecture(SMALL, 1) | linear("fc", 128, 5)
    pair = (
        behind("module.encoder.", network) | behind("module.m_encoder.", network) | {"module.queue": torch.ones(8, 4)}
    )
    source = rt.load_source(SMALL, weights=saved(files.script(pair), tmp_path))
    assert not source.network.headless
    assert torch.equal(source.network.plain_state()["fc.weight"], network["fc.weight"])


def test_dinov2_with_registers_computes_what_its_authors_do(tmp_path: Path) -> None:
    """They add a position to the class token, which timm keeps in the token."""
    name = "timm/vit_small_patch14_reg4_dinov2"
    timms = architecture(name, 1, 56)
    position, mask = torch.randn(1, 1, 384), torch.zeros(1, 384)
    theirs = {name: tensor for name, tensor in timms.items() if name != "reg_token"}
    theirs["pos_embed"] = torch.cat([position, timms["pos_embed"]], 1)
    theirs |= {"register_tokens": timms["reg_token"], "mask_token": mask}
    source = rt.load_source(name, weights=saved(theirs, tmp_path), preprocessing={"size": 56})
    moved = {"cls_token": timms["cls_token"] + position}
    assert equals(source.network.plain_state(), timms | moved)
    assert any(note == "weights: left out: mask_token" for note in source.identity.notes)
    assert source.identity.format == "timm state dict, names of facebookresearch/dinov2"


def test_the_gated_layers_of_dinov2s_giant_have_timms_names() -> None:
    with torch.device("meta"):
        wanted = timm.create_model("vit_giant_patch14_reg4_dinov2").state_dict()
    names = {"mlp.fc1": "mlp.w12", "mlp.fc2": "mlp.w3", "reg_token": "register_tokens"}
    theirs = {"mask_token": torch.zeros(1, 1536, device="meta")}
    for name, tensor in wanted.items():
        old = next((name.replace(timms, own) for timms, own in names.items() if timms in name), name)
        theirs[f"backbone.{old}"] = tensor
    assert renamed(theirs, wanted).state.keys() - {"mask_token"} == {f"backbone.{name}" for name in wanted}


def test_a_dinov2_for_other_images_says_their_size(tmp_path: Path) -> None:
    network = architecture(DINOV2, 1, 56)
    with pytest.raises(UserError, match=r"its positions are of images of 56 x 56; give `preprocessing: \{size: 56\}`$"):
        rt.load_source(DINOV2, weights=saved(files.dinov2_teacher(network, network), tmp_path))


@pytest.mark.parametrize("content", [files.dino_vit, files.moco_v3_vit])
def test_vision_transformers_keep_the_normalisation_they_were_trained_with(
    content: Callable[[State, State], Any], tmp_path: Path
) -> None:
    network = architecture(VIT, 1)
    assert rt.load_source(VIT, weights=saved(network, tmp_path)).identity.preprocessing.mean == (0.5, 0.5, 0.5)
    source = rt.load_source(VIT, weights=saved(content(network, architecture(VIT, 2)), tmp_path))
    assert source.identity.preprocessing.mean == IMAGENET


def test_the_vit_s_of_moco_v3_has_other_heads_than_timms(tmp_path: Path) -> None:
    """Its tensors have the same names and shapes as those of timm's, with 6 heads, but compute something else."""
    name = "timm/vit_small_patch16_224"
    file = saved(files.moco_v3_vit(architecture(name, 1), architecture(name, 2)), tmp_path)
    with pytest.raises(UserError, match=r"ViT-S of facebookresearch/moco-v3 has 12 attention heads, this has 6"):
        rt.load_source(name, weights=file)
    source = rt.load_source(f"{__name__}:vit_small_of_moco_v3", weights=file)
    assert source.network.headless
    assert source.identity.preprocessing.mean == IMAGENET


def vit_small_of_moco_v3() -> nn.Module:
    return timm.create_model("vit_small_patch16_224", num_heads=12)


def test_a_small_stem_of_solo_learn_is_doubted(tmp_path: Path) -> None:
    """Its ResNets for CIFAR pad by 2 in their 3 x 3 stem."""
    file = saved(files.solo_learn_moco(architecture("small/resnet18", 1), architecture("small/resnet18", 2)), tmp_path)
    doubt = "stem: its 3 x 3 convolution pads by 1, that of vturrisi/solo-learn by 2"
    assert any(doubt in note for note in rt.load_source("small/resnet18", weights=file).identity.notes)
    with pytest.raises(UserError, match=r"does not fit torchvision/resnet18 .*: it fits small/resnet18 without fc"):
        rt.load_source("torchvision/resnet18", weights=file)


@pytest.mark.parametrize(
    "content", [files.moco_v1, files.moco_v2, files.swav, files.lightly_simclr, files.vissl_simclr]
)
def test_another_architecture_is_named(content: Callable[[State, State], Any], tmp_path: Path) -> None:
    other = architecture(RESNET, 1)
    with pytest.raises(UserError, match=r"does not fit torchvision/resnet34 .*: it fits torchvision/resnet18[^/\n]*$"):
        rt.load_source("torchvision/resnet34", weights=saved(content(other, other), tmp_path))


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (projector("projector", 512), "projector"),
        ({"state_dict": behind("module.", normed("projection_head", 512))}, "module.projection_head"),
        (
            files.lightning(normed("projection_head.layers", 512), linear("prototypes.heads.0", 8, 3)),
            "projection_head, prototypes",
        ),
    ],
)
def test_a_projector_alone_is_no_network(content: Any, parts: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        rt.load_source(RESNET, weights=saved(content, tmp_path))
    said = f"it contains only what self-supervised training adds to a network ({parts}); give the network's file"
    assert str(caught.value).endswith(said)
    assert "\n" not in str(caught.value)


def test_converting_keeps_the_teacher_not_the_loss(tmp_path: Path) -> None:
    network = architecture(VIT, 1)
    convert(saved(files.dino_vit(network, architecture(VIT, 2)), tmp_path), tmp_path / "net.safetensors")
    assert equals(rt.load_source(VIT, weights=tmp_path / "net.safetensors").network.plain_state(), network)


def test_timms_pretrained_networks_without_a_head_get_one(tmp_path: Path) -> None:
    body = timm.create_model("eva02_tiny_patch14_224")
    assert body.num_classes == 0
    folder = tmp_path / "models--timm--eva02_tiny_patch14_224.mim_in22k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0123")
    (folder / "snapshots" / "0123").mkdir(parents=True)
    state = dict(body.state_dict())
    save_file(state, folder / "snapshots" / "0123" / "model.safetensors")
    source = rt.load_source("timm/eva02_tiny_patch14_224", cache=str(tmp_path), offline=True)
    assert equals(source.network.plain_state(), state)
    assert source.network.headless
    assert source.network.num_classes == 1000
    assert any("the weights came without head; it is random" in note for note in source.identity.notes)


def test_lightlys_own_modules_have_these_names() -> None:
    heads = pytest.importorskip("lightly.models.modules.heads", reason="needs lightly")
    resnets = pytest.importorskip("lightly.models", reason="needs lightly")
    assert set(dino_head("a", 512, "layers")) == set(
        behind("a.", heads.DINOProjectionHead(512, 16, 4, 32).state_dict())
    )
    assert set(normed("a.layers", 512, LAST)) == set(behind("a.", heads.BYOLProjectionHead(512, 16, 8).state_dict()))
    assert set(linear("a.heads.0", 8, 30)) == set(behind("a.", heads.SwaVPrototypes(8, 30).state_dict()))
    backbone = nn.Sequential(*list(resnets.ResNetGenerator("resnet-18").children())[:-1])
    ours = numbered(shortcuts(architecture("small/resnet18", 1)), "conv1 bn1 layer1 layer2 layer3 layer4")
    assert {name: tensor.shape for name, tensor in ours.items()} == {
        name: tensor.shape for name, tensor in backbone.state_dict().items()
    }
