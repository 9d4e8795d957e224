"""Draws by scores that read training examples: they keep more accuracy, their counts are exact, and they need data."""

from typing import Any

import pytest

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError

DIGITS = rt.DataSettings.model_validate({"name": "digits", "validation": 0})
SECOND_ORDER = {"kind": "second-order", "gradients": 64}
LEAST_SQUARES = {"kind": "least-squares", "examples": 64}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    made = rt.load_source("demo/resnet4", weights="random", num_classes=10, in_channels=1)
    return rt.pretrain(made, DIGITS, epochs=5, batch_size=64)


def accuracy(source: rt.Source, sparsity: float, **parts: Any) -> float:
    ticket = rt.draw(source, sparsity=sparsity, data=DIGITS, **parts)
    assert ticket.sparsity == pytest.approx(sparsity, abs=1e-3)
    return rt.evaluate(ticket, data=DIGITS).runs[0].standard


def test_layers_refitted_to_their_inputs_keep_far_more_than_magnitude(source: rt.Source) -> None:
    """Per layer and without any training, as one-shot methods are compared."""
    magnitude = accuracy(source, 0.6, score="magnitude", scope="layer")
    assert accuracy(source, 0.6, score=LEAST_SQUARES, rewind="none") > magnitude + 0.02
    assert accuracy(source, 0.6, score={**LEAST_SQUARES, "compensate": False}) < accuracy(
        source, 0.6, score=LEAST_SQUARES, rewind="none"
    )


@pytest.mark.parametrize("block", [1, 50, None])
def test_second_order_keeps_as_much_as_the_dense_network_at_half(source: rt.Source, block: int | None) -> None:
    dense = rt.evaluate(source, data=DIGITS).runs[0].standard
    assert accuracy(source, 0.5, score={**SECOND_ORDER, "block": block}, rewind="none") > dense - 0.02


def test_what_was_moved_is_in_the_ticket(source: rt.Source) -> None:
    ticket = rt.draw(source, sparsity=0.5, data=DIGITS, score=SECOND_ORDER, rewind="none")
    original, drawn = source.network.plain_state(), ticket.subnetwork(source).plain_state()
    assert any(bool((drawn[name] != original[name] * ticket.masks[name]).any()) for name in ticket.prunable)
    assert all(not bool(drawn[name][~ticket.masks[name]].any()) for name in ticket.prunable)


def test_gradual_draws_ask_again_at_every_prune(source: rt.Source) -> None:
    ticket = rt.draw(
        source,
        sparsity=0.8,
        data=DIGITS,
        score={**SECOND_ORDER, "gradients": 16},
        timeline={"kind": "gradual", "start": 0, "every": 0.5, "end": 1, "epochs": 1.5},
        rewind="none",
    )
    assert ticket.sparsity == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("score", ["second-order", "least-squares", "wanda"])
def test_a_score_that_reads_examples_needs_data(score: str, source: rt.Source) -> None:
    with pytest.raises(UserError, match=f"draw.data is missing: score '{score}' reads training examples"):
        rt.draw(source, sparsity=0.5, score=score, rewind="none")


@pytest.mark.parametrize("score", ["second-order", "least-squares"])
def test_weights_that_were_moved_are_not_taken_back(score: str, source: rt.Source) -> None:
    with pytest.raises(UserError, match=r"use rewind 'none', or set score\.compensate: false"):
        rt.draw(source, sparsity=0.5, data=DIGITS, score=score)


def test_data_of_other_classes_need_a_head_for_them(source: rt.Source) -> None:
    letters = rt.DataSettings.model_validate({"name": "glyphs", "glyphs": {"count": 520}})
    with pytest.raises(UserError, match=r"draw\.head"):
        rt.draw(source, sparsity=0.5, data=letters, score="second-order", rewind="none")
