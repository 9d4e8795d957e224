"""Coefficients of heads and neurons: what they multiply, what they cost, how they rank, and what a ticket keeps."""

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.models.layers import weights_by_type
from robust_tickets.models.proofs import randomised
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.parametrisations import AnyParametrisation, Coefficients, Parametrised
from robust_tickets.pruning.rewinds import AtStep, NoRewind, PretrainedRewind, Reinitialised
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.statistics import LearnedAlone
from robust_tickets.pruning.timelines import Early, Iterative, OneShot
from tests.models.attention_networks import HEADS, HIDDEN, LAYERS, NEURONS, TRANSFORMERS, Transformer

EARLY_BERT = Selection.model_validate(
    {
        "score": "learned",
        "group": "several",
        "scope": {"kind": "each", "head": {"sparsity": 0.3333}, "neuron": {"scope": "global", "sparsity": 0.4}},
    }
)
BY_NAME = {one.name: one for one in TRANSFORMERS}


def built(transformer: Transformer, penalty: float = 1e-4) -> tuple[nn.Module, Parametrised, tuple[Coupling, ...]]:
    body = transformer.build().requires_grad_(True)
    names = [name for name in weights_by_type(body) if "pooler" not in name]
    couplings = trace_couplings(body, transformer.inputs(1), names)
    made = Coefficients(penalty=penalty).build(
        body, body, names, selection=EARLY_BERT, sparsity=0.4, couplings=couplings
    )
    return body, made, couplings


def coefficients(made: Parametrised) -> dict[str, nn.Parameter]:
    return dict(made.learned)


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda one: one.name)
@torch.no_grad()
def test_at_one_nothing_changes_and_at_zero_a_group_is_gone(transformer: Transformer) -> None:
    body, made, couplings = built(transformer)
    inputs = transformer.inputs()
    expected = body(inputs)
    assert torch.allclose(made.module(inputs), expected, atol=1e-5)
    for coupling in couplings:
        made.learned[coupling.name][0] = 0.0
    scaled = made.module(inputs)
    assert not torch.allclose(scaled, expected, atol=1e-3)
    for coupling in couplings:
        for member in (*coupling.producers, *coupling.followers):
            body.get_parameter(member.parameter).index_fill_(member.dim, member.index[0], 0.0)
    assert torch.allclose(scaled, body(inputs), atol=1e-4)


@torch.no_grad()
def test_a_coefficient_multiplies_the_output_of_its_head_and_the_activation_of_its_neuron() -> None:
    body, made, _ = built(BY_NAME["bert"])
    layer: Any = body.get_submodule("model.encoder.layer.0")
    made.learned["model.encoder.layer.0.attention.self.query.weight"].copy_(torch.tensor([2.0, -1.0, 0.5, 1.0]))
    made.learned["model.encoder.layer.0.intermediate.dense.weight"].copy_(torch.linspace(-1, 1, NEURONS))
    scaled = made.module(BY_NAME["bert"].inputs())
    by_head = torch.tensor([2.0, -1.0, 0.5, 1.0]).repeat_interleave(HIDDEN // HEADS)
    layer.attention.output.dense.register_forward_pre_hook(lambda _, inputs: (inputs[0] * by_head,))
    layer.output.dense.register_forward_pre_hook(lambda _, inputs: (inputs[0] * torch.linspace(-1, 1, NEURONS),))
    assert torch.allclose(scaled, body(BY_NAME["bert"].inputs()), atol=1e-5)


def test_weights_and_coefficients_train_together_and_the_loss_pays_for_their_size() -> None:
    body, made, _ = built(BY_NAME["timm vit"], penalty=0.5)
    assert made.penalty is not None
    count = LAYERS * (HEADS + NEURONS)
    assert made.penalty().item() == pytest.approx(0.5 * count)
    trained = dict(made.trainable_parameters())
    assert {name for name in trained if not name.startswith("coefficients.")} == {
        name for name, _ in body.named_parameters()
    }
    assert sum(values.numel() for name, values in trained.items() if name.startswith("coefficients.")) == count
    (made.module(BY_NAME["timm vit"].inputs()).square().mean() + made.penalty()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in trained.values())
    with torch.no_grad():
        for values in coefficients(made).values():
            values.fill_(-2.0)
    assert made.penalty().item() == pytest.approx(1.0 * count)


@pytest.mark.parametrize("name", ["timm vit", "torchvision vit", "bert"])
def test_groups_rank_by_the_size_of_their_coefficient_whatever_its_sign(name: str) -> None:
    """The code of EarlyBERT ranked c itself, so that a head at -1 went before one at .1."""
    body, made, couplings = built(BY_NAME[name])
    learned = coefficients(made)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for values in learned.values():
            values.copy_(torch.randn(len(values), generator=random))
    prunable = {name: body.get_parameter(name).detach() for name in weights_by_type(body)}
    masks = EARLY_BERT.select(prunable, sparsity=0.4, couplings=couplings, statistics=LearnedAlone(made.ranking))
    kept = {}
    for coupling in couplings:
        (first, *_) = coupling.producers
        kept[coupling.name] = masks[first.parameter].all(1)[first.index].all(1)
    neurons, stays = [], []
    for coupling in couplings:
        sizes = learned[coupling.name].detach().abs()
        if coupling.are_heads:
            assert set(sizes.topk(3).indices.tolist()) == set(kept[coupling.name].nonzero().flatten().tolist())
        else:
            neurons.append(sizes)
            stays.append(kept[coupling.name])
    sizes, stay = torch.cat(neurons), torch.cat(stays)
    assert int((~stay).sum()) == round(0.4 * len(stay))
    assert sizes[stay].min() > sizes[~stay].max()
    assert bool((torch.cat([learned[c.name].detach() for c in couplings if not c.are_heads])[stay] < 0).any())


def test_what_does_not_go_with_coefficients_is_refused() -> None:
    def composed(group: str = "several", score: str = "learned", timeline: Any = None, rewind: Any = None) -> None:
        selection = Selection.model_validate({"score": score, "group": group, "scope": "layer"})
        require_composable(selection, Coefficients(), (timeline or Early()).plan(0.4, 100), rewind)

    composed()
    composed("head", rewind=Reinitialised())
    composed("channel", rewind=PretrainedRewind(), timeline=OneShot(epochs=1))
    with pytest.raises(UserError, match="needs score 'learned', not 'magnitude'"):
        composed(score="magnitude")
    with pytest.raises(UserError, match="one number for each head, neuron or channel: use group 'several'"):
        composed("filter")
    with pytest.raises(UserError, match="use rewind 'pretrained', not 'none'"):
        composed(rewind=NoRewind())
    with pytest.raises(UserError, match="use rewind 'pretrained', not 'step'"):
        composed(rewind=AtStep(steps=1))
    with pytest.raises(UserError, match=r"set timeline\.epochs"):
        composed(timeline=OneShot())
    with pytest.raises(UserError, match="use timeline 'one-shot'"):
        composed(timeline=Iterative(epochs=1))


def test_what_one_number_cannot_scale_is_refused() -> None:
    body = randomised(
        nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1, groups=2), nn.Flatten(), nn.Linear(8, 4))
    )
    couplings = trace_couplings(body, torch.zeros(1, 3, 1, 1), ["0.weight", "2.weight"])
    selection = Selection.model_validate({"score": "learned", "group": "channel", "scope": "layer"})
    with pytest.raises(UserError, match=r"0\.weight is read by a grouped convolution"):
        Coefficients().build(
            body, body, ["0.weight", "2.weight"], selection=selection, sparsity=0.5, couplings=couplings
        )


def test_coefficients_may_have_a_rate_of_their_own_and_survive_a_recipe() -> None:
    body, made, couplings = built(BY_NAME["timm vit"])
    assert not made.rates
    settings = TypeAdapter(AnyParametrisation).validate_json(Coefficients(lr=0.01).model_dump_json())
    assert settings == Coefficients(lr=0.01)
    names = weights_by_type(body)
    own = settings.build(body, body, names, selection=EARLY_BERT, sparsity=0.4, couplings=couplings)
    assert own.rates == {f"coefficients.{coupling.name}": 0.01 for coupling in couplings}
    assert own.rates.keys() < own.trainable.keys()
