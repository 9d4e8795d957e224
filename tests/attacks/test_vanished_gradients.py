"""A gradient that vanished is counted, tried again under a loss without scale, and never taken for robustness."""

import copy

import pytest
import torch
from torch import Tensor, nn

from robust_tickets.attacks import APGD, PGD, Attack, AttackLog, AutoAttack, GradientCounts, Square, Threat
from robust_tickets.attacks.losses import logits_ratio
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.foundation.seeds import generator
from robust_tickets.measures.accuracy import accuracy
from robust_tickets.measures.evaluation import Evaluation, evaluate
from robust_tickets.measures.robust_accuracy import robust_correctness
from robust_tickets.measures.robustness_curve import RobustnessCurve
from tests.measures.examinees import examinee
from tests.measures.test_evaluation import needs_autoattack
from tests.objectives.digits import digits, trained_network

GRADIENT_ATTACKS = [PGD(), APGD(steps=20)]


class Scaled(nn.Module):
    """The digits network with larger logits: the same decisions, a cross-entropy that underflows."""

    def __init__(self, factor: float = 300.0, classes: int = 10) -> None:
        super().__init__()
        self.body, self.factor, self.classes = copy.deepcopy(trained_network()), factor, classes

    def forward(self, images: Tensor) -> Tensor:
        return self.factor * self.body(images)[:, : self.classes]


class Rounded(nn.Module):
    """The digits network on inputs rounded to eighths: it has no gradient under any loss."""

    def __init__(self) -> None:
        super().__init__()
        self.body = copy.deepcopy(trained_network())

    def forward(self, images: Tensor) -> Tensor:
        return self.body((8 * images).round() / 8)


class Root(nn.Module):
    """The digits network by way of the root of the square, whose gradient at a black pixel is 0 times infinity."""

    def __init__(self) -> None:
        super().__init__()
        self.body = copy.deepcopy(trained_network())

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images.square().sqrt())


def measured(
    network: nn.Module, by: Attack, count: int = 200, threat: Threat | None = None
) -> tuple[float, GradientCounts | None]:
    _, _, images, labels = digits()
    log = AttackLog()
    threat = threat or Threat(epsilon=0.1, steps=20)
    with evaluation_mode(network, "cpu") as predict:
        batches = list(zip(images[:count].split(64), labels[:count].split(64), strict=True))
        found = evaluate(predict, batches, Evaluation.model_validate({"attack": by, "threat": threat}), 0, log=log)
    return accuracy(found.robust), log.gradients


@pytest.mark.parametrize("by", GRADIENT_ATTACKS, ids=["pgd", "apgd"])
def test_large_logits_do_not_make_a_network_robust(by: Attack) -> None:
    plain, healthy = measured(trained_network(), by)
    scaled, counts = measured(Scaled(), by)
    assert scaled == pytest.approx(plain, abs=0.04)
    assert healthy is not None
    assert healthy == GradientCounts(attacked=healthy.attacked)
    assert counts is not None
    assert counts.attacked == healthy.attacked
    assert counts.vanished > 0.8
    assert counts.throughout >= 0.8 * counts.attacked
    assert counts.recovered > 0.25 * counts.attacked
    assert (counts.blind, counts.probed) == (0, 0)


def test_pgd_alone_would_have_called_it_robust() -> None:
    """What is mended: plain PGD, as in training, leaves nearly every image of the scaled network standing."""
    _, _, images, labels = digits()
    batch = [(images[:200], labels[:200])]
    with evaluation_mode(Scaled(), "cpu") as predict:
        plain = robust_correctness(predict, batch, Threat(epsilon=0.1, steps=20), torch.Generator().manual_seed(0))
    assert accuracy(plain.robust) > accuracy(plain.clean) - 0.05


@pytest.mark.parametrize("by", GRADIENT_ATTACKS, ids=["pgd", "apgd"])
def test_rounded_inputs_are_searched_without_gradients(by: Attack) -> None:
    robust, counts = measured(Rounded(), by, 100)
    black_box, none = measured(Rounded(), Square(queries=300), 100)
    assert none is None
    assert counts is not None
    assert counts.vanished == 1
    assert counts.throughout == counts.retried == counts.attacked
    assert counts.blind == counts.probed == counts.attacked - counts.recovered
    assert counts.found > 0.25 * counts.probed
    assert robust == pytest.approx(black_box, abs=0.06)


def test_the_random_search_keeps_its_budget() -> None:
    _, counts = measured(Rounded(), PGD(), 150)
    assert counts is not None
    assert counts.blind > counts.probed == 100


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("by", GRADIENT_ATTACKS, ids=["pgd", "apgd"])
def test_a_gradient_that_is_not_finite_makes_no_image_of_nan(by: Attack, norm: str) -> None:
    _, _, images, labels = digits()
    threat = Threat.model_validate({"norm": norm, "epsilon": 0.1, "steps": 5, "random_start": False})
    log = AttackLog()
    with evaluation_mode(Root(), "cpu") as predict:
        # The sign of NaN is 0; a length of NaN takes the image along.
        plain = pgd(predict, images[:50], labels[:50], threat, torch.Generator())
        assert plain.isfinite().all() == (norm == "linf")
        found = by.attacker(predict, threat, 0, log)(images[:50], labels[:50])
    assert found.isfinite().all()
    order = float("inf") if norm == "linf" else 2
    assert torch.linalg.vector_norm((found - images[:50]).flatten(1), ord=order, dim=1).max() <= 0.1 + 1e-6
    assert log.gradients is not None
    assert log.gradients.at_start > 0


@pytest.mark.parametrize("restarts", [1, 3])
def test_a_healthy_network_meets_the_plain_attack_bit_for_bit(restarts: int) -> None:
    _, _, images, labels = digits()
    threat = Threat(epsilon=0.06, steps=5, restarts=restarts)
    evaluation = Evaluation(threat=threat)
    with evaluation_mode(trained_network(), "cpu") as predict:
        expected = robust_correctness(predict, [(images, labels)], threat, generator(0, "evaluation"))
        found = evaluate(predict, [(images, labels)], evaluation, 0)
    assert torch.equal(found.robust, expected.robust)


@pytest.mark.parametrize("by", [PGD(), APGD(steps=5)], ids=["pgd", "apgd"])
def test_trying_again_leaves_no_trace(by: Attack) -> None:
    for network in (Scaled().train(), Rounded().train()):
        weight, last = network.body.get_parameter("0.weight"), network.body.get_parameter("7.weight")
        weight.grad = torch.ones_like(weight)
        before, chance = copy.deepcopy(network.state_dict()), torch.random.get_rng_state()
        measured(network, by, 20, Threat(epsilon=0.1, steps=2))
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
        assert torch.equal(torch.random.get_rng_state(), chance)
        assert all(module.training for module in network.modules())
        assert all(parameter.requires_grad for parameter in network.parameters())
        assert weight.grad is not None
        assert weight.grad.eq(1).all()
        assert last.grad is None


def test_pixels_are_tried_again_too() -> None:
    torch.manual_seed(0)
    # No biases, so that the class depends on the image.
    layers = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Conv2d(8, 4, 1, bias=False)
    network = nn.Sequential(layers[0], nn.Tanh(), layers[1]).eval()
    for layer in layers:
        layer.weight.data.mul_(3)
    images = torch.rand(6, 3, 8, 8)
    labels = network(images).argmax(1)
    labels[:, 0] = -100
    log = AttackLog()
    threat = Threat(epsilon=0.3, steps=10, random_start=False)

    def scaled(points: Tensor) -> Tensor:
        return 1e6 * network(points)

    with evaluation_mode(network, "cpu"):
        found = PGD().attacker(scaled, threat, 0, log)(images, labels)
        wrong = ((network(found).argmax(1) != labels) & (labels >= 0)).float().mean()
    assert log.gradients is not None
    assert log.gradients.retried > 0
    assert wrong > 0.5


def by_hand(logits: Tensor, label: int) -> float:
    """Equation 6 of Croce and Hein (2020), written out."""
    ordered = sorted(logits.tolist(), reverse=True)
    others = max(value for number, value in enumerate(logits.tolist()) if number != label)
    return -(logits[label].item() - others) / (ordered[0] - ordered[2])


@pytest.mark.parametrize("classes", [3, 4, 10])
def test_the_logits_ratio_is_equation_6(classes: int) -> None:
    logits = torch.randn(50, classes, generator=torch.Generator().manual_seed(classes))
    labels = torch.arange(50) % classes
    expected = [by_hand(row, int(label)) for row, label in zip(logits, labels, strict=True)]
    assert logits_ratio(logits, labels).tolist() == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(logits_ratio(1000 * logits + 5, labels), logits_ratio(logits, labels), atol=1e-4)


def test_three_classes_are_divided_by_the_whole_range() -> None:
    logits = torch.tensor([[4.0, 1.0, 2.0], [4.0, 1.0, 2.0]])
    assert logits_ratio(logits, torch.tensor([0, 1])).tolist() == pytest.approx([-2 / 3, 3 / 3])


def test_of_two_classes_it_is_the_margin_and_has_a_gradient() -> None:
    logits = torch.tensor([[400.0, 100.0], [400.0, 100.0]], requires_grad=True)
    loss = logits_ratio(logits, torch.tensor([0, 1]))
    assert loss.tolist() == [-300, 300]
    loss.sum().backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [[-1, 1], [1, -1]]


@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes_are_attacked_as_ten_are(classes: int) -> None:
    _, _, images, labels = digits()
    some = labels < classes
    batch, threat = [(images[some], labels[some])], Threat(epsilon=0.25, steps=20)

    def robust(network: nn.Module, by: Attack) -> float:
        with evaluation_mode(network, "cpu") as predict:
            return accuracy(
                evaluate(predict, batch, Evaluation.model_validate({"attack": by, "threat": threat}), 0).robust
            )

    reference = robust(Scaled(1.0, classes), PGD())
    assert reference < 0.5
    for by in (PGD(), APGD(steps=20), APGD(steps=20, loss="dlr")):
        assert robust(Scaled(300.0, classes), by) == pytest.approx(reference, abs=0.06), by


@needs_autoattack
@pytest.mark.parametrize("classes", [2, 3])
def test_autoattack_has_a_loss_without_scale_for_few_classes(
    classes: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyautoattack import AutoAttack as Ensemble

    _, _, images, labels = digits()
    some = (labels < classes).nonzero().squeeze(1)[:12]
    stages: list[tuple[str, int]] = []
    asked = Ensemble.run_standard_evaluation

    def counted(self: Ensemble, *arguments: Tensor, **options: int) -> tuple[Tensor, Tensor]:
        found = asked(self, *arguments, **options)
        stages.append((str(self.attacks_to_run[0]), len(arguments[0])))  # pyright: ignore[reportOptionalSubscript]
        return found

    monkeypatch.setattr(Ensemble, "run_standard_evaluation", counted)
    log = AttackLog()
    with evaluation_mode(Scaled(300.0, classes), "cpu") as predict:
        AutoAttack().attacker(predict, Threat(epsilon=0.5), 0, log)(images[some], labels[some])
    # Cross-entropy sees nothing, the ratio's forms for few classes everything.
    assert stages == [("apgd-ce", 12), ("apgd-dlr", 12)]
    assert log.gradients is not None
    assert log.gradients.vanished == 1
    assert "DLR" not in caplog.text


def test_a_measure_tells_what_share_vanished() -> None:
    _, _, images, labels = digits()
    measures = [Evaluation(threat=Threat(epsilon=0.1, steps=5)), RobustnessCurve(epsilons=(0.0, 0.1), steps=5)]
    for measure in measures:
        for network, share in ((Scaled(), 0.8), (trained_network(), 0.0)):
            with evaluation_mode(network, "cpu") as predict:
                figures = measure.figures(examinee(predict, (images[:60], labels[:60])))
            assert figures["gradient/vanished"] >= share
            assert (figures["gradient/vanished"] > 0) == (share > 0)
            assert figures.get("gradient/blind", 0) == 0
    with evaluation_mode(trained_network(), "cpu") as predict:
        square = Evaluation(attack=Square(queries=5)).figures(examinee(predict, (images[:20], labels[:20])))
    assert list(square) == ["clean", "robust"]
