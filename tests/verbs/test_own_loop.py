"""What a loop of the user's own trained is shrunk and verified like what was transferred here."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

import robust_tickets as rt
from robust_tickets.verbs.own_loop import as_transfer
from tests.verbs.small import PARTS, QUICK, SmallNet, small_source


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


@pytest.fixture(scope="module")
def ticket(source: rt.Source) -> rt.Ticket:
    return rt.draw(source, sparsity=0.6)


def trained(source: rt.Source, ticket: rt.Ticket | None, seed: int = 0, epochs: int = 3) -> nn.Module:
    """Return the plain body after a loop without anything of ours but the masks."""
    torch.manual_seed(seed)
    classifier = ticket.subnetwork(source) if ticket is not None else copy.deepcopy(source.network)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=0.01)
    loader = DataLoader(PARTS["train"], batch_size=20, shuffle=True)
    with rt.masked(classifier, ticket if ticket is not None else {}, optimizer):
        for _ in range(epochs):
            for images, labels in loader:
                optimizer.zero_grad()
                F.cross_entropy(classifier(images), labels).backward()
                optimizer.step()
    return classifier.body.eval()


def test_a_plain_module_is_shrunk_and_the_file_verified(source, ticket, tmp_path) -> None:
    body, path = trained(source, ticket), tmp_path / "model.rtk"
    report = rt.shrink(body, path, data=PARTS, ticket=ticket)
    assert report.shrunk.nonzero_parameters < 0.6 * report.dense.nonzero_parameters
    images = torch.rand(3, 3, 8, 8)
    with torch.no_grad():
        expected = body((images - 0.5) / 0.25).numpy()
    np.testing.assert_allclose(rt.load_runtime(path)(images.numpy()), expected, atol=1e-3)

    verdict = rt.verify(body, trained(source, None), data=PARTS, ticket=ticket, exported=path)
    assert verdict.exported is not None
    assert verdict.exported.rows[0].network == pytest.approx(verdict.exported.rows[0].file)


def test_the_zeros_that_are_there_are_the_ticket(source, ticket) -> None:
    classifier = rt.Network(trained(source, ticket), source.network.interface, "classifier")
    found = as_transfer(classifier, PARTS).ticket
    assert found is not None
    assert all(torch.equal(found.masks[name], mask) for name, mask in ticket.masks.items())
    verdict = rt.verify(classifier, against=small_dense(source), data=PARTS)
    assert verdict.sparsity == pytest.approx(ticket.sparsity)
    assert as_transfer(small_dense(source), PARTS).ticket is None


def small_dense(source: rt.Source, seed: int = 0) -> rt.Network:
    return rt.Network(trained(source, None, seed), source.network.interface, "classifier")


def test_channels_are_removed_from_it(source, tmp_path) -> None:
    ticket = rt.draw(source, sparsity=0.5, group="channel")
    body = trained(source, ticket)
    report = rt.shrink(body, tmp_path / "model.onnx", data=PARTS, ticket=ticket, round_to=1)
    assert report.kind == "channels"
    assert report.removal.channels_removed == 12


def test_one_pair_decides_nothing_about_seeds_and_says_what_the_images_say(source, ticket) -> None:
    verdict = rt.verify(trained(source, ticket), against=trained(source, None), data=PARTS, ticket=ticket)
    assert verdict.verdict == "cannot tell"
    assert verdict.standard.interval is None
    assert verdict.standard.test_interval is not None
    assert verdict.transfer == "trained in your own loop"
    assert "over these test images, which says nothing about other seeds; run at least 2 seeds." in verdict.sentence()


def test_several_pairs_are_decided_as_after_a_transfer(source, ticket) -> None:
    tickets = [trained(source, ticket, seed) for seed in range(3)]
    dense = [trained(source, None, seed) for seed in range(3)]
    verdict = rt.verify(tickets, against=dense, data=PARTS, ticket=ticket, margin=0.5)
    assert verdict.matches
    assert verdict.standard.seeds == 3
    assert len(verdict.ticket_runs) == 3


def drifted(source: rt.Source, ticket: rt.Ticket) -> nn.Module:
    body = trained(source, ticket, epochs=1)
    name, mask = next((name, mask) for name, mask in ticket.masks.items() if not mask.all())
    with torch.no_grad():
        body.get_parameter(name)[~mask] += 1
    return body


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s, t: rt.verify(drifted(s, t), s.network, data=PARTS, ticket=t),
            r"features.0.weight: \d+ of \d+ removed weights are not zero; train inside `with rt.masked\(",
        ),
        (lambda s, t: rt.verify(s.network, s.network), "data: give the data the module was trained on"),
        (
            lambda s, t: rt.verify(s.network, s.network, data="digits"),
            "distinguishes 3 classes, but digits has 10|channel",
        ),
        (
            lambda s, t: rt.verify(trained(s, t), data=PARTS, ticket=t),
            "against: give the dense network, trained in the same",
        ),
        (lambda s, t: rt.shrink(t, "x.rtk", data=PARTS), "a Ticket is not a trained network: give a transfer"),
        (lambda s, t: rt.shrink([], "x.rtk", data=PARTS), "is not a trained network"),
        (
            lambda s, t: rt.verify([trained(s, t)] * 2, [trained(s, None)], data=PARTS, ticket=t),
            r"verify pairs transfers .* settings?|seeds",
        ),
        (
            lambda s, t: rt.shrink(SmallNet(3, 3).features, "x.rtk", data=PARTS, ticket=t),
            "features|classifier",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(source, ticket, call, message) -> None:
    with pytest.raises(rt.UserError, match=message) as caught:
        call(source, ticket)
    assert "\n" not in str(caught.value)


def test_networks_of_two_kinds_of_training_are_not_paired(source, ticket, tmp_path) -> None:
    result = rt.transfer(ticket, PARTS, source=source, **QUICK)
    with pytest.raises(rt.UserError, match="one network was trained in your own loop and the other by transfer"):
        rt.verify(result, against=trained(source, None))
    with pytest.raises(rt.UserError, match="a transfer brings its own: leave them out"):
        rt.verify(result, data=PARTS)
