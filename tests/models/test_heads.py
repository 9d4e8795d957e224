"""Attention heads: whole heads go, from every kind of attention, and nothing else changes."""

import copy
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.couplings import trace_channels, trace_couplings
from robust_tickets.models.layers import weights_by_type
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.proofs import randomised, relative_difference
from robust_tickets.models.reduced_attention import ReducedAttention
from robust_tickets.models.shapes import reshape, shape_changes
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.pruning.masks import Masks, sparsity
from robust_tickets.pruning.select import select
from robust_tickets.shrinking.export import export_onnx
from robust_tickets.shrinking.removal import Removal, remove_channels
from tests.models.attention_networks import (
    BERT,
    HEADS,
    HIDDEN,
    LAYERS,
    SIDE,
    TRANSFORMERS,
    Transformer,
    hugging_face,
    timm_vit,
    torchvision_vit,
)

EACH = pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda one: one.name)
BY_NAME = {one.name: one for one in TRANSFORMERS}


def drawn(body: nn.Module, example: Any, group: str, fraction: float, scope: str = "layer") -> Masks:
    names = weights_by_type(body)
    weights = {name: body.get_parameter(name).detach() for name in names}
    couplings = trace_couplings(body, example, names)
    return select(weights, score="random", group=group, scope=scope, sparsity=fraction, couplings=couplings)


def removed(transformer: Transformer, group: str, fraction: float = 0.5) -> tuple[nn.Module, Removal]:
    """Return the masked network, and what is left of it."""
    body = transformer.build()
    masks = drawn(body, transformer.inputs(1), group, fraction)
    removal = remove_channels(body, masks, transformer.inputs(1))
    MaskApplier(dict(body.named_parameters()), masks).apply_to_weights()
    return body, removal


@EACH
def test_half_of_the_heads_go_and_nothing_else_changes(transformer: Transformer) -> None:
    masked, removal = removed(transformer, "head")
    heads = [coupling for coupling in removal.couplings if coupling.are_heads]
    assert sum(coupling.channels for coupling in heads) == transformer.heads
    assert removal.counts.channels_removed == transformer.heads // 2
    rows = (masked.get_parameter(transformer.queries), removal.body.get_parameter(transformer.queries))
    assert rows[1].shape == (rows[0].shape[0] // 2, rows[0].shape[1])
    assert not any("attention" in refusal.reason or "softmax" in refusal.reason for refusal in removal.refusals[1:])
    inputs = transformer.inputs()
    assert relative_difference(removal.body(inputs), masked(inputs)) < 1e-5
    again = remove_channels(removal.body, {}, transformer.inputs(1))
    assert again.counts.channels_removed == 0
    left = [coupling.channels for coupling in again.couplings if coupling.are_heads]
    assert left == [coupling.channels // 2 for coupling in heads if coupling.channels > 2]  # a last head is no group


def test_a_head_takes_its_rows_its_biases_and_the_columns_behind() -> None:
    for name in ("timm vit", "torchvision vit", "bert", "distilbert"):
        _, removal = removed(BY_NAME[name], "head")
        width = HIDDEN // HEADS
        gone = LAYERS * HEADS // 2 * width * (3 * (HIDDEN + 1) + HIDDEN)
        assert removal.counts.parameters_before - removal.counts.parameters_after == gone, name
        assert removal.counts.multiply_adds_after < removal.counts.multiply_adds_before, name


def test_sparsity_counts_the_rows_of_heads_and_nothing_else() -> None:
    body = timm_vit()
    masks = drawn(body, torch.zeros(1, 3, SIDE, SIDE), "head", 0.25)
    zeros = {name: int((~mask).sum()) for name, mask in masks.items() if not mask.all()}
    rows = 3 * HIDDEN // HEADS
    assert zeros == {
        f"blocks.{layer}.attn.qkv.{leaf}": size
        for layer in range(LAYERS)
        for leaf, size in (("weight", rows * HIDDEN), ("bias", rows))
    }
    prunable = weights_by_type(body)
    total = sum(body.get_parameter(name).numel() for name in prunable)
    assert sparsity({name: masks[name] for name in prunable}) == pytest.approx(LAYERS * rows * HIDDEN / total)


@EACH
def test_hidden_neurons_behind_gelu_go_too(transformer: Transformer) -> None:
    masked, removal = removed(transformer, "neuron")
    assert removal.counts.channels_removed >= transformer.neurons // 2  # a pooler is a neuron's layer too
    inputs = transformer.inputs()
    assert relative_difference(removal.body(inputs), masked(inputs)) < 1e-5


@EACH
def test_a_layer_may_lose_all_heads_but_one(transformer: Transformer) -> None:
    masked, removal = removed(transformer, "head", 0.99)
    layers = [coupling for coupling in removal.couplings if coupling.are_heads]
    assert removal.counts.channels_removed == transformer.heads - len(layers)
    inputs = transformer.inputs()
    assert relative_difference(removal.body(inputs), masked(inputs)) < 1e-5


def test_the_last_head_of_a_layer_is_not_removed() -> None:
    transformer = BY_NAME["bert"]
    with pytest.raises(UserError, match="each must keep one"):
        drawn(transformer.build(), transformer.inputs(1), "head", 0.99, "global")
    body = transformer.build()
    for name, parameter in body.named_parameters():
        if ".layer.0.attention.self." in name:
            parameter.zero_()
    removal = remove_channels(body, {}, transformer.inputs(1))
    assert removal.counts.channels_removed == HEADS - 1


REFUSED = [
    ("timm/beit_base_patch16_224", {"img_size": SIDE, "depth": 1}, "is not called as a layer"),
    ("timm/cait_xxs24_224", {"img_size": SIDE, "depth": 1}, "is not zero where blocks.0.attn.proj_w reads it"),
    ("timm/coatnet_0_rw_224", {"img_size": 64}, "meets a bias for each head"),
]


@pytest.mark.parametrize(("name", "settings", "reason"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_attention_of_other_kinds_is_refused_by_name(name: str, settings: dict[str, Any], reason: str) -> None:
    body = timm.create_model(name.partition("/")[2], pretrained=False, **settings)
    side = settings["img_size"]
    trace = trace_channels(body, torch.zeros(1, 3, side, side), weights_by_type(body))
    assert not any(coupling.are_heads for coupling in trace.couplings)
    refused = [refusal for refusal in trace.refusals if "attn" in refusal.name]
    assert any(reason in refusal.reason for refusal in refused)


@pytest.mark.parametrize(
    "config", [transformers.ModernBertConfig, transformers.DebertaV2Config], ids=lambda config: config.__name__
)
def test_attention_that_turns_or_gathers_its_channels_is_refused(config: type) -> None:
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1, "cls_token_id": 1, "sep_token_id": 1}
    relative = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
    body = hugging_face(config, "eager", **special, **relative)()
    trace = trace_channels(body, BY_NAME["bert"].inputs(1), weights_by_type(body))
    assert not any(coupling.are_heads for coupling in trace.couplings)
    assert trace.couplings  # hidden neurons
    with pytest.raises(UserError, match="no attention head of this network can be removed exactly"):
        drawn(body, BY_NAME["bert"].inputs(1), "head", 0.5)


@EACH
def test_what_is_left_loads_again_from_its_architecture_and_numbers(transformer: Transformer) -> None:
    masked, removal = removed(transformer, "head", 0.5)
    changes = shape_changes(masked, removal.body)
    plain, state = transformer.build(), removal.body.state_dict()
    reshape(plain, changes, state, "source.json")
    plain.load_state_dict(state)
    inputs = transformer.inputs()
    assert torch.equal(plain(inputs), removal.body(inputs))
    assert repr(plain) == repr(removal.body)


@pytest.mark.parametrize("make", [timm_vit, torchvision_vit])
def test_onnx_runtime_answers_the_same(make: Any, tmp_path: Path) -> None:
    body = randomised(make()).requires_grad_(False)
    masks = drawn(body, torch.zeros(1, 3, SIDE, SIDE), "head", 0.5)
    removal = remove_channels(body, masks, torch.zeros(1, 3, SIDE, SIDE), round_to=8)
    head = "head" if make is timm_vit else "heads.head"
    network = Network(removal.body, Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(SIDE, SIDE)), head)
    assert export_onnx(network.eval(), tmp_path / "model.onnx") < 1e-4


MASKS: dict[str, dict[str, Tensor]] = {
    "nothing": {},
    "padding": {"key_padding_mask": torch.tensor([[False] * 5, [False] * 3 + [True] * 2])},
    "causal": {"attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(1)},
    "floats": {"attn_mask": torch.linspace(-1, 1, 25).reshape(5, 5)},
    "both": {
        "attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(1),
        "key_padding_mask": torch.tensor([[False] * 5, [False] * 3 + [True] * 2]),
    },
}


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
@torch.no_grad()
def test_attention_with_fewer_heads_is_torchs_with_silent_ones(
    masks: dict[str, Tensor], batch_first: bool, need_weights: bool
) -> None:
    torch.manual_seed(0)
    whole = randomised(nn.MultiheadAttention(8, 4, batch_first=batch_first))
    whole.in_proj_weight[16:20], whole.in_proj_bias[16:20] = 0.0, 0.0  # values of the first two heads
    rows = torch.cat([torch.arange(8) + start for start in (4, 12, 20)]).reshape(3, 8)[:, :4].flatten()
    fewer: Any = copy.deepcopy(whole)
    fewer.in_proj_weight = nn.Parameter(whole.in_proj_weight[rows])
    fewer.in_proj_bias = nn.Parameter(whole.in_proj_bias[rows])
    fewer.out_proj.weight = nn.Parameter(whole.out_proj.weight[:, 4:])
    fewer.num_heads, fewer.__class__ = 2, ReducedAttention
    tokens = torch.randn(2, 5, 8) if batch_first else torch.randn(5, 2, 8)
    memory = tokens.flip(0)
    for key in (tokens, memory):
        settings = {"need_weights": need_weights, "average_attn_weights": False, **masks}
        expected, weights = whole(tokens, key, key, **settings)
        found, found_weights = fewer(tokens, key, key, **settings)
        assert torch.allclose(found, expected, atol=1e-6)
        assert (found_weights is None) is not need_weights
        assert weights is None or torch.allclose(found_weights, weights[:, 2:], atol=1e-6)
    if "key_padding_mask" not in masks:
        one = tokens[0] if batch_first else tokens[:, 0]
        expected, _ = whole(one, one, one, need_weights=need_weights, **masks)
        found, _ = fewer(one, one, one, need_weights=need_weights, **masks)
        assert torch.allclose(found, expected, atol=1e-6)


def test_a_mask_for_each_head_of_a_layer_that_has_lost_some_is_refused() -> None:
    _, removal = removed(BY_NAME["torchvision vit"], "head")
    layer = removal.body.get_submodule("encoder.layers.encoder_layer_0.self_attention")
    tokens = torch.zeros(2, 5, HIDDEN)
    with pytest.raises(ValueError, match="this layer has lost heads"):
        layer(tokens, tokens, tokens, attn_mask=torch.zeros(2 * HEADS, 5, 5))


def test_bert_counts_its_heads() -> None:
    _, removal = removed(BY_NAME["bert"], "head", 0.75)
    attention: Any = removal.body.get_submodule(BERT.rpartition(".query")[0])
    assert (attention.num_attention_heads, attention.all_head_size, attention.attention_head_size) == (1, 8, 8)
