import pytest
import torch
from scipy.stats import binom

from robust_tickets.measures.accuracy import accuracy, accuracy_interval, class_mean_accuracy, correctness


def test_accuracy_weighs_images_and_class_mean_weighs_classes():
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 3, 3])
    logits = torch.nn.functional.one_hot(torch.tensor([0] * 9 + [3]), 5).float()
    correct = correctness(logits, labels)
    assert accuracy(correct) == pytest.approx(0.9)
    assert class_mean_accuracy(correct, labels) == pytest.approx((1 + 0.5) / 2)


def test_interval_covers_at_least_as_often_as_it_says():
    total, truth = 50, 0.9
    covered = 0.0
    for hits in range(total + 1):
        interval = accuracy_interval(torch.arange(total) < hits, coverage=0.9)
        covered += binom.pmf(hits, total, truth) * (interval.lower <= truth <= interval.upper)
    assert 0.9 <= covered < 0.96


def test_interval_of_none_and_of_all_right():
    none = accuracy_interval(torch.zeros(100, dtype=torch.bool))
    every = accuracy_interval(torch.ones(100, dtype=torch.bool))
    assert none.lower == 0
    assert none.upper == pytest.approx(1 - 0.025**0.01)
    assert every.upper == 1
    assert every.lower == pytest.approx(0.025**0.01)
