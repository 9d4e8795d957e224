from math import sqrt

import pytest
import torch

from robust_tickets.measures.sampling_uncertainty import paired_test_interval, unpaired_test_interval


def test_paired_error_with_one_seed_is_mcnemars():
    # 8 images only the ticket gets right, 20 only dense, 972 alike.
    ticket = torch.tensor([True] * 8 + [False] * 20 + [True] * 972)
    dense = torch.tensor([False] * 8 + [True] * 20 + [True] * 972)
    interval = paired_test_interval([ticket], [dense], level=0.05)
    mcnemar = sqrt(8 + 20 - (8 - 20) ** 2 / 1000) / 1000
    assert (interval.upper + interval.lower) / 2 == pytest.approx(-0.012)
    assert (interval.upper - interval.lower) / 2 == pytest.approx(1.645 * mcnemar, rel=1e-3)


def test_interval_covers_over_draws_of_the_test_set():
    """Images differ in difficulty, both networks err on the hard ones, and three seeds share the images."""
    chance = torch.Generator().manual_seed(0)
    paired = unpaired = 0
    for _ in range(1000):
        hard = torch.rand(400, generator=chance) < 0.2
        right = [torch.where(hard, 0.1, 0.95), torch.where(hard, 0.15, 0.97)]
        ticket, dense = ([torch.rand(400, generator=chance) < p for _ in range(3)] for p in right)
        truth = (0.2 * 0.1 + 0.8 * 0.95) - (0.2 * 0.15 + 0.8 * 0.97)
        interval = paired_test_interval(ticket, dense)
        paired += interval.lower <= truth <= interval.upper
        wide = unpaired_test_interval(ticket[0].float().mean().item(), dense[0].float().mean().item(), 400)
        unpaired += wide.lower <= truth <= wide.upper
    assert paired / 1000 == pytest.approx(0.9, abs=0.03)
    assert unpaired / 1000 > 0.95


def test_equal_correctness_leaves_no_doubt():
    correct = torch.rand(100) < 0.7
    interval = paired_test_interval([correct, correct], [correct, correct])
    assert (interval.lower, interval.upper) == (0, 0)
