"""Shrinking end to end: the report counts and measures, and never claims speed for scattered zeros."""

import json

import pytest
import torch

from robust_tickets.foundation.errors import UserError
from robust_tickets.shrinking.settings import ShrinkSettings
from robust_tickets.shrinking.shrink import ShrinkReport, shrink_network
from tests.shrinking.networks import channel_masks, classifier, element_masks

SETTINGS = ShrinkSettings(rounds=9)


def test_a_channel_ticket_becomes_smaller(tmp_path):
    dense, ticket = classifier(0, width=48), classifier(1, width=48).train()
    before = {name: value.clone() for name, value in ticket.state_dict().items()}
    masks = channel_masks(ticket.body, 0.5)
    report = shrink_network(dense, ticket, masks, tmp_path / "model.onnx", SETTINGS)
    assert report.kind == "channels"
    assert report.shrunk.parameters < 0.4 * report.dense.parameters
    assert report.shrunk.multiply_adds < 0.4 * report.dense.multiply_adds
    assert report.shrunk.file_bytes == (tmp_path / "model.onnx").stat().st_size < report.dense.file_bytes
    assert report.ticket.multiply_adds == report.dense.multiply_adds
    assert report.ticket.nonzero_parameters < report.ticket.parameters == report.dense.parameters
    assert max(report.export_difference, report.removal.max_difference) < 1e-4
    assert report.sentence.startswith(f"{report.removal.channels_removed} of {report.removal.channels_before} channels")
    assert f"{report.dense.file_bytes / report.shrunk.file_bytes:.2f}x smaller than dense" in report.sentence
    assert ticket.training
    assert all(torch.equal(before[name], value) for name, value in ticket.state_dict().items())
    assert ShrinkReport.model_validate(json.loads(json.dumps(report.model_dump(mode="json")))) == report


def test_an_element_ticket_is_told_that_it_gains_nothing(tmp_path):
    dense = classifier()
    report = shrink_network(dense, classifier(1), element_masks(dense.body, 0.9), tmp_path / "model.onnx", SETTINGS)
    assert report.kind == "zeros only"
    assert report.shrunk.parameters == report.dense.parameters
    assert report.shrunk.nonzero_parameters < 0.25 * report.dense.parameters
    assert report.shrunk.deflated_bytes < 0.7 * report.dense.deflated_bytes
    assert report.sentence.startswith("Not smaller: ")
    assert f"{report.shrunk.latency.speedup:.2f}x the speed of dense" in report.sentence


def test_networks_of_different_tasks_do_not_compare(tmp_path):
    dense, ticket = classifier(), classifier()
    ticket.reset_head(3, seed=0)
    with pytest.raises(UserError, match="dense has 5 classes"):
        shrink_network(dense, ticket, {}, tmp_path / "model.onnx")
