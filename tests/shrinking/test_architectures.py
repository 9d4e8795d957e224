"""Channels are removed from the architectures people use, exactly, and docs/shrinking.md says what came of it.

The core list runs by default; `pytest -m slow tests/shrinking/test_architectures.py` tries the others.
`python -m tests.shrinking.table` writes the table anew.
"""

import pytest

from tests.shrinking.architectures import ARCHITECTURES, Architecture, prove, row
from tests.shrinking.table import rows

REGENERATE = "docs/shrinking.md is stale; write it anew with: python -m tests.shrinking.table"

NOTHING_GOES = {"timm/convnextv2_nano"}
"""Its hidden neurons are divided by the mean of their responses."""


def cases() -> list:
    marks = {False: [pytest.mark.slow], True: []}
    return [pytest.param(one, marks=marks[one.core], id=one.name) for one in ARCHITECTURES]


@pytest.mark.parametrize("architecture", cases())
def test_half_of_the_channels_go_and_nothing_else_changes(architecture: Architecture) -> None:
    proof = prove(architecture)
    counts, rounded = proof.removal.counts, proof.rounded.counts
    assert proof.difference <= 1e-5
    assert (counts.channels_removed > 0) is (architecture.name not in NOTHING_GOES)
    assert counts.parameters_after <= rounded.parameters_after <= counts.parameters_before
    assert counts.channels_removed == 0 or rounded.channels_removed > 0
    assert proof.odd_widths == ()
    *cells, difference = rows()[architecture.name]
    assert cells == row(architecture, proof)[:-1], REGENERATE
    assert float(difference) <= 1e-5


def test_the_table_lists_every_architecture_once_in_order() -> None:
    assert list(rows()) == [architecture.name for architecture in ARCHITECTURES], REGENERATE
