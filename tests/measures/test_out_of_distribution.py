import itertools
from math import e, log

import pytest
import torch

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.out_of_distribution import OutOfDistribution, detection, max_softmax, negative_energy
from tests.measures.examinees import examinee, held_out_digits
from tests.objectives.digits import trained_network


def test_scores_by_hand():
    logits = torch.tensor([[log(3.0), 0.0], [1.0, 1.0]])
    assert max_softmax(logits).tolist() == pytest.approx([0.75, 0.5])
    assert negative_energy(logits).tolist() == pytest.approx([log(4), log(2 * e)])
    assert negative_energy(logits, 2.0).tolist() == pytest.approx([2 * log(3**0.5 + 1), 2 * log(2 * e**0.5)])


def test_auroc_is_the_probability_of_a_higher_score():
    random = torch.Generator().manual_seed(0)
    inside = torch.randint(0, 20, (60,), generator=random).double() + 4
    outside = torch.randint(0, 20, (45,), generator=random).double()
    pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(inside.tolist(), outside.tolist())]
    assert detection(inside, outside)["auroc"] == pytest.approx(sum(pairs) / len(pairs))


def test_fpr95_by_definition():
    inside = torch.arange(1.0, 101.0)
    outside = torch.tensor([0.0, 5.0, 5.9, 6.0, 50.0])
    # 95 of 100 inside images score 6 or more; two of the five others do as well.
    assert detection(inside, outside)["fpr95"] == pytest.approx(2 / 5)
    # 95 % of 10 images are all of them, whose lowest score is 1.
    assert detection(inside[:10], outside)["fpr95"] == pytest.approx(4 / 5)


@pytest.mark.parametrize("seed", range(5))
def test_fpr95_and_auroc_agree_with_the_curve_of_scikit_learn(seed):
    from sklearn.metrics import auc, roc_curve

    random = torch.Generator().manual_seed(seed)
    inside = torch.randn(123, generator=random).mul(4).round() + 3
    outside = torch.randn(77, generator=random).mul(4).round()
    truth = [1] * len(inside) + [0] * len(outside)
    fpr, tpr, _ = roc_curve(truth, torch.cat([inside, outside]).numpy(), drop_intermediate=False)
    found = detection(inside, outside)
    assert found["fpr95"] == pytest.approx(fpr[tpr >= 0.95].min())
    assert found["auroc"] == pytest.approx(auc(fpr, tpr))


def test_aupr_by_hand_in_both_conventions():
    # Ordered from the highest score: inside, outside, inside, outside.
    found = detection(torch.tensor([4.0, 2.0]), torch.tensor([3.0, 1.0]))
    assert found["aupr"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found["aupr_out"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    unequal = detection(torch.tensor([4.0]), torch.tensor([3.0, 1.0]))
    assert (unequal["aupr"], unequal["aupr_out"]) == (1.0, 1.0)
    wrong = detection(torch.tensor([0.0]), torch.tensor([3.0, 1.0]))
    assert (wrong["aupr"], wrong["aupr_out"]) == (pytest.approx(1 / 3), pytest.approx((1 / 2 + 2 / 3) / 2))


def test_a_digits_network_tells_noise_from_digits_but_not_digits_from_digits():
    network, inside = trained_network().eval(), held_out_digits(300)
    noise = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)).round()
    images, labels = held_out_digits(397)
    with torch.no_grad():
        strange = OutOfDistribution().figures(examinee(network, inside, (noise, torch.zeros(200).long())))
        same = OutOfDistribution().figures(examinee(network, inside, (images[300:], labels[300:])))
    for score in ("msp", "energy"):
        assert set(strange) == {
            f"ood/{s}/{f}" for s in ("msp", "energy") for f in ("auroc", "aupr", "aupr_out", "fpr95")
        }
        assert strange[f"ood/{score}/auroc"] > 0.8
        assert 0.35 < same[f"ood/{score}/auroc"] < 0.65


def test_a_set_that_is_not_there_is_refused_before_training(tmp_path):
    with pytest.raises(UserError, match="absent"):
        OutOfDistribution(data=DataSettings(name=str(tmp_path / "absent"))).require()
    OutOfDistribution().require()


def test_the_limit_holds_for_both_sets():
    seen: list[int] = []

    def predict(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return images.flatten(1)[:, :2]

    both = held_out_digits(100)
    OutOfDistribution(limit=30).figures(examinee(predict, both, both))
    assert sum(seen) == 60
