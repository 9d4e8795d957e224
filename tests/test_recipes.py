"""Every recipe that ships with the package is complete, and does at tiny scale what its paper says."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import changed
from robust_tickets.models.adaptations.adapted_body import place_in
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.pruning.masks import is_nested
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.recipe import builtin_recipes, load_recipe
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.training.loop import TrainingLoop
from robust_tickets.verbs.draw import DrawSettings, draw_all
from robust_tickets.verbs.transfer import transfer
from tests.tiny_recipes import DATA, PAPERS, PER_EPOCH, STEPPING, WAYS, drawn, source_of, tiny, watched

FROM_THE_SOURCE = {
    *(
        ("omp", "draw"),
        ("sources", "draw"),
        ("imp", "draw"),
        ("mehta", "draw"),
        ("mehta", "one-shot"),
        ("lth-step-k", "initial"),
    ),
    *(("cv-lth", way) for way in ("draw", "one-shot", "task")),
    *((name, way) for name in ("a-imp", "a-imp-l2", "double-win-imp", "double-win") for way in ("draw", "pgd")),
    *(("a-imp-downstream", way) for way in ("draw", "pgd")),
    *(("patterns", way) for way in ("draw", "kernel", "filter", "channel")),
    *(("lmp", way) for way in ("draw", "adversarial", "downstream")),
    *(("hydra", way) for way in ("draw", "pgd")),
    *(("obc", way) for way in ("wanda", "magnitude")),
    *(("at-initialisation", way) for way in ("draw", "grasp", "synflow", "random", "magnitude")),
    *(("supertickets", way) for way in ("magnitude", "snip", "grasp", "synflow")),
}
"""Tickets that are masks over the source alone; the others carry weights of their own."""


@pytest.mark.parametrize("name", [*PAPERS, "demo"])
def test_a_recipe_says_what_it_is_and_is_complete(name: str) -> None:
    text = builtin_recipes()[name]
    assert text.startswith("# ")
    assert name == "demo" or ("arXiv" in text and "Scaled down" in text) or name in {"omp", "patterns", "lth-step-k"}
    recipe = load_recipe(name)
    assert recipe.name != "run"
    for settings in recipe.draws().values():
        for sparsity in settings.sparsities:
            plan = settings.timeline.plan(0.9 if settings.is_open(sparsity) else sparsity, 100)
            assert not plan.steps or settings.data is not None


def test_a_recipe_can_be_pointed_elsewhere() -> None:
    values = {"sources": {"mine": {"source": {"name": "timm/resnet18"}}}, "data": {"name": "path/to/images"}}
    recipe = load_recipe("a-imp", ["draw.sparsity=0.5", "draw.data.name=path/to/more"], values)
    assert list(recipe.sources) == ["mine"]
    assert (recipe.data.name, recipe.draw.sparsity) == ("path/to/images", 0.5)
    assert recipe.draw.data is not None
    assert recipe.draw.data.name == "path/to/more"
    assert recipe.draw.training.objective.kind == "fgsm-rs"
    with pytest.raises(
        UserError, match="known: a-imp, a-imp-downstream, a-imp-l2, ac-dc, at-initialisation, bert-lth, cv-lth"
    ):
        load_recipe("no-such-recipe")


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_masks_have_the_promised_count(name: str, way: str) -> None:
    settings, tickets, _ = drawn(name, way)
    assert {ticket.init for ticket in tickets} == {"source" if (name, way) in FROM_THE_SOURCE else "stored"}
    for ticket, sparsity in zip(tickets, settings.sparsities, strict=True):
        if settings.is_open(sparsity):
            kept = [ticket.subnetwork().plain_state()[weight][ticket.masks[weight]] for weight in ticket.prunable]
            assert all(bool(weight.all()) for weight in kept)
            assert 0 < ticket.sparsity == ticket.target < 1
            continue
        assert sparsity is not None
        shapes = [ticket.masks[weight].shape for weight in ticket.prunable]
        if settings.group.kind == "channel":
            couplings = trace_couplings(source_of(name).network.body, torch.zeros(1, 1, 16, 16), ticket.prunable)
            channels = [(ticket.masks[c.producers[0].parameter], c.channels) for c in couplings]
            gone = sum(count - int(mask.flatten(1).any(1).sum()) for mask, count in channels)
            assert gone == exact_count(sparsity, sum(count for _, count in channels))
            continue
        size = {"row": 1, "kernel": 2, "filter": 3}.get(settings.group.kind, 0)
        groups = [
            ticket.masks[weight].flatten(4 - size) if size else ticket.masks[weight] for weight in ticket.prunable
        ]
        gone = [int((~group).sum()) if not size else int((~group.any(-1)).sum()) for group in groups]
        of = [group.numel() if not size else group[..., 0].numel() for group in groups]
        assert all(not size or torch.equal(group.any(-1), group.all(-1)) for group in groups)
        if settings.selection.scope.kind == "layer":
            assert gone == [exact_count(sparsity, count) for count in of], shapes
        else:
            assert sum(gone) == exact_count(sparsity, sum(of))


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_the_subnetwork_starts_where_it_should(name: str, way: str) -> None:
    settings, tickets, _ = drawn(name, way)
    # Whoever reads data without training on them computes batch norm's statistics on them.
    recalibrates = settings.data is not None and (name, way) not in STEPPING
    source = source_of(name).network.plain_state()
    for ticket in tickets:
        state = ticket.subnetwork().plain_state()
        assert all(not bool(state[key][~mask].any()) for key, mask in ticket.masks.items())
        expected = {key: value * ticket.masks[key] if key in ticket.masks else value for key, value in source.items()}
        assert (ticket.statistics is not None) == recalibrates
        changed = {key for key, value in state.items() if not torch.equal(value, expected[key])}
        changed -= set(ticket.statistics or {})
        if (name, way) == ("obc", "draw"):
            assert changed == set(ticket.prunable)
            continue
        same = [key not in changed for key in state]
        # Robust scratch tickets freeze the norm that follows the first convolution.
        own = same[:1] if name == "robust-scratch" else same[:2]
        assert all(same) if (name, way) in FROM_THE_SOURCE else not any(own)


ITERATIVE = {"imp", "cv-lth", "a-imp", "a-imp-l2", "a-imp-downstream", "double-win-imp", "double-win"}
REVIVING = {("movement", way) for way in ("draw", "soft", "distilled")} | {
    ("str", way) for way in ("draw", "half", "twice", "exact")
}
"""Ways of drawing whose removed weights keep their values until the ticket."""
LEARNED = [(name, way) for name, way in WAYS if name in {"lmp", "hydra", "robust-scratch"}]
TRAINED = [pair for pair in STEPPING if pair not in REVIVING | set(LEARNED)]


@pytest.mark.parametrize(("name", "way"), TRAINED)
def test_after_every_step_exactly_the_planned_weights_are_zero(name: str, way: str) -> None:
    settings, tickets, seen = drawn(name, way)
    names = tickets[0].prunable
    total = sum(ticket_mask.numel() for key, ticket_mask in tickets[0].masks.items() if key in names)
    # Rungs of one chain come from the draw to the highest sparsity; others are drawn after it, each on its own.
    highest_first = [settings.timeline.plan(sparsity, PER_EPOCH) for sparsity in reversed(settings.sparsities)]
    before = settings.finetune.plan(PER_EPOCH).steps if settings.finetune is not None else 0
    expected: list[int] = []
    for plan in highest_first if len(seen.weights) > before + highest_first[0].steps else highest_first[:1]:
        expected += before * [0]
        for step in range(plan.steps):
            now = [event.sparsity for event in plan.events if event.step <= step]
            expected.append(exact_count(now[-1], total) if now else 0)
    for zeros, planned in zip(seen.removed(names), expected, strict=True):
        # Weights that are restored, or grown at random, begin at zero, where some happen to have no gradient.
        assert zeros == planned or ((planned == 0 or name == "set") and 0 < zeros - planned < 0.01 * total)


@pytest.mark.parametrize(("name", "way"), [pair for pair in TRAINED if pair[0] in ITERATIVE])
def test_rungs_of_iterative_pruning_are_nested(name: str, way: str) -> None:
    settings, (first, second), seen = drawn(name, way)
    assert is_nested(second.masks, first.masks)
    assert len(seen.weights) == settings.timeline.plan(settings.sparsities[-1], PER_EPOCH).steps
    stem = "conv1.weight"
    assert (stem in first.prunable) == name.startswith("double-win")


def test_double_win_begins_with_one_shot() -> None:
    one_shot = draw_all(source_of("omp"), settings=DrawSettings(sparsity=tiny("double-win-imp").draw.sparsities[0]))[0]
    first = drawn("double-win-imp", "draw")[1][0]
    assert all(torch.equal(mask, one_shot.masks[key]) for key, mask in first.masks.items())
    trained_first = drawn("imp", "draw")[1][0]
    assert any(not torch.equal(mask, one_shot.masks[key]) for key, mask in trained_first.masks.items())


def test_connections_of_rigl_move_and_begin_at_zero() -> None:
    _, tickets, seen = drawn("rigl", "draw")
    names = tickets[0].prunable
    grown = 0
    for before, after, gradient, momentum in zip(
        seen.weights, seen.weights[1:], seen.gradients[1:], seen.momenta[1:], strict=False
    ):
        layers = [int((after[name] != 0).sum()) - int((before[name] != 0).sum()) for name in names]
        if any(layers):
            continue  # the next sparsity's draw begins here
        for name in names:
            new = (before[name] == 0) & (after[name] != 0)
            grown += int(new.sum())
            # Momentum of weights that started anew is the newest gradient (and no decay: they were zero).
            assert torch.equal(momentum[name][new], gradient[name][new])
    assert grown > 100


@pytest.mark.parametrize(("name", "steps"), [("set", range(2, 12, 2)), ("rigl", range(2, 9, 2))])
def test_only_rigl_pays_for_dense_gradients(name: str, steps: range, monkeypatch: pytest.MonkeyPatch) -> None:
    """SET moves connections to the end without one; RigL asks for one at each move, in three quarters of the steps."""
    asked: list[int] = []
    dense_gradients = TrainingLoop.dense_gradients

    def counted(loop: TrainingLoop, batch: Batch) -> Mapping[str, Tensor]:
        asked.append(loop.trainee.step)
        return dense_gradients(loop, batch)

    monkeypatch.setattr(TrainingLoop, "dense_gradients", counted)
    source = source_of(name)
    with watched(source) as seen:
        (ticket,) = draw_all(source, settings=changed(tiny(name).draw, {"sparsity": 0.8}))
    gone = [
        any(bool(((one[key] != 0) & (other[key] == 0)).any()) for key in ticket.prunable)
        for one, other in itertools.pairwise(seen.weights)
    ]
    assert [step for step, moved in enumerate(gone, 1) if moved] == list(steps)
    assert asked == (list(steps) if name == "rigl" else [])


def test_ac_dc_restores_what_it_removed() -> None:
    settings, _, seen = drawn("ac-dc", "draw")
    steps = settings.timeline.plan(settings.sparsities[-1], PER_EPOCH).steps
    counts = seen.removed(tuple(seen.weights[0]))[:steps]
    assert [count > 0.5 * max(counts) for count in counts] == [step in {2, 3, 8, 9} for step in range(10)]
    alive = {name: weight != 0 for name, weight in seen.weights[5].items()}
    gone = {name: weight == 0 for name, weight in seen.weights[3].items()}
    assert sum(int((alive[name] & gone[name]).sum()) for name in alive) > 0.99 * counts[3]


@pytest.mark.parametrize(("name", "way"), LEARNED)
def test_a_learned_mask_trains_scores_the_head_and_nothing_else(name: str, way: str) -> None:
    settings, tickets, seen = drawn(name, way)
    head = 2 if "fc.weight" not in tickets[0].prunable else 0
    assert (name, head) in {("lmp", 2), ("hydra", 0), ("robust-scratch", 0)}
    assert set(seen.trained) == {len(tickets[0].prunable) + head}
    magnitude = settings.model_copy(
        update={"score": DrawSettings().score, "parametrisation": DrawSettings().parametrisation}
    )
    untrained = draw_all(source_of(name), settings=magnitude.model_copy(update={"timeline": DrawSettings().timeline}))
    assert any(not torch.equal(mask, untrained[0].masks[key]) for key, mask in tickets[0].masks.items())


def test_the_head_of_a_learned_mask_can_be_frozen() -> None:
    settings = changed(tiny("lmp").draw, {"parametrisation": {"train_head": False}, "sparsity": 0.5})
    with watched(source_of("lmp")) as seen:
        ticket = draw_all(source_of("lmp"), settings=settings)[0]
    assert set(seen.trained) == {len(ticket.prunable)}


def test_robust_scratch_tickets_are_signs_of_random_weights_and_the_statistics_of_the_search() -> None:
    _, tickets, _ = drawn("robust-scratch", "draw")
    body, state = source_of("robust-scratch").network.body, tickets[0].subnetwork().plain_state()
    for key in tickets[0].prunable:
        weight, random = state[key], body.get_parameter(key)
        kept = tickets[0].masks[key]
        assert torch.equal(weight[kept].sign(), random[kept].sign())
        assert torch.allclose(weight[kept].abs(), torch.tensor((2 / weight[0].numel()) ** 0.5))
    assert any(value.any() for key, value in state.items() if key.endswith("running_mean"))
    as_drawn = transfer(
        tickets[0], DATA["name"], settings=load_recipe("robust-scratch").transfers["as-drawn"], seeds=[0]
    )
    after = as_drawn.runs[0].network.plain_state()
    assert all(torch.equal(after[key], value) for key, value in state.items())


def test_late_reset_goes_on_between_rounds() -> None:
    _, tickets, seen = drawn("mehta", "draw")
    source = source_of("mehta").network.plain_state()
    last = [step for step in seen.weights if step is not None][-1]
    kept = tickets[0].masks["conv1.weight"]
    assert not torch.equal(last["conv1.weight"][kept], source["conv1.weight"][kept])
    assert drawn("mehta", "no-rewind")[1][0].init == "stored"


@pytest.mark.parametrize("name", PAPERS)
def test_tickets_are_kept_and_transferred(name: str, tmp_path: Path) -> None:
    ticket = drawn(name, "draw")[1][-1]
    ticket.save(tmp_path)
    loaded = Ticket.load(tmp_path).with_network(source_of(name))
    assert loaded.digest == ticket.digest
    for settings in tiny(name).transfers.values():
        network = transfer(loaded, tiny(name).data, settings=settings).runs[0].network
        state = {key: network.body.get_parameter(place_in(network.body, key)) for key in ticket.prunable}
        for key in ticket.prunable:
            kept = ticket.masks[key]
            assert not state[key][~kept].any()
            assert (state[key][kept] == 0).sum() <= (0.01 * kept.numel() if name == "set" else 0)
