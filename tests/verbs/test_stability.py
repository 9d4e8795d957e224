"""Stability to training noise: what is compared, what is refused, and the table over rewinding points."""

from pathlib import Path
from typing import Any

import pytest

import robust_tickets as rt
from robust_tickets.analysis.barrier_settings import BarrierSettings
from robust_tickets.analysis.barriers import Barriers
from robust_tickets.findings.analyses import analysis_sections
from robust_tickets.findings.stability import stability_section
from robust_tickets.measures.matching import decide
from robust_tickets.pruning.rewinds import AtStep, PretrainedRewind, RewindPoint
from robust_tickets.verbs.stability import Stabilities, Stability
from robust_tickets.verbs.verify import Measured, Verdict
from tests.verbs.small import PARTS, QUICK, small_source, times

ONLY: dict[str, Any] = {"landscape": None, "interpolation": None, "instability": {"points": 4, "images": 30}}
KEPT: dict[str, Any] = {**QUICK, "head": "keep", "seeds": (0, 1, 2)}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfers")


@pytest.fixture(scope="module")
def transfers(source: rt.Source, folder: Path) -> dict[str, rt.Transfer]:
    settings = rt.TransferSettings.model_validate(KEPT)
    subjects = {"dense": source, "half": rt.draw(source, sparsity=0.5)}
    return {
        name: rt.transfer(subject, PARTS, settings=settings, folder=folder / name) for name, subject in subjects.items()
    }


def test_every_pair_of_seeds_has_a_barrier_and_every_start_a_verdict(
    transfers: dict[str, rt.Transfer], folder: Path
) -> None:
    stability = rt.analyse(transfers=transfers, **ONLY).stability
    assert stability is not None
    dense, half = stability.found
    assert (dense.is_dense, dense.sparsity, half.is_drawn) == (True, 0.0, True)
    for one in (dense, half):
        assert len(one.instability.values) == 3
        assert all(0 <= barrier <= 1 for barrier in one.instability.values)
        assert isinstance(one.rewind, PretrainedRewind)
        assert one.same_data
    assert half.decision is not None
    assert half.decision.seeds == 3
    before = times(folder)
    again = rt.analyse(transfers=transfers, **ONLY).stability
    assert again is not None
    assert [one.instability for one in again.found] == [dense.instability, half.instability]
    assert times(folder) == before, "barriers are kept in the folders of their runs"


def test_a_ticket_by_itself_finds_its_dense_network_on_disk(transfers: dict[str, rt.Transfer]) -> None:
    alone = rt.analyse(transfers={"half": transfers["half"]}, **ONLY).stability
    assert alone is not None
    assert alone.found[0].decision is not None


def test_seeds_that_share_no_start_are_refused_or_left_out(
    source: rt.Source, transfers: dict[str, rt.Transfer]
) -> None:
    fresh = rt.transfer(source, PARTS, settings=rt.TransferSettings.model_validate(QUICK))
    with pytest.raises(rt.UserError, match=r"instability: fresh has a fresh head for every seed.* head: keep"):
        rt.analyse(transfers={"fresh": fresh}, **ONLY)
    both = rt.analyse(transfers={"fresh": fresh, "half": transfers["half"]}, **ONLY).stability
    assert both is not None
    assert [one.name for one in both.found] == ["half"]
    assert list(both.left_out) == ["fresh"]


def test_a_single_seed_and_a_frozen_body_are_refused(source: rt.Source) -> None:
    one = rt.transfer(source, PARTS, settings=rt.TransferSettings.model_validate({**KEPT, "seeds": (0,)}))
    with pytest.raises(rt.UserError, match=r"instability: one has a single seed.* seeds: \[0, 1, 2\]"):
        rt.analyse(transfers={"one": one}, **ONLY)
    linear = rt.transfer(source, PARTS, settings=rt.TransferSettings.model_validate({**KEPT, "mode": "linear"}))
    with pytest.raises(rt.UserError, match="linear has a frozen body"):
        rt.analyse(transfers={"linear": linear}, **ONLY)


def test_a_barrier_between_fresh_heads_is_not_called_an_instability(source: rt.Source) -> None:
    line = {"points": 3}
    told = []
    for head in ("fresh", "keep"):
        settings = rt.TransferSettings.model_validate({**QUICK, "head": head})
        result = rt.transfer(source, PARTS, settings=settings)
        found = rt.analyse(transfers={"a": result}, landscape=None, angles=0, interpolation=line, images=30)
        told.append(analysis_sections(found)[-1].text)
    assert "do not share their start" in told[0]
    assert "do not share their start" not in told[1]


def start(
    kept: float, rewind: RewindPoint | None, barriers: tuple[float, ...], scores: tuple[float, ...], kind: str = "drawn"
) -> Stability:
    """Return a start whose verdict is the real decision on scores, against dense at 0.90 and 0.92."""
    dense = (0.90, 0.92)
    runs = [tuple(Measured(seed=seed, standard=one) for seed, one in enumerate(of)) for of in (scores, dense)]
    decision = decide(scores, dense, itself=kind == "dense")
    verdict = Verdict(
        subject="net", sparsity=1 - kept, transfer="full", standard=decision, ticket_runs=runs[0], dense_runs=runs[1]
    )
    return Stability(
        name=f"{kind} {kept:g}",
        group="one",
        is_dense=kind == "dense",
        is_drawn=kind == "drawn",
        sparsity=1 - kept,
        rewind=rewind,
        instability=Barriers(barriers),
        same_data=True,
        has_batch_norm=False,
        verdict=verdict,
    )


def test_the_table_of_frankle_in_kind() -> None:
    found = Stabilities(
        BarrierSettings(),
        (
            start(1, PretrainedRewind(), (0.05, 0.06), (0.90, 0.92), "dense"),
            start(1, AtStep(steps=20), (0.01, 0.02), (0.902, 0.919)),
            start(0.5, AtStep(steps=0), (0.2, 0.3), (0.70, 0.71)),
            start(0.5, AtStep(steps=20), (0.005, 0.005), (0.901, 0.922)),
            start(0.5, None, (0.3, 0.3), (0.6, 0.61), "random"),
        ),
        {"other": "a single seed"},
    )
    section = stability_section(found, "300 images")
    grid, details, left_out = section.tables
    assert grid.columns == ("weights kept (%)", "step 0", "step 20")
    rows = {row[0]: row[1:] for row in grid.rows}
    assert rows["100"] == ("5.5 ± 0.7, not stable", "1.5 ± 0.7, stable, matches")
    assert rows["50"] == ("25.0 ± 7.1, not stable, does not match", "0.5 ± 0.0, stable, matches")
    assert [row[0] for row in details.rows] == ["dense 1", "drawn 1", "drawn 0.5", "drawn 0.5", "random 0.5"]
    assert details.rows[4][2:5] == (None, "30.0 ± 0.0", "no, 0 of 2 pairs")
    assert left_out.rows == (("other", "a single seed"),)
    # Dense at step 20 is no ticket.
    assert "Of 2 drawn tickets with a verdict, 2 are either both stable and matching or neither" in section.text
    assert "the network has no batch norm" in section.text
    instability, accuracy = section.charts
    assert [line.name for line in instability.lines] == ["100 % kept", "50 % kept", "limit"]
    assert instability.lines[1].x == (0, 20)
    assert instability.lines[1].y == (25, 0.5)
    assert instability.lines[2].y == (2, 2)
    assert instability.x_label == "rewinding point, steps"
    assert accuracy.lines[0].y == (91, pytest.approx(91.05))
    assert section.is_verdict


def test_points_in_steps_and_in_epochs_are_not_put_on_one_axis() -> None:
    mixed = tuple(start(0.5, rewind, (0.1, 0.1), (0.9, 0.91)) for rewind in (AtStep(steps=5), AtStep(epochs=1)))
    section = stability_section(Stabilities(BarrierSettings(), mixed, {}), "300 images")
    (details,) = section.tables
    assert [row[2] for row in details.rows] == ["epoch 1", "step 5"]
    assert not section.charts
