"""Barriers between the networks of successive tickets of one draw."""

from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.analysis.interpolation import Path, interpolate
from robust_tickets.analysis.loss import Reached
from robust_tickets.findings.analyses import analysis_sections
from robust_tickets.verbs.run_pairs import held
from robust_tickets.verbs.succession import chains_of, require_rounds
from tests.verbs.small import PARTS, QUICK, small_source

LINE = {"points": 5, "images": 45, "bn": "interpolated"}
ONLY: dict[str, Any] = {"landscape": None, "interpolation": None, "angles": 0, "rounds": LINE}
EIGHT = {"mean": [0.5], "std": [0.25], "size": [8, 8]}
ITERATIVE: dict[str, Any] = {
    "sparsity": (0.5, 0.75, 0.875),
    "timeline": {"kind": "iterative", "rate": 0.5, "epochs": 1},
    "training": QUICK["training"],
}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


def transferred(source: rt.Source, **changes: Any) -> dict[str, rt.Transfer]:
    tickets = rt.draw_all(source, settings=rt.DrawSettings.model_validate({**ITERATIVE, **changes}), data=PARTS)
    settings = rt.TransferSettings.model_validate(QUICK)
    return {f"{ticket.target:g}": rt.transfer(ticket, PARTS, settings=settings) for ticket in reversed(tickets)}


@pytest.fixture(scope="module")
def transfers(source: rt.Source) -> dict[str, rt.Transfer]:
    return transferred(source)


def test_rounds_are_joined_in_order_and_dense_comes_first(source: rt.Source, transfers: dict[str, rt.Transfer]) -> None:
    dense = rt.transfer(source, PARTS, settings=rt.TransferSettings.model_validate(QUICK))
    found = rt.analyse(transfers={**transfers, "dense": dense}, **ONLY).succession
    assert found is not None
    assert [(one.first, one.second) for one in found.found] == [("dense", "0.5"), ("0.5", "0.75"), ("0.75", "0.875")]
    assert all(len(one.barriers.values) == 2 for one in found.found), "one for each seed"
    assert all(one.decision is not None for one in found.found)
    first = found.found[1]
    runs = [transfers[name].runs[1] for name in ("0.5", "0.75")]
    images = held(runs[0], rt.AnalyseSettings(images=45))
    path = interpolate(runs[0].network, runs[1].network, images, (0, 0.25, 0.5, 0.75, 1))
    assert first.barriers.values[1] == pytest.approx(path.rise)


@pytest.mark.parametrize(
    ("errors", "rise", "barrier"),
    [
        ((0.1, 0.2, 0.3), 0.0, 0.1),
        ((0.1, 0.5, 0.3), 0.3, 0.3),
        ((0.3, 0.3, 0.1), 0.1, 0.1),
        ((0.2, 0.1, 0.2), 0.0, 0.0),
    ],
)
def test_a_ticket_that_is_worse_is_no_barrier(errors: tuple[float, ...], rise: float, barrier: float) -> None:
    """Between ends of 10 and 30 % error a straight line rises nowhere, though its highest point is above their mean."""
    path = Path((0.0, 0.5, 1.0), tuple(Reached(loss=0.0, error=error) for error in errors))
    assert path.rise == pytest.approx(rise)
    assert path.barrier == pytest.approx(barrier)


def test_a_run_that_is_not_full_yet_says_that_there_is_nothing(transfers: dict[str, rt.Transfer]) -> None:
    one = {"0.5": transfers["0.5"]}
    with pytest.raises(rt.UserError, match="rounds: no two tickets are of successive rounds"):
        rt.analyse(transfers=one, **ONLY)
    section = analysis_sections(rt.analyse(transfers=one, partial=True, **ONLY))[-1]
    assert section.text.startswith("Nothing to look at: no two tickets are of successive rounds of one draw;")


def test_a_head_of_two_layers_is_no_obstacle(source: rt.Source) -> None:
    """Under it the source's weights have other names."""
    tickets = rt.draw_all(source, settings=rt.DrawSettings.model_validate(ITERATIVE), data=PARTS)
    settings = rt.TransferSettings.model_validate(
        {**QUICK, "head": "fresh", "task": {"kind": "classification", "hidden": 8}}
    )
    two = {f"{one.target:g}": rt.transfer(one, PARTS, settings=settings) for one in tickets[:2]}
    asked: dict[str, Any] = {**ONLY, "angles": 4}
    found = rt.analyse(transfers=two, **asked)
    assert found.succession is not None
    assert found.succession.found[0].distance is not None
    assert found.angles[0].pairs["0.5", "0.75"].mean == pytest.approx(found.succession.found[0].distance, abs=1e-6)


def test_validation_images_that_the_other_network_trained_on_are_refused(source: rt.Source) -> None:
    data = rt.DataSettings(name="digits", channels=1, size=(8, 8), per_class=10, validation=0.3)
    own = rt.load_source("cifar/resnet8-x0.5", weights="random", num_classes=10, in_channels=1, preprocessing=EIGHT)
    training = {"epochs": 1, "batch_size": 20, "precision": "fp32"}
    result = rt.transfer(own, data, training=training, seeds=(0, 1), head="keep")
    asked: dict[str, Any] = {"landscape": None, "interpolation": None, "angles": 0, "instability": LINE}
    with pytest.raises(rt.UserError, match=r"part: validation: .* use part: test, or data\.seed in the run"):
        rt.analyse(transfers={"a": result}, part="validation", **asked)
    assert rt.analyse(transfers={"a": result}, **asked).stability is not None


def test_the_line_lies_in_the_denser_mask(transfers: dict[str, rt.Transfer]) -> None:
    one, other = (transfers[name] for name in ("0.5", "0.75"))
    assert one.ticket is not None
    states = [result.runs[0].network.plain_state() for result in (one, other)]
    for key in one.ticket.prunable:
        middle = torch.lerp(states[0][key], states[1][key], 0.5)
        assert not middle[~one.ticket.masks[key]].any()


def test_tickets_that_do_not_start_from_the_source_have_no_dense_before_them(source: rt.Source) -> None:
    rewound = transferred(source, rewind={"kind": "step", "steps": 1})
    dense = rt.transfer(source, PARTS, settings=rt.TransferSettings.model_validate(QUICK))
    given = {**rewound, "dense": dense}
    assert chains_of(given) == [("0.5", "0.75", "0.875")]
    section = analysis_sections(rt.analyse(transfers=given, **ONLY))[-1]
    assert section.title == "Barriers between successive tickets"
    assert [row[1] for row in section.tables[0].rows] == ["50 to 25", "25 to 12.5"]
    assert section.charts[0].lines[0].x == (75, pytest.approx(87.5))
    assert section.charts[0].lines[0].name == "rewound to step 1"


def test_tickets_of_two_draws_are_not_rounds(source: rt.Source, transfers: dict[str, rt.Transfer]) -> None:
    settings = rt.TransferSettings.model_validate(QUICK)
    other = rt.transfer(rt.draw(source, sparsity=0.9, score="random"), PARTS, settings=settings)
    given = {"0.5": transfers["0.5"], "other": other}
    assert chains_of(given) == []
    with pytest.raises(rt.UserError, match="rounds: no two tickets are of successive rounds of one draw"):
        rt.analyse(transfers=given, **ONLY)
    # Random masks of one draw are not nested.
    random = [rt.draw(source, sparsity=sparsity, score="random", seed=seed) for seed, sparsity in enumerate((0.3, 0.6))]
    assert chains_of({str(at): rt.transfer(one, PARTS, settings=settings) for at, one in enumerate(random)}) == []


def test_a_recipe_without_rounds_is_refused() -> None:
    several, one = rt.DrawSettings(sparsity=(0.5, 0.8)), rt.DrawSettings(sparsity=0.5)
    full, linear = rt.TransferSettings(), rt.TransferSettings(mode="linear")
    require_rounds({"draw": one, "other": several}, {"full": full, "linear": linear})
    with pytest.raises(rt.UserError, match=r"analyse\.rounds: no two tickets"):
        require_rounds({"draw": one}, {"full": full})
    with pytest.raises(rt.UserError, match=r"analyse\.rounds: transfers train the head alone"):
        require_rounds({"draw": several}, {"linear": linear})
