"""Angles between transferred networks: a matrix over tickets, on what their masks share."""

from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.findings.analyses import analysis_sections
from tests.shapes import VOID, shapes_folder
from tests.verbs.small import PARTS, QUICK, small_source

PARTS_LIKE = rt.DataSettings(name="digits", channels=3, size=(32, 32), per_class=4)
ONLY: dict[str, Any] = {"landscape": None, "interpolation": None}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


@pytest.fixture(scope="module")
def transfers(source: rt.Source) -> dict[str, rt.Transfer]:
    settings = rt.TransferSettings.model_validate(QUICK)
    subjects = {"dense": source, **{f"{s:g}": rt.draw(source, sparsity=s) for s in (0.5, 0.8)}}
    return {name: rt.transfer(subject, PARTS, settings=settings) for name, subject in subjects.items()}


def test_the_matrix_is_over_tickets_and_its_diagonal_over_seeds(transfers: dict[str, rt.Transfer]) -> None:
    (found,) = rt.analyse(transfers=transfers, **ONLY).angles
    assert found.names == ("dense", "0.5", "0.8")
    assert {pair: len(one.values) for pair, one in found.pairs.items()} == {
        **{(name, name): 1 for name in found.names},
        **dict.fromkeys((("dense", "0.5"), ("dense", "0.8"), ("0.5", "0.8")), 2),
    }
    ticket = transfers["0.8"].ticket
    assert ticket is not None
    # By hand: the angle over what the sparser ticket keeps, of the first seed.
    ends = [
        torch.cat([transfers[name].runs[0].network.plain_state()[key][ticket.masks[key]] for key in ticket.prunable])
        for name in ("0.5", "0.8")
    ]
    cosine = torch.cosine_similarity(ends[0].double(), ends[1].double(), dim=0)
    assert found.pairs["0.5", "0.8"].values[0] == pytest.approx(2 * torch.arccos(cosine).item() / torch.pi, abs=1e-6)
    section = analysis_sections(rt.analyse(transfers=transfers, **ONLY))[-1]
    assert section.title == "Angles between trained networks"
    assert section.tables[0].columns == ("transfer", "1", "2", "3")
    assert section.maps[0].values[1][2] == section.maps[0].values[2][1] == found.pairs["0.5", "0.8"].mean


def test_a_task_without_some_of_the_sources_layers_is_compared_on_the_others(tmp_path: Path) -> None:
    """A segmentation network lacks the classifier of its source, which is prunable there."""
    source = rt.load_source("torchvision/mobilenet_v3_small", weights="random")
    data = rt.DataSettings(name=str(shapes_folder(tmp_path / "data")), ignore=(VOID,))
    settings = rt.TransferSettings.model_validate(
        {"task": {"kind": "segmentation", "head": "fcn"}, "seeds": (0, 1), "training": {"epochs": 1, "batch_size": 4}}
    )
    result = rt.transfer(source, data, settings=settings)
    (found,) = rt.analyse(transfers={"dense": result}, **ONLY).angles
    assert found.pairs["dense", "dense"].mean is not None
    linear = rt.transfer(source, PARTS_LIKE, mode="linear", training={"epochs": 1, "batch_size": 4}, seeds=(0, 1))
    assert rt.analyse(transfers={"linear": linear}, **ONLY).angles == ()


def test_some_are_shown_and_the_others_counted(transfers: dict[str, rt.Transfer]) -> None:
    (found,) = rt.analyse(transfers=transfers, **ONLY, angles=2).angles
    assert (found.names, found.left_out) == (("dense", "0.5"), 1)
    assert rt.analyse(transfers=transfers, **ONLY, angles=0).angles == ()


def test_networks_over_other_weights_and_masks_without_a_common_weight_have_no_angle(
    source: rt.Source, transfers: dict[str, rt.Transfer]
) -> None:
    half = transfers["0.5"].ticket
    assert half is not None
    opposite = rt.Ticket(
        {key: ~mask for key, mask in half.masks.items()}, half.prunable, half.source, network=source,
        recipe=half.recipe, provenance={"control": "complement"},
    )  # fmt: skip
    settings = rt.TransferSettings.model_validate({**QUICK, "seeds": (0,)})
    given = {
        "opposite": rt.transfer(opposite, PARTS, settings=settings),
        "half": rt.transfer(half, PARTS, settings=settings),
        "dense": rt.transfer(source, PARTS, settings=settings),
    }
    (found,) = rt.analyse(transfers=given, **ONLY).angles
    assert found.names == ("dense", "half", "opposite"), "dense comes first, and controls last"
    assert found.pairs["half", "opposite"].mean is None
    section = analysis_sections(rt.analyse(transfers=given, **ONLY))[-1]
    assert section.tables[0].rows[1][0] == "half (2)"
    assert section.tables[0].rows[1][3] == "–"
    assert not section.maps
