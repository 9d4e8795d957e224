"""Training without what a ticket removes: faster, and the same ticket in the end."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from pydantic import ValidationError

import robust_tickets as rt
from robust_tickets.data.settings import DataSettings
from robust_tickets.models.compact import compacted
from robust_tickets.models.proofs import randomised, relative_difference
from robust_tickets.verbs.transfer_settings import TransferSettings

DATA = DataSettings(name="digits", per_class=16)
# At a higher rate rounding is enough for another sign of an activation, and from there on for another network.
PLAIN: dict[str, Any] = {
    "seeds": [0],
    "training": {"epochs": 2, "batch_size": 16, "precision": "fp32", "optimiser": {"kind": "sgd", "lr": 0.01}},
}


def vit() -> rt.Source:
    torch.manual_seed(0)
    body = timm.models.VisionTransformer(
        img_size=8, patch_size=4, in_chans=1, embed_dim=24, depth=2, num_heads=4, mlp_ratio=2, num_classes=10
    )
    return rt.load_source(body, preprocessing={"mean": [0.5], "std": [0.5], "size": 8})


def residual() -> rt.Source:
    settings = {"name": "demo/resnet4", "weights": "random", "num_classes": 10, "preprocessing": {"size": 16}}
    return rt.load_source(rt.SourceSettings.model_validate(settings))


SOURCES = [pytest.param(vit, "several", id="vit"), pytest.param(residual, "channel", id="resnet")]


@pytest.mark.parametrize(("make", "group"), SOURCES)
@torch.no_grad()
def test_the_smaller_network_computes_the_same_and_what_it_learns_comes_back(make: Any, group: str) -> None:
    source = make()
    ticket = rt.draw(source, sparsity=0.5, group=group)
    whole = ticket.subnetwork(source)
    example = whole.interface.example(2, "compact")
    compact = compacted(whole.body, ticket.masks, example)
    assert compact is not None
    sizes = [sum(p.numel() for p in body.parameters()) for body in (whole.body, compact.body)]
    assert sizes[1] < 0.7 * sizes[0]
    assert all(bool(mask.all()) for mask in compact.masks.values())
    assert relative_difference(compact.body.eval()(example), whole.body.eval()(example)) < 1e-5
    learned = randomised(compact.body)
    compact.body.load_state_dict(learned.state_dict())
    compact.restore(whole.body)
    assert relative_difference(compact.body(example), whole.body(example)) < 1e-4
    for name, mask in ticket.masks.items():
        assert not whole.body.get_parameter(name)[~mask].any(), name


def test_zeros_of_other_patterns_leave_nothing_out() -> None:
    source = vit()
    ticket = rt.draw(source, sparsity=0.5)
    network = ticket.subnetwork(source)
    assert compacted(network.body, ticket.masks, network.interface.example(1)) is None


@pytest.mark.parametrize(("make", "group"), SOURCES)
def test_a_transfer_ends_where_the_masked_one_ends(make: Any, group: str, tmp_path: Path) -> None:
    ticket = rt.draw(make(), sparsity=0.5, group=group)
    transfers = {
        compact: rt.transfer(ticket, DATA, settings=TransferSettings(**PLAIN, compact=compact), folder=tmp_path / name)
        for compact, name in ((False, "masked"), (True, "compact"))
    }
    masked, compact = (transfers[kind].runs[0].network for kind in (False, True))
    images = masked.interface.example(8, "images")
    with torch.no_grad():
        assert relative_difference(compact(images), masked(images)) < 1e-4
    assert not compact.training
    for name, mask in ticket.masks.items():
        assert not compact.body.get_parameter(name)[~mask].any(), name
    again = rt.transfer(ticket, DATA, settings=TransferSettings(**PLAIN, compact=True), folder=tmp_path / "compact")
    assert torch.equal(again.runs[0].network.eval()(images), compact(images))


def test_runs_that_were_not_compact_keep_their_names() -> None:
    assert "compact" not in TransferSettings().model_dump()
    assert "compact" not in TransferSettings().comparable
    assert TransferSettings(compact=True).comparable["compact"] is True
    assert TransferSettings.model_validate_json(TransferSettings(compact=True).model_dump_json()).compact


def test_a_linear_transfer_gains_nothing() -> None:
    with pytest.raises(ValidationError, match="linear transfer trains the head alone"):
        TransferSettings(mode="linear", compact=True)
