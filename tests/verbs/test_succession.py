"""Barriers between the networks of successive tickets of one draw."""

from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.analysis.interpolation import interpolate
from robust_tickets.findings.analyses import analysis_sections
from robust_tickets.verbs.run_pairs import held
from robust_tickets.verbs.succession import chains_of, require_rounds
from tests.verbs.small import PARTS, QUICK, small_source

LINE = {"points": 5, "images": 45, "bn": "interpolated"}
ONLY: dict[str, Any] = {"landscape": None, "interpolation": None, "angles": 0, "rounds": LINE}
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
    assert first.barriers.values[1] == pytest.approx(path.barrier)


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
