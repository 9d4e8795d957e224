"""A search while it trains: what is masked, what comes back, what channels take along, and what the ticket is."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.pruning.actions import Prune, Reactivate
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.timelines import Search
from robust_tickets.training.batch_norm import recalibrate
from robust_tickets.training.in_training import NetworkInTraining
from robust_tickets.training.loop import TrainingLoop
from tests.training.searches import (
    ADAMW,
    SEARCH,
    TOTAL,
    count_of,
    drawing,
    in_whole,
    job,
    planned,
    rising,
    slots,
    with_gains,
)
from tests.training.small import PRUNABLE, Run, classifier, removed

MOMENTUM: dict[str, Any] = {"optimiser": {"kind": "sgd", "lr": 0.05, "momentum": 0.9}}


class Watched(TrainingLoop):
    """A loop that keeps weights and masks as every training step has them, in the numbering of the whole network."""

    def __init__(self, network: Network, plan: Plan, sparsity: float, changes: dict[str, Any], **options: Any) -> None:
        super().__init__(job(network, plan, sparsity, changes, **options))
        self.masks: list[dict[str, Tensor]] = []
        self.forward: list[dict[str, Tensor]] = []
        self.after: list[dict[str, Tensor]] = []
        self.trainee.body.register_forward_pre_hook(self.look)

    def look(self, *_: Any) -> None:
        if self.trainee.body.training and len(self.forward) == self.trainee.step:
            weights = {name: self.trainee.body.get_parameter(name) for name in PRUNABLE}
            self.forward.append(in_whole(self.trainee, weights))
            self.masks.append({name: mask == 1 for name, mask in in_whole(self.trainee, self.trainee.masks).items()})

    def update(self) -> None:
        super().update()
        weights = {name: self.trainee.body.get_parameter(name) for name in PRUNABLE}
        self.after.append(in_whole(self.trainee, weights))


def watched(plan: Plan, sparsity: float, changes: dict[str, Any], **options: Any) -> Watched:
    loop = Watched(rising(), plan, sparsity, changes, **options)
    loop.run(lambda event, masks, work: None)
    assert len(loop.forward) == len(loop.after) == plan.steps
    return loop


@pytest.mark.parametrize("changes", [MOMENTUM, ADAMW, {"ema": 0.9}], ids=["momentum", "adamw", "average"])
def test_what_is_masked_is_zero_in_every_forward_pass_and_no_more_than_planned_is(changes: dict[str, Any]) -> None:
    """The public code's pruned weights kept their values."""
    plan = planned(0.8)
    loop = watched(plan, 0.8, changes)
    sizes = [sum(int((~weight.isnan()).sum()) for weight in seen.values()) for seen in loop.forward]
    assert sizes[0] == TOTAL > sizes[-1], "channels went"
    for step, (weights, masks) in enumerate(zip(loop.forward, loop.masks, strict=True)):
        planned_now = [event.sparsity for event in plan.events if event.step <= step]
        gone = sum(int((~mask).sum()) for mask in masks.values())
        assert gone == max(count_of(planned_now[-1]) if planned_now else 0, TOTAL - sizes[step])
        for name, mask in masks.items():
            there = ~weights[name].isnan()
            assert not bool(weights[name][there & ~mask].any())
            assert bool((weights[name][mask] != 0).all())


@pytest.mark.parametrize(
    "timeline", [SEARCH, SEARCH.model_copy(update={"threshold": 1e-3})], ids=["channels go", "none go"]
)
@pytest.mark.parametrize("changes", [MOMENTUM, ADAMW], ids=["momentum", "adamw"])
def test_what_comes_back_has_the_values_with_which_it_went(timeline: Search, changes: dict[str, Any]) -> None:
    plan = planned(0.8, timeline)
    loop = watched(plan, 0.8, changes)
    phases, since = [], 0
    for event in plan.events:
        for action in event.actions:
            if isinstance(action, Prune) and action.for_now:
                since = event.step
            elif isinstance(action, Reactivate):
                phases.append((since, event.step))
    assert phases == [(4, 6), (8, 10)]
    went = 0
    for start, end in phases:
        for name in PRUNABLE:
            there = ~loop.forward[end][name].isnan()
            away, stayed = ~loop.masks[start][name] & there, loop.masks[start][name] & there
            assert bool(loop.masks[end][name][there].all())
            assert torch.equal(loop.forward[end][name][away], loop.after[start - 1][name][away])
            assert not torch.equal(loop.forward[end][name][stayed], loop.after[start - 1][name][stayed])
            went += int(away.sum())
    assert went > 100


def test_momentum_of_what_comes_back_begins_anew() -> None:
    trainee = trained(MOMENTUM)
    Prune(0.5, for_now=True).apply(trainee)
    away = {name: ~mask for name, mask in trainee.masks.items()}
    Reactivate().apply(trainee)
    for name, slot, value in slots(trainee):
        if name in away:
            assert slot == "momentum_buffer"
            assert not bool(value[away[name]].any())
            assert bool(value[~away[name]].all())


def test_channels_that_go_while_weights_are_away_leave_the_values_of_the_others() -> None:
    trainee = trained(MOMENTUM)
    before = in_whole(trainee, trainee.weights())
    Prune(0.5, for_now=True).apply(trainee)
    trainee.cut(dead([0, 5], [1, 2, 11]))
    assert any(bool((weight == 0).any()) for weight in trainee.weights().values())
    Reactivate().apply(trainee)
    for name, weight in in_whole(trainee, trainee.weights()).items():
        left = ~weight.isnan()
        assert not bool(left.all())
        assert torch.equal(weight[left], before[name][left])


def trained(changes: dict[str, Any], network: Network | None = None, steps: int = 4) -> NetworkInTraining:
    """Return a network after some steps of a search in which nothing has gone yet."""
    plan = Search(threshold=1e-6, remove_every=9, prune_every=None, final=9, epochs=9).plan(0.8, 4)
    loop = TrainingLoop(job(network or rising(), plan, 0.8, changes))
    stream = loop.stream()
    for _ in range(steps):
        loop.train_step(loop.placement(Batch(*next(stream))))
        loop.trainee.step += 1
    return loop.trainee


def settings_of(trainee: NetworkInTraining) -> list[dict[str, Any]]:
    """Return what the optimiser's groups of parameters say, but for the rate, which every step sets."""
    groups = trainee.optimiser.param_groups
    return [{key: value for key, value in group.items() if key not in ("params", "lr")} for group in groups]


def dead(first: list[int], second: list[int]) -> dict[str, Tensor]:
    """Return these channels of the small network's two convolutions."""
    found = {"conv1.weight": torch.zeros(8, dtype=torch.bool), "conv2.weight": torch.zeros(12, dtype=torch.bool)}
    for flags, chosen in zip(found.values(), (first, second), strict=True):
        flags[chosen] = True
    return found


@pytest.mark.parametrize("changes", [MOMENTUM, ADAMW, MOMENTUM | {"ema": 0.7}], ids=["momentum", "adamw", "average"])
def test_what_is_left_goes_on_with_its_slots_and_its_average(changes: dict[str, Any]) -> None:
    trainee = trained(changes)
    if changes == ADAMW:
        # Weights that come back count their own steps: one more slot.
        Prune(0.5, for_now=True).apply(trainee)
        Reactivate().apply(trainee)
    kept = [(name, slot, copy.deepcopy(value)) for name, slot, value in slots(trainee)]
    wholes = {(name, slot): in_whole(trainee, {name: value})[name] for name, slot, value in kept if value.shape != ()}
    numbers = {(name, slot): value for name, slot, value in kept if value.shape == ()}
    average = in_whole(trainee, trainee.average.state()) if trainee.average is not None else {}
    groups = settings_of(trainee)
    trainee.cut(dead([0, 5], [1, 2, 11]))
    now = list(slots(trainee))
    assert [(name, slot) for name, slot, _ in now] == [(name, slot) for name, slot, _ in kept]
    assert {slot for _, slot, _ in now} == (
        {"step", "exp_avg", "exp_avg_sq", "age"} if changes == ADAMW else {"momentum_buffer"}
    )
    for name, slot, value in now:
        if (name, slot) in numbers:
            assert torch.equal(value, numbers[name, slot])
            continue
        assert value.shape == trainee.body.get_parameter(name).shape
        whole = in_whole(trainee, {name: value})[name]
        left = ~whole.isnan()
        assert torch.equal(whole[left], wholes[name, slot][left])
    assert settings_of(trainee) == groups
    assert trainee.average is None or average.keys() == trainee.average.state().keys()
    for name, whole in in_whole(trainee, trainee.average.state() if trainee.average is not None else {}).items():
        assert torch.equal(whole[~whole.isnan()], average[name][~whole.isnan()])
        assert not torch.equal(whole, in_whole(trainee, {name: trainee.body.get_parameter(name)})[name])


def test_the_optimiser_and_the_average_go_on_with_the_parameters_that_are_left() -> None:
    trainee = trained(MOMENTUM | {"ema": 0.7})
    trainee.cut(dead([0, 5], [1, 2, 11]))
    owned = [parameter for group in trainee.optimiser.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in owned} == {id(parameter) for parameter in trainee.body.parameters()}
    assert trainee.average is not None
    assert {id(value) for value in trainee.average.parameters.values()} == {id(parameter) for parameter in owned}


def test_the_statistics_of_what_is_left_are_those_of_training_images() -> None:
    trainee = trained(MOMENTUM)
    trainee.remove_idle(0.3, 0.0, 0.8)
    assert [one.channels for one in trainee.couplings] == [6, 9]
    found = copy.deepcopy(dict(trainee.body.named_buffers()))
    assert isinstance(trainee.trainable.network, Network)
    assert trainee.job.batches is not None
    fresh = copy.deepcopy(trainee.trainable.network)
    recalibrate(fresh, trainee.job.batches.chosen(60, 15))
    assert torch.equal(found["bn2.running_mean"], dict(fresh.body.named_buffers())["bn2.running_mean"])


@pytest.mark.parametrize("sparsity", [0.001, 0.05, 0.25, 0.5, 0.5005, 2 / 3, 0.75, 0.9, 0.95, (0.5 + 700) / TOTAL])
@pytest.mark.parametrize("penalty", [0.0, 5.0], ids=["some", "all idle"])
def test_the_ticket_lacks_the_exact_count_of_the_dense_networks_weights(sparsity: float, penalty: float) -> None:
    """Also where nearly all channels would go, which takes more than a low target."""
    run = Run(planned(sparsity), drawing=drawing(sparsity, penalty), network=rising())
    (_, masks, state) = run.tickets[-1]
    assert removed(masks) == removed(run.result.masks) == count_of(sparsity)
    assert sum(int((state[name] == 0).sum()) for name in PRUNABLE) == count_of(sparsity)
    assert all(state[name].shape == value.shape for name, value in classifier().plain_state().items())
    if sparsity > 0.4:
        assert run.result.removals


@pytest.mark.parametrize("weights", range(500, 520))
def test_the_count_is_exact_at_halves_too(weights: int) -> None:
    sparsity = (weights + 0.5) / TOTAL
    run = Run(planned(sparsity), drawing=drawing(sparsity), network=rising())
    assert run.result.removals
    assert removed(run.result.masks) == count_of(sparsity)


def test_masks_of_the_ticket_cover_all_that_went_with_a_channel() -> None:
    run = Run(planned(0.8), drawing=drawing(0.8, penalty=0.5), network=rising())
    (_, masks, state) = run.tickets[-1]
    assert set(masks) == {
        *PRUNABLE,
        *(f"{path}.{leaf}" for path in ("conv1", "bn1", "conv2", "bn2") for leaf in ("bias", "weight")),
    }
    for number, channels in ((1, 8), (2, 12)):
        gone = ~masks[f"bn{number}.weight"]
        assert 0 < int(gone.sum()) < channels
        for name in (f"conv{number}.bias", f"bn{number}.bias"):
            assert torch.equal(~masks[name], gone)
        assert not bool(masks[f"conv{number}.weight"][gone].any())
    gone = ~masks["bn1.weight"]
    assert not bool(masks["conv2.weight"][:, gone].any())
    for name, mask in masks.items():
        assert not bool(state[name][~mask].any())
    left = [1 - int((~masks[f"bn{number}.weight"]).sum()) / count for number, count in ((1, 8), (2, 12))]
    assert run.result.removals[-1].channels == pytest.approx((8 * left[0] + 12 * left[1]) / 20)


@pytest.mark.parametrize("average", [None, 0.8])
def test_the_whole_network_computes_what_is_left_of_it(average: float | None) -> None:
    """At the ticket, and at the end of the training."""
    loop = TrainingLoop(job(rising(), planned(0.8), 0.8, {"ema": average} if average else None))
    images = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    small, network = loop.trainee.body, loop.trainee.trainable.network
    seen: list[tuple[Tensor, Tensor]] = []

    def compare(*_: Any) -> None:
        network.eval()
        small.eval()
        with torch.no_grad():
            seen.append((network(images), small((images - 0.5) / 0.5)))

    loop.run(compare)
    compare()
    assert small.get_parameter("conv1.weight").shape[0] < 8
    for whole, left in seen:
        torch.testing.assert_close(whole, left, atol=1e-5, rtol=1e-5)
    if average is None:
        assert torch.equal(seen[0][0], seen[1][0])


def test_a_removal_that_frees_too_little_waits_until_the_end_of_the_search() -> None:
    waits = SEARCH.model_copy(update={"frees": 0.6, "prune_every": None})
    run = Run(planned(0.9, waits), drawing=drawing(0.9), network=rising())
    assert [one.step for one in run.result.removals] == [14]
    soon = Run(planned(0.9), drawing=drawing(0.9), network=rising())
    assert soon.result.removals[0].step == 2
    # Six of eight channels are left of the first convolution, nine of twelve of the second, of 9 output pixels.
    work = (6 * 9 * 64 + 9 * 6 * 9 * 9) / (8 * 9 * 64 + 12 * 8 * 9 * 9)
    assert soon.result.removals[0] == (2, 15 / 20, pytest.approx(work))


def test_the_lowest_gains_go_first_and_nothing_beyond_the_target() -> None:
    gains = torch.rand(20, generator=torch.Generator().manual_seed(0))
    network = with_gains(gains[:8], gains[8:])
    trainee = NetworkInTraining(job(network, planned(0.8), 0.8), torch.device("cpu"))
    assert trainee.removed is not None
    trainee.remove_idle(2.0, 0.0, 0.6)
    gone = torch.cat([trainee.removed.gone[name] for name in PRUNABLE])
    assert torch.equal(gone, gains <= gains[gone].max())
    assert 0 < int(gone[:8].sum()) < 8
    assert 0 < int(gone[8:].sum()) < 12
    left = sum(weight.numel() for weight in trainee.weights().values())
    assert TOTAL - left <= count_of(0.6)
    trainee.remove_idle(2.0, 0.0, 1 - left / TOTAL)
    assert sum(weight.numel() for weight in trainee.weights().values()) == left


def test_masked_weights_of_a_channel_cost_nothing_when_it_goes() -> None:
    """A removal during a sparse phase counts what is masked as gone already, once."""
    trainee = NetworkInTraining(job(with_gains([0.0, *[1.0] * 7], [1.0] * 12), planned(0.8), 0.8), torch.device("cpu"))
    masks = {name: mask.clone() for name, mask in trainee.masks.items()}
    masks["conv1.weight"][0] = masks["conv2.weight"][:, 0] = False
    trainee.set_masks(masks)
    gone = (9 + 12 * 9) / TOTAL
    trainee.remove_idle(0.3, 0.0, gone)
    assert [one.channels for one in trainee.couplings] == [7, 12]
    assert all(bool(mask.all()) for mask in trainee.masks.values())


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_of_idle_channels_one_of_each_coupling_stays_and_the_network_runs_on(penalty: float) -> None:
    low = with_gains([0.01] * 7 + [0.02], [0.02] + [0.01] * 11)
    run = Run(planned(0.99), drawing=drawing(0.99, penalty), network=low)
    masks = run.result.masks
    assert removed(masks) == count_of(0.99)
    assert int(masks["bn1.weight"].sum()) == int(masks["bn2.weight"].sum()) == 1
    if not penalty:
        assert bool(masks["bn1.weight"][7])
        assert bool(masks["bn2.weight"][0])
    assert [one[:2] for one in run.result.removals] == [(2, 2 / 20)]
    assert all(bool(value.isfinite().all()) for value in run.state.values())


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "repelled": (
        {"objective": "repellence"},
        "compares weights with those of a whole network, and this timeline takes",
    ),
    "hidden states": (
        {"objective": {"kind": "distillation", "hidden": 1, "soft_labels": 0}},
        "compares layers with those of a whole network, and this timeline takes channels out",
    ),
    "the best epoch": ({"keep": "best"}, "keep: best: a draw ends where its timeline ends"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_needs_the_network_to_stay_whole_is_refused(case: str) -> None:
    changes, complaint = REFUSED[case]
    network = rising()
    before = network.plain_state()
    with pytest.raises(UserError, match=complaint) as caught:
        Run(planned(0.8), changes, drawing=drawing(0.8), network=network)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in network.plain_state().items())


@pytest.mark.parametrize("objective", [{"kind": "distillation"}, {"kind": "free", "epsilon": 0.1}])
def test_objectives_that_compare_nothing_inside_go_on(objective: dict[str, Any]) -> None:
    run = Run(planned(0.8), {"objective": objective}, drawing=drawing(0.8), network=rising())
    assert run.result.removals
    assert removed(run.result.masks) == count_of(0.8)


def test_without_norms_there_is_nothing_to_search() -> None:
    with pytest.raises(UserError, match=r"no channel has a norm behind it.*use a network with batch norm") as caught:
        Run(planned(0.8), drawing=drawing(0.8), network=classifier(norm=False))
    assert "\n" not in str(caught.value)
