"""Heads on one encoder: the same names and weights under each, none of them prunable."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import placed
from robust_tickets.models.adaptations.detection.head import DetectionHead
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.language.library import ENCODERS
from robust_tickets.models.adaptations.language.text_heads import TEXT_HEADS, HeadKind
from robust_tickets.models.adaptations.segmentation_head import SegmentationHead
from robust_tickets.models.folders import load_folder, save_source
from robust_tickets.models.layers import prunable_weights, weights_left_out
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.prunable import Prunable
from robust_tickets.models.sources import load_source
from tests.language import (
    body_of,
    encoder_state,
    inputs_of,
    language_folder,
    rehead,
    same,
)

KINDS: tuple[HeadKind, ...] = ("sequence", "token", "span", "masked")


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return language_folder(tmp_path / "bert", "bert", "sequence", num_labels=3)


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoder_keeps_its_names_and_weights_under_every_head(kind: str, tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, kind, "masked"))
    before = encoder_state(source.network)
    network = source.network
    for head in ("sequence", "token", "span", "masked"):
        network = rehead(network, head)
        assert same(encoder_state(network), before)
        body = body_of(network)
        assert all(torch.isfinite(tensor).all() for tensor in body.state_dict().values())
        shape = {"sequence": (2, 3), "token": (2, 7, 3), "span": (2, 7, 2), "masked": (2, 7, 32)}[head]
        assert network.eval()(inputs_of(source)).shape == shape
        for name in prunable_weights(source.network):
            assert body.place(name) == name
        masks = {name: torch.ones_like(before[name], dtype=torch.bool) for name in prunable_weights(source.network)}
        assert placed(masks, body).keys() == masks.keys()
    # Words that are guessed are words that are looked up: one table again.
    output = body_of(network).held.get_output_embeddings().weight
    assert output is body_of(network).encoder.get_input_embeddings().weight


def test_a_fresh_head_is_drawn_as_transformers_does_it_and_only_from_its_seed(bert: Path) -> None:
    network = load_source(bert).network
    first, again, other = (rehead(network, "sequence", 5, seed) for seed in (0, 0, 1))
    heads = [made.body.get_parameter("classifier.weight") for made in (first, again, other)]
    assert heads[0].shape == (5, 16)
    assert 0.01 < heads[0].std() < 0.03  # initializer_range
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert not first.body.get_parameter("classifier.bias").any()
    network.reset_head(5, 0)
    assert torch.equal(network.body.get_parameter("classifier.weight"), heads[0])
    assert network.num_classes == 5
    assert network.eval()(network.interface.example(2, "x")).shape == (2, 5)
    network.reset_head(1, 0)  # a number for each text
    assert network.eval()(network.interface.example(2, "x")).shape == (2, 1)


@torch.no_grad()
def test_a_body_and_its_model_are_one(bert: Path) -> None:
    network = load_source(bert).network.eval()
    body, inputs = body_of(network), network.interface.example(2, "x")
    expected = body(inputs)
    twin = copy.deepcopy(body)
    assert torch.equal(twin(inputs), expected)
    assert torch.equal(pickle.loads(pickle.dumps(body))(inputs), expected)
    twin.get_parameter("classifier.weight").zero_()
    assert torch.equal(body(inputs), expected)
    assert torch.equal(twin(inputs), twin.get_parameter("classifier.bias").expand(2, -1))
    zeros = {name: torch.zeros_like(parameter) for name, parameter in body.named_parameters()}
    assert not torch.func.functional_call(body, zeros, (inputs,)).any()
    assert torch.equal(body(inputs), expected)
    # A layer that is replaced in the body is replaced in the model.
    body.get_submodule("bert.encoder.layer.0").intermediate = nn.Identity()
    body.set_submodule("classifier", nn.Linear(16, 7))
    body.set_submodule("bert.encoder.layer.0.intermediate", twin.get_submodule("bert.encoder.layer.0.intermediate"))
    assert body(inputs).shape == (2, 7)
    assert body.held.classifier is body.classifier
    body.train()
    assert body.held.training
    assert not torch.equal(body(inputs), body(inputs))  # dropout
    body.eval()
    assert not body.held.bert.training


def test_gradients_reach_all_but_an_idle_pooler(tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, "bert", "masked"))
    assert source.network.idle == {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert any(note.startswith("pooler: the weights came without one") for note in source.identity.notes)
    assert source.untrained == ()
    source.network(source.network.interface.example(2, "x")).sum().backward()
    still = {name for name, parameter in source.network.body.named_parameters() if parameter.grad is None}
    assert still == source.network.idle


def test_attention_and_feed_forward_weights_are_prunable_and_nothing_else(tmp_path: Path) -> None:
    network = load_source(language_folder(tmp_path / "sequence", "bert", "sequence")).network
    parts = (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    )
    layers = [f"bert.encoder.layer.{layer}.{part}.weight" for layer in (0, 1) for part in parts]
    assert list(prunable_weights(network)) == [*layers, "bert.pooler.dense.weight"]
    assert weights_left_out(network) == {"classifier.weight": "the head"}
    assert prunable_weights(network, Prunable(include_stem=False)) == prunable_weights(network)
    words = "bert.embeddings.word_embeddings.weight"
    assert prunable_weights(network, Prunable(include_embeddings=True)) == (words, *prunable_weights(network))
    masked = load_source(language_folder(tmp_path / "masked", "bert", "masked")).network
    assert list(prunable_weights(masked)) == layers
    assert set(weights_left_out(masked)) == {"bert.pooler.dense.weight", "cls.predictions.transform.dense.weight"}
    images = load_source("cifar/resnet8", weights="random").network
    with pytest.raises(UserError, match="include_embeddings: a network that takes images has no word embeddings"):
        prunable_weights(images, Prunable(include_embeddings=True))
    assert "include_embeddings" not in Prunable().model_dump()
    assert Prunable(include_embeddings=True).model_dump()["include_embeddings"] is True


@pytest.mark.parametrize("kind", ENCODERS)
def test_no_part_of_a_language_head_is_prunable(kind: str, tmp_path: Path) -> None:
    for head in KINDS:
        network = load_source(language_folder(tmp_path / head, kind, head)).network
        prefix = f"{body_of(network).held.base_model_prefix}."
        names = prunable_weights(network)
        assert len(names) >= 6
        assert all(name.startswith(prefix) for name in names)
        assert all(network.body.get_parameter(name).dim() >= 2 for name in names)
        assert not any("embeddings." in name for name in names)


def test_a_network_under_a_new_head_is_read_back(bert: Path, tmp_path: Path) -> None:
    source = load_source(bert)
    network = rehead(source.network, "token", 7).eval()
    save_source(network, source.identity, tmp_path / "saved")
    loaded, identity = load_folder(tmp_path / "saved")
    assert identity.adaptation == LanguageHead(head="token")
    assert loaded.num_classes == 7
    inputs = inputs_of(source)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(inputs), network(inputs))


def test_images_and_texts_are_not_mixed_up(bert: Path) -> None:
    texts, images = load_source(bert).network, load_source("cifar/resnet8", weights="random").network
    with pytest.raises(UserError, match="x: takes images, and only a language model labels texts"):
        LanguageHead().adapted(images, 2, images.interface, 0, "x")
    with pytest.raises(UserError, match="x cannot label pixels: it takes texts, not images"):
        SegmentationHead().adapted(texts, 2, texts.interface, 0, "x")
    with pytest.raises(UserError, match="x cannot find objects: it takes texts, not images"):
        DetectionHead().adapted(texts, 2, texts.interface, 0, "x")
    assert isinstance(images.interface, Pixels)
    with pytest.raises(UserError, match="x: takes texts, not images"):
        body_of(texts).require_input(images.interface, "x")


@pytest.mark.parametrize("head", TEXT_HEADS)
def test_a_head_says_what_comes_out_of_it(head: HeadKind, bert: Path) -> None:
    source = load_source(bert)
    network = rehead(source.network, head)
    inputs = inputs_of(source)
    logits, body = network(inputs), body_of(network)
    longest, tokens = inputs["input_ids"].shape[1], int(inputs["attention_mask"].sum())
    shapes = {"sequence": (2, 3), "token": (2, longest, 3), "span": (2, longest, 2), "masked": (2, longest, 32)}
    assert tuple(logits.shape) == shapes[head]
    assert body.num_classes == shapes[head][-1]
    assert body.shape_fault(shapes[head]) is None
    wanted = "[2, 3]" if head == "sequence" else f"[2, tokens, {body.num_classes}]"
    assert body.shape_fault((3, *shapes[head][1:])) == wanted
    assert body.shape_fault((*shapes[head], 1)) is not None
    decided = body.decided(inputs, logits)
    assert decided is not None
    assert len(decided) == {"sequence": 2, "token": tokens, "span": 4, "masked": tokens}[head]
    number = rehead(source.network, "sequence", 1)
    assert body_of(number).decided(inputs, number(inputs)) is None
