"""What every score, group, scope and parametrisation promises, over all of their valid combinations.

A new score, group or scope is one row in a table here; a parametrisation that learns scores, one in `test_learners.py`.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.masks import Masks, emptied, is_nested, pack, sparsity, unpack
from robust_tickets.pruning.needs import LEARNED_SCORES
from robust_tickets.pruning.parametrisations import StraightThrough
from robust_tickets.pruning.scores import AnyScore, Zeros
from robust_tickets.pruning.select import Selection, select
from tests.pruning.made_up import MadeUp
from tests.pruning.small_network import COUPLINGS, PRUNABLE, small_network, weights_of

LADDER = (0.0, 0.3, 0.55, 0.8)
SCOPES = ("global", "layer", "erk")


@dataclass(frozen=True)
class GroupRow:
    """A group, and an account of its groups that shares nothing with the implementation."""

    settings: dict[str, object]
    groups: Callable[[Masks], dict[str, Tensor]]
    """Masks to bool [groups, weights of the group] of every unit."""
    scopes: tuple[str, ...] = SCOPES
    sparsities: tuple[float, ...] = LADDER
    names: tuple[str, ...] = PRUNABLE


def each(arrange: Callable[[Tensor], Tensor]) -> Callable[[Masks], dict[str, Tensor]]:
    return lambda masks: {name: arrange(mask) for name, mask in masks.items()}


def channels(of: tuple[int, ...]) -> Callable[[Masks], dict[str, Tensor]]:
    def arrange(masks: Masks) -> dict[str, Tensor]:
        units = {}
        for coupling in (COUPLINGS[number] for number in of):
            members = (*coupling.producers, *coupling.followers)
            units[coupling.name] = torch.cat(
                [
                    masks[m.parameter].flatten(1) if masks[m.parameter].dim() > 1 else masks[m.parameter][:, None]
                    for m in members
                ],
                dim=1,
            )
        return units

    return arrange


def heads(masks: Masks) -> dict[str, Tensor]:
    """Three rows of the hidden layer with their biases are a head."""
    return {"heads": torch.cat([masks["hidden.weight"].reshape(4, -1), masks["hidden.bias"].reshape(4, -1)], dim=1)}


def row_of(mask: Tensor) -> Tensor:
    return mask.reshape(-1, mask.shape[-1]) if mask.dim() == 4 else mask.reshape(-1, 1)


GROUPS = {
    "element": GroupRow({"kind": "element"}, each(lambda mask: mask.reshape(-1, 1))),
    "row": GroupRow({"kind": "row"}, each(row_of)),
    "kernel": GroupRow(
        {"kind": "kernel"},
        each(lambda mask: mask.flatten(2).flatten(0, 1) if mask.dim() == 4 else mask.reshape(-1, 1)),
    ),
    "filter": GroupRow({"kind": "filter"}, each(lambda mask: mask.flatten(1))),
    "block": GroupRow(
        {"kind": "block", "out": 4, "inputs": 1},
        each(lambda mask: torch.cat([part.reshape(4, -1).T for part in mask.split(4)])),
    ),
    "n-m": GroupRow(
        {"kind": "n-m", "n": 2, "m": 4},
        each(lambda mask: mask.reshape(-1, 1)),
        scopes=("layer",),
        sparsities=(0.5, 0.5),
        names=("stem.weight", "pointwise.weight", "hidden.weight"),
    ),
    "channel": GroupRow({"kind": "channel"}, channels((0, 1)), scopes=("global", "layer")),
    "neuron": GroupRow({"kind": "neuron"}, channels((2,)), scopes=("global", "layer")),
    "several": GroupRow({"kind": "several", "of": ["channel", "neuron"]}, channels((0, 1, 2)), ("global", "layer")),
    "head": GroupRow({"kind": "head"}, heads, scopes=("global", "layer")),
}
SCORES = (
    *("magnitude", "random", "random-within-layer", "second-order", "least-squares", "wanda"),
    *("snip", "grasp", "synflow"),
)

FIXED = [
    pytest.param(score, group, scope, id=f"{score}-{group}-{scope}")
    for score, group in itertools.product(SCORES, GROUPS)
    for scope in GROUPS[group].scopes
]
LEARNED = [pytest.param(group, scope, id=f"{group}-{scope}") for group, row in GROUPS.items() for scope in row.scopes]


def removed_groups(row: GroupRow, masks: Masks) -> dict[str, tuple[int, int]]:
    """Return (removed, all) groups of every unit, after checking that no group is cut."""
    counts = {}
    for unit, groups in row.groups(masks).items():
        assert bool((groups.any(1) == groups.all(1)).all()), f"{unit}: a group is cut"
        counts[unit] = int((~groups.any(1)).sum()), len(groups)
    return counts


def assert_exact(row: GroupRow, scope: str, masks: Masks, target: float) -> None:
    """Scopes that divide by layer leave at least one group of each; apart from that, counts are exact."""
    counts = removed_groups(row, masks)
    removed, total = map(sum, zip(*counts.values(), strict=True))
    if scope == "layer":
        for unit, (gone, groups) in counts.items():
            assert gone == min(math.floor(target * groups + 0.5), groups - 1), unit
    else:
        most = total - len(counts) if scope == "erk" else total
        assert removed == min(math.floor(target * total + 0.5), most)


def draw(selection: Selection, row: GroupRow, target: float, masks: Masks | None = None, seed: int = 0) -> Masks:
    weights = weights_of(small_network(), row.names)
    known = None if LEARNED_SCORES in selection.score.needs else MadeUp()
    return selection.select(weights, sparsity=target, masks=masks, couplings=COUPLINGS, statistics=known, seed=seed)


@pytest.mark.parametrize(("score", "group", "scope"), FIXED)
def test_selection_is_exact_nested_deterministic_and_survives_packing(score: str, group: str, scope: str) -> None:
    row = GROUPS[group]
    selection = Selection.model_validate({"score": score, "group": row.settings, "scope": scope})
    masks: Masks | None = None
    for target in row.sparsities:
        inner = draw(selection, row, target, masks)
        assert_exact(row, scope, inner, target)
        again = draw(selection, row, target, masks)
        assert all(torch.equal(inner[name], again[name]) for name in inner)
        unpacked = unpack(pack(inner), {name: tuple(mask.shape) for name, mask in inner.items()})
        assert all(torch.equal(inner[name], unpacked[name]) for name in inner)
        if masks is not None:
            assert is_nested(inner, masks)
        masks = inner


def test_every_score_has_a_row() -> None:
    union = get_args(get_args(AnyScore)[0])
    elsewhere = {"learned", "zeros"}  # `LEARNED`, and what is there already
    assert {score.model_fields["kind"].default for score in union} == {*SCORES, *elsewhere}


@pytest.mark.parametrize("score", SCORES)
def test_n_of_every_m_consecutive_inputs_stay_by_every_score(score: str) -> None:
    row = GROUPS["n-m"]
    selection = Selection.model_validate({"score": score, "group": row.settings, "scope": "layer"})
    for name, mask in draw(selection, row, 0.5).items():
        runs = mask.movedim(1, -1).reshape(-1, 4)
        assert bool((runs.sum(1) == 2).all()), name
    with pytest.raises(UserError, match=r"^depthwise\.weight \[8, 1, 3, 3\] does not divide [^\n]*$"):
        draw(selection, GROUPS["element"], 0.5)


@pytest.mark.parametrize(
    ("score", "group", "scope"),
    [
        pytest.param(score, group, scope, id=f"{score}-{group}-{scope}")
        for score, (group, row) in itertools.product(SCORES, GROUPS.items())
        for scope in row.scopes
        if scope != "global" and group != "n-m"
    ],
)
def test_no_scope_that_divides_by_layer_empties_one_unless_asked_to(score: str, group: str, scope: str) -> None:
    """At 0.97 rounding alone removes all 8 filters of a layer, in one step as in several."""
    row = GROUPS[group]
    for target in (0.97, 0.9999):
        masks: Masks | None = None
        for now in (0.9, target):
            selection = Selection.model_validate({"score": score, "group": row.settings, "scope": scope})
            masks = draw(selection, row, now, masks)
            assert_exact(row, scope, masks, now)
        assert masks is not None
        assert emptied(masks) == ()
        free = Selection.model_validate({"score": score, "group": row.settings, "scope": {"kind": scope, "minimum": 0}})
        if group in ("channel", "neuron", "head", "several"):
            with pytest.raises(UserError, match="each must keep one"):
                draw(free, row, target)
            continue
        counts = removed_groups(row, draw(free, row, target))
        if scope == "layer":
            assert all(gone == math.floor(target * groups + 0.5) for gone, groups in counts.values())
        else:
            gone, groups = map(sum, zip(*counts.values(), strict=True))
            assert gone == math.floor(target * groups + 0.5)


def test_a_minimum_holds_where_it_can() -> None:
    row = GROUPS["filter"]
    for scope in ("layer", "erk"):
        selection = Selection.model_validate({"group": "filter", "scope": {"kind": scope, "minimum": 10}})
        counts = removed_groups(row, draw(selection, row, 0.9))
        assert [groups - gone for gone, groups in counts.values()] == [8, 8, 10, 10]


@pytest.mark.parametrize("group", ["element", "row", "kernel", "filter", "block"])
def test_layers_that_a_global_scope_empties_are_named(group: str) -> None:
    row = GROUPS[group]
    weights = weights_of(small_network())
    weights["depthwise.weight"] = weights["depthwise.weight"] * 1e-3
    masks = select(weights, score="magnitude", group=row.settings, scope="global", sparsity=0.3)
    assert emptied(masks) == ("depthwise.weight",)
    assert emptied(masks, ["stem.weight", "hidden.weight"]) == ()


@pytest.mark.parametrize("group", Zeros.groups)
@pytest.mark.parametrize("target", LADDER[1:])
def test_zeros_that_are_there_are_taken_exactly_and_leave_no_other_target(group: str, target: float) -> None:
    row = GROUPS[group]
    there = draw(Selection.model_validate({"group": row.settings}), row, target)
    weights = {name: weight * there[name] for name, weight in weights_of(small_network()).items()}
    selection = Selection.model_validate({"score": "zeros", "group": row.settings})
    own = selection.own_sparsity(weights)
    assert own is not None
    taken = selection.select(weights, sparsity=own)
    assert all(torch.equal(taken[name], there[name]) for name in weights)
    again = selection.select(weights, sparsity=own, masks=taken, seed=1)
    assert all(torch.equal(again[name], there[name]) for name in weights)
    with pytest.raises(UserError, match=f"score 'zeros' fixes sparsity at {own:.4g}; 0.9 was asked for"):
        selection.select(weights, sparsity=0.9)
    with pytest.raises(UserError, match=r"0 of the [0-9]+ groups are zero throughout .* draw by magnitude"):
        selection.own_sparsity(weights_of(small_network()))


@pytest.mark.parametrize(("group", "scope"), LEARNED)
def test_learned_masks_are_exact_in_every_forward_pass(group: str, scope: str) -> None:
    row = GROUPS[group]
    selection = Selection.model_validate({"score": "learned", "group": row.settings, "scope": scope})
    network = small_network()
    target = row.sparsities[-1]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    built = StraightThrough().build(
        network, network, row.names, selection=selection, sparsity=target, couplings=COUPLINGS
    )
    optimiser = torch.optim.SGD([parameter for _, parameter in built.trainable_parameters()], lr=1.0)
    for step in range(3):
        masks = built.module.masks()
        assert_exact(row, scope, masks, target)
        masked = built.module.masked_parameters()
        assert all(bool((masked[name][~masks[name]] == 0).all()) for name in masked)
        optimiser.zero_grad()
        built.module(torch.randn(4, 4, 6, 6, generator=torch.Generator().manual_seed(step))).square().mean().backward()
        optimiser.step()
    assert list(network.state_dict()) == list(before)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]), name


@pytest.mark.parametrize("group", ["element", "row", "kernel", "filter", "block"])
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_kept_groups_are_the_top_k_by_brute_force(group: str, norm: str) -> None:
    """Overlap with a brute-force ranking is 1: scores are of the weights as they are, not as they were."""
    row = GROUPS[group]
    weights = weights_of(small_network(seed=1))
    selection = Selection.model_validate(
        {"score": {"kind": "magnitude", "norm": norm}, "group": row.settings, "scope": "layer"}
    )
    masks = selection.select(weights, sparsity=0.6)
    sizes = row.groups({name: weight.abs().double() for name, weight in weights.items()})
    for name, kept in row.groups(masks).items():
        ranking = sizes[name].sum(1) if norm == "l1" else sizes[name].square().sum(1)
        expected = set(ranking.topk(int(kept.any(1).sum())).indices.tolist())
        assert set(kept.any(1).nonzero().squeeze(1).tolist()) == expected


def test_global_scores_of_unequal_groups_are_normalised_by_their_size() -> None:
    weights = {"wide": torch.full((4, 9), 1.0), "narrow": torch.full((4, 2), 2.0)}
    masks = select(weights, score="magnitude", group="filter", scope="global", sparsity=0.5)
    assert not masks["wide"].any()
    assert masks["narrow"].all()


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("group", ["element", "kernel"])
def test_shuffled_control_keeps_the_layer_counts_of_magnitude(scope: str, group: str) -> None:
    """Also in later rounds, when removed weights are zero and must not be dealt out again."""
    weights = weights_of(small_network())
    masks: dict[str, Masks | None] = {"magnitude": None, "random-within-layer": None}
    first = select(weights, score="magnitude", group=group, scope=scope, sparsity=0.4)
    zeroed = {name: weight * first[name] for name, weight in weights.items()}
    for score in masks:
        masks[score] = select(zeroed, score=score, group=group, scope=scope, sparsity=0.7, masks=first)
    magnitude, shuffled = masks["magnitude"], masks["random-within-layer"]
    assert magnitude is not None
    assert shuffled is not None
    for name in weights:
        assert magnitude[name].sum() == shuffled[name].sum()
    assert any(not torch.equal(magnitude[name], shuffled[name]) for name in weights)


def test_random_masks_depend_on_the_seed() -> None:
    row, selection = GROUPS["element"], Selection.model_validate({"score": "random"})
    first, second = draw(selection, row, 0.5, seed=0), draw(selection, row, 0.5, seed=1)
    assert any(not torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("settings", [
    {"group": "n-m", "scope": "global"},
    {"group": "n-m", "scope": "erk"},
    {"group": {"kind": "n-m", "n": 4, "m": 4}, "scope": "layer"},
    {"group": "channel", "scope": "erk"},
    {"group": "neuron", "scope": "erk"},
    {"group": "head", "scope": "erk"},
    {"group": "several", "scope": "erk"},
    {"group": "neuron", "scope": "each"},
    {"score": "zeros", "group": "channel", "scope": "global"},
    {"score": "zeros", "scope": "layer"},
    {"score": "zeros", "group": "n-m", "scope": "layer"},
    {"score": "magnitudes"},
    {"score": {"kind": "magnitude", "norm": "l3"}},
    {"score": {"kind": "magnitude", "power": 2}},
])  # fmt: skip
def test_impossible_selections_are_refused_when_written(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Selection.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "target", "message"),
    [
        ({"group": "n-m", "scope": "layer"}, 0.5, "depthwise.weight"),
        ({"group": {"kind": "block", "out": 3}}, 0.5, "stem.weight"),
        ({"group": "n-m", "scope": "layer"}, 0.9, "fixes sparsity at 0.5"),
        ({"score": "learned"}, 0.5, "straight-through"),
        ({}, 1.0, "not in"),
        ({"group": "channel", "scope": "global"}, 0.99, "each must keep one"),
    ],
)
def test_impossible_draws_are_refused_with_the_reason(settings: dict[str, object], target: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        draw(Selection.model_validate(settings), GROUPS["element"], target)


def test_less_sparsity_than_present_is_refused() -> None:
    selection = Selection()
    masks = draw(selection, GROUPS["element"], 0.5)
    with pytest.raises(ValueError, match="below the current one"):
        draw(selection, GROUPS["element"], 0.4, masks)


@pytest.mark.parametrize("group", ["kernel", "channel"])
def test_masks_of_another_group_are_refused(group: str) -> None:
    masks = draw(Selection(), GROUPS["element"], 0.5)
    with pytest.raises(UserError, match="cut through"):
        draw(Selection.model_validate({"group": group}), GROUPS[group], 0.7, masks)


def test_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(UserError, match="scores of broken"):
        Selection().select({"broken.weight": torch.tensor([[1.0, math.nan]])}, sparsity=0.5)


def test_short_names_and_settings_mean_the_same() -> None:
    short = Selection.model_validate({"score": "magnitude", "group": "row", "scope": "layer"})
    long = Selection.model_validate(
        {"score": {"kind": "magnitude"}, "group": {"kind": "row"}, "scope": {"kind": "layer"}}
    )
    assert short == long
    assert Selection.model_validate(short.model_dump()) == short


def test_sparsity_counts_prunable_weights_only() -> None:
    masks = draw(Selection.model_validate({"group": "channel"}), GROUPS["channel"], 0.5)
    removed = sum(int((~masks[name]).sum()) for name in PRUNABLE)
    total = sum(masks[name].numel() for name in PRUNABLE)
    assert sparsity(masks, PRUNABLE) == pytest.approx(removed / total)
    assert "norm1.bias" in masks
