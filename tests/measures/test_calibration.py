from math import log

import pytest
import torch

from robust_tickets.measures.calibration import (
    Calibration,
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
)
from tests.measures.examinees import examinee, held_out_digits
from tests.objectives.digits import trained_network


def test_ece_by_hand():
    # Two bins of width 1/2: (0, 0.5] holds 0.4 and 0.5 (one right), (0.5, 1] holds 0.6, 0.8 and 1.0 (two right).
    confidence = torch.tensor([0.4, 0.5, 0.6, 0.8, 1.0])
    correct = torch.tensor([True, False, True, False, True])
    expected = 2 / 5 * abs(1 / 2 - 0.45) + 3 / 5 * abs(2 / 3 - 0.8)
    assert expected_calibration_error(confidence, correct, 2) == pytest.approx(expected)


def test_adaptive_ece_by_hand():
    # Two bins of equal mass after ordering: 0.1 0.2 0.3 (one right) and 0.85 0.9 (one right).
    confidence = torch.tensor([0.9, 0.1, 0.3, 0.85, 0.2])
    correct = torch.tensor([True, False, True, False, False])
    expected = 3 / 5 * abs(1 / 3 - 0.2) + 2 / 5 * abs(1 / 2 - 0.875)
    assert adaptive_calibration_error(confidence, correct, 2) == pytest.approx(expected)
    assert adaptive_calibration_error(confidence, correct, 15) == pytest.approx((0.1 + 0.1 + 0.2 + 0.7 + 0.85) / 5)


def test_adaptive_bins_see_what_equal_widths_average_away():
    # All confidences fall into one of fifteen equal bins; half of them are too high, half too low.
    confidence = torch.tensor([0.94] * 100 + [0.99] * 100)
    correct = torch.tensor([True] * 100 + [True] * 93 + [False] * 7)
    assert expected_calibration_error(confidence, correct) == pytest.approx(0.0, abs=1e-6)
    assert adaptive_calibration_error(confidence, correct, 2) == pytest.approx(0.06, abs=1e-6)


def test_likelihood_and_brier_by_hand():
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], dtype=torch.float64)
    labels = torch.tensor([0, 1])
    assert negative_log_likelihood(probabilities.log(), labels) == pytest.approx(-(log(0.7) + log(0.3)) / 2)
    first, second = 0.3**2 + 0.2**2 + 0.1**2, 0.1**2 + 0.7**2 + 0.6**2
    assert brier_score(probabilities, labels) == pytest.approx((first + second) / 2)


def test_likelihood_and_brier_agree_with_scikit_learn():
    from sklearn.metrics import brier_score_loss, log_loss

    random = torch.Generator().manual_seed(0)
    scores = torch.randn(200, 7, generator=random, dtype=torch.float64)
    labels = torch.randint(0, 7, (200,), generator=random)
    probabilities = scores.softmax(1)
    assert negative_log_likelihood(scores.log_softmax(1), labels) == pytest.approx(
        log_loss(labels.numpy(), probabilities.numpy(), labels=range(7))
    )
    assert brier_score(probabilities, labels) == pytest.approx(
        brier_score_loss(labels.numpy(), probabilities.numpy(), scale_by_half=False, labels=range(7))
    )


def test_figures_of_logits_at_hand():
    scores = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [1.0, 1.5]])
    labels = torch.tensor([0, 1, 1, 0])
    subject = examinee(lambda images: images[:, 0, 0], (scores[:, None, None], labels), batch_size=3)
    found = Calibration(bins=1).figures(subject)
    confidence = scores.double().softmax(1).amax(1)
    assert found["ece"] == pytest.approx(abs(0.5 - confidence.mean().item()))
    assert found["adaptive_ece"] == pytest.approx(found["ece"])
    assert found["nll"] == pytest.approx(torch.nn.functional.cross_entropy(scores.double(), labels).item())


def test_scaling_the_logits_up_spoils_calibration_and_not_accuracy():
    network = trained_network().eval()
    with torch.no_grad():
        mild, extreme = (
            Calibration().figures(examinee(lambda x, k=scale: k * network(x), held_out_digits())) for scale in (1, 20)
        )
    assert extreme["nll"] > 2 * mild["nll"]
    assert extreme["ece"] > mild["ece"]
    assert extreme["brier"] > mild["brier"]


def test_a_network_that_is_sure_and_right_has_no_error():
    images = torch.eye(3)[:, None, None] * 200
    found = Calibration().figures(examinee(lambda x: x[:, 0, 0], (images, torch.arange(3))))
    assert found == {"ece": 0.0, "adaptive_ece": 0.0, "nll": 0.0, "brier": 0.0}
