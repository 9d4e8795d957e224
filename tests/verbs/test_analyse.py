"""Analyses of tickets and transfers, and the sections of a report that are written of them."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.findings.analyses import analysis_sections
from robust_tickets.report.sections import Section
from robust_tickets.verbs.analyse import Analysis, analyse
from tests.verbs.small import PARTS, QUICK, small_source, times

SMALL: dict[str, Any] = {"images": 30, "landscape": {"points": 3}, "interpolation": {"points": 3}}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfers")


@pytest.fixture(scope="module")
def transfers(source: rt.Source, folder: Path) -> dict[str, rt.Transfer]:
    settings = rt.TransferSettings.model_validate(QUICK)
    subjects = {"dense": source, "half": rt.draw(source, sparsity=0.5)}
    return {
        name: rt.transfer(subject, PARTS, settings=settings, folder=folder / name) for name, subject in subjects.items()
    }


def by_title(found: Analysis) -> dict[str, Section]:
    return {section.title: section for section in analysis_sections(found)}


def test_layers_and_overlap_of_tickets_need_no_transfer(source: rt.Source) -> None:
    tickets = {f"{100 * s:g} %": rt.draw(source, sparsity=s) for s in (0.5, 0.8, 0.9)}
    layers, overlap = analysis_sections(analyse(tickets))
    removed, by_layer, kernels = layers.tables
    assert [row[0] for row in removed.rows] == list(tickets)
    assert removed.rows[1][1] == pytest.approx(100 * tickets["80 %"].sparsity)
    assert by_layer.rows[0][1:] == tuple(
        pytest.approx(100 * ticket.layer_sparsity["features.0.weight"]) for ticket in tickets.values()
    )
    alive = tickets["90 %"].masks["features.3.weight"].flatten(2).any(2)
    assert str(kernels.rows[1][3]).startswith(f"{int((~alive).sum())} of 128 (")
    # One-shot magnitude tickets are nested: their overlap is the ratio of their sizes.
    pair = next(row for row in overlap.tables[0].rows if row[:2] == ("50 %", "80 %"))
    kept = [round(1368 * density) for density in (0.5, 0.2)]
    assert pair[2:5] == (kept[0], kept[1], kept[1])
    assert pair[5] == pytest.approx(kept[1] / kept[0])
    chance = pair[6]
    assert isinstance(chance, float)
    assert chance < kept[1] / kept[0]
    square, excess = overlap.maps
    assert (square.x[0], square.y[0]) == ("1", "50 % (1)")
    assert square.values[0][1] == square.values[1][0] == pair[5]
    assert square.values[2][2] == 1
    assert excess.values[0][0] > excess.values[0][1]
    assert excess.values[0][1] == pytest.approx(kept[1] / kept[0] - chance)


def test_tickets_over_other_weights_are_not_compared(source: rt.Source) -> None:
    other = rt.draw(small_source(channels=1), sparsity=0.5)
    sections = by_title(analyse({"a": rt.draw(source, sparsity=0.5), "b": other}))
    assert list(sections) == ["Layers of the tickets"]


def test_the_centre_of_a_landscape_is_what_was_measured(transfers: dict[str, rt.Transfer]) -> None:
    section = by_title(analyse(transfers=transfers, settings=None, **{**SMALL, "images": 45}))["Loss landscapes"]
    for name, shown in zip(transfers, section.maps, strict=True):
        run = transfers[name].runs[0]
        images = torch.stack([run.data.test[i][0] for i in range(45)])
        labels = torch.tensor([int(label) for label in run.data.test.labels])
        with torch.no_grad():
            loss = torch.nn.functional.cross_entropy(run.network.eval()(images), labels).item()
        assert 10 ** shown.values[1][1] == pytest.approx(loss, rel=1e-5)
        assert shown.x == (-1.0, 0.0, 1.0)


def test_two_seeds_of_a_ticket_have_an_angle_and_a_finite_barrier(transfers: dict[str, rt.Transfer]) -> None:
    section = by_title(analyse(transfers=transfers, **SMALL))["Between two transfers of one ticket"]
    rows = {row[0]: row[1:] for row in section.tables[0].rows}
    assert list(rows) == ["dense, seeds 0 and 1", "half, seeds 0 and 1"]
    for angle, displacements, distance, _, barrier, loss_barrier in rows.values():
        assert 0 < float(angle or 0) < float(displacements or 0) < 180
        assert float(distance or 0) > 0
        assert 0 <= float(barrier or 0) <= 100
        assert 0 <= float(loss_barrier or 0) < 100


def test_two_transfers_of_one_ticket_are_joined_and_other_tickets_are_not(
    source: rt.Source, transfers: dict[str, rt.Transfer]
) -> None:
    half = transfers["half"]
    linear = rt.transfer(half.ticket, PARTS, settings=half.settings, mode="linear", seeds=(0,))  # pyright: ignore
    sections = by_title(analyse(transfers={**transfers, "linear": linear}, **SMALL, part="validation"))
    rows = {row[0]: row for row in sections["Between two transfers of one ticket"].tables[0].rows}
    assert list(rows) == ["dense, seeds 0 and 1", "half, seeds 0 and 1", "half and linear, seed 0"]
    assert rows["half and linear, seed 0"][2] is None, "a frozen body has no displacement"


def test_nothing_is_changed_and_nothing_is_done_twice(transfers: dict[str, rt.Transfer], folder: Path) -> None:
    networks = [run.network for transfer in transfers.values() for run in transfer.runs]
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    settings = {**SMALL, "interpolation": {"points": 3, "bn": "recalibrated", "recalibration_images": 20}}
    first = analyse(transfers=transfers, **settings)
    for network, state in zip(networks, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    written = times(folder)
    assert sum("landscape-" in path for path in written) >= 2
    assert analyse(transfers=transfers, **settings) == first
    assert times(folder) == written


def test_the_settings_switch_parts_off(transfers: dict[str, rt.Transfer]) -> None:
    titles = list(by_title(analyse(transfers=transfers, landscape=None, interpolation=None, angles=0)))
    assert titles == ["Layers of the tickets"]
    one = analyse(transfers=transfers, landscape={"points": 3, "most": 1}, interpolation=None, images=30)
    assert len(by_title(one)["Loss landscapes"].maps) == 1
