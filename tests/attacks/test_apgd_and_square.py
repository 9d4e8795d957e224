"""APGD and Square: within ball and box, as strong as the reference, the same whatever the batch."""

import importlib.util
from math import inf

import pytest
import torch
from torch import Tensor, nn

from robust_tickets.attacks import APGD, PGD, Attack, Misclassification, Square, Threat
from robust_tickets.attacks.apgd import checkpoints, climb, random_start
from robust_tickets.attacks.image_streams import image_streams
from robust_tickets.attacks.losses import cross_entropy, logits_ratio
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.attacks.square import margin, search
from robust_tickets.attacks.square_shapes import bump, side_length
from robust_tickets.measures.robust_accuracy import withstanding
from tests.objectives.digits import digits, trained_network

BALLS = [{"norm": "linf", "epsilon": 0.1}, {"norm": "l2", "epsilon": 0.7}]
ATTACKS = [APGD(steps=20), APGD(steps=20, loss="dlr"), Square(queries=100)]

needs_reference = pytest.mark.skipif(
    importlib.util.find_spec("pyautoattack") is None, reason="needs the extra robust-tickets[robust]"
)


def classes(points: Tensor) -> Tensor:
    with evaluation_mode(trained_network(), "cpu") as predict, torch.no_grad():
        return predict(points).argmax(1)


def some(count: int) -> tuple[Tensor, Tensor]:
    """Return test images that the network classifies correctly."""
    _, _, images, labels = digits()
    right = classes(images) == labels
    return images[right][:count], labels[right][:count]


def attacked(attack: Attack, threat: Threat, images: Tensor, labels: Tensor, seed: int = 0) -> Tensor:
    with evaluation_mode(trained_network(), "cpu") as predict:
        return attack.attacker(predict, threat, seed)(images, labels)


def robust(attack: Attack, threat: Threat, images: Tensor, labels: Tensor, seed: int = 0) -> int:
    with evaluation_mode(trained_network(), "cpu") as predict:
        found = withstanding(predict, [(images, labels)], attack.attacker(predict, threat, seed))
    return int(found.robust.sum())


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("attack", ATTACKS, ids=["ce", "dlr", "square"])
def test_what_is_found_is_in_the_ball_and_the_box_and_fools(attack: Attack, ball: dict) -> None:
    images, labels = some(60)
    found = attacked(attack, Threat(**ball), images, labels)
    order = inf if ball["norm"] == "linf" else 2
    assert torch.linalg.vector_norm((found - images).flatten(1), ord=order, dim=1).max() <= ball["epsilon"] + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert (classes(found) == labels).float().mean() < 0.8


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("attack", ATTACKS, ids=["ce", "dlr", "square"])
def test_an_image_meets_the_same_fate_in_any_batch(attack: Attack, ball: dict) -> None:
    images, labels = some(12)
    threat = Threat(restarts=2, **ball)
    whole = attacked(attack, threat, images, labels)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    parts = [attacked(attack, threat, images[part], labels[part]) for part in order.split(5)]
    assert torch.equal(classes(whole)[order], classes(torch.cat(parts)))
    # Rounding in a batch of another size may turn the sign of a gradient that is nearly zero.
    assert ((whole[order] - torch.cat(parts)).abs() < 1e-4).float().mean() > 0.9


@pytest.mark.parametrize("attack", ATTACKS, ids=["ce", "dlr", "square"])
def test_one_seed_gives_one_result(attack: Attack) -> None:
    images, labels = some(16)
    first, again, other = (attacked(attack, Threat(epsilon=0.05), images, labels, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("attack", [APGD(steps=1), Square(queries=20)], ids=["apgd", "square"])
def test_restarts_only_ever_fool_more(attack: Attack, ball: dict) -> None:
    images, labels = some(100)
    once, often = (attacked(attack, Threat(restarts=restarts, **ball), images, labels) for restarts in (1, 6))
    stands_once, stands = (classes(points) == labels for points in (once, often))
    assert not (stands & ~stands_once).any()
    assert stands.sum() < stands_once.sum()


@pytest.mark.parametrize("ball", BALLS)
def test_apgd_keeps_its_best_point(ball: dict) -> None:
    """The loss it returns is that of the point it returns, and never falls with more steps."""
    images, labels = some(60)
    threat = Threat(**{**ball, "epsilon": ball["epsilon"] / 3})
    start = random_start(images, threat, image_streams(images, 0))
    with evaluation_mode(trained_network(), "cpu") as predict:
        found = [climb(predict, images, labels, threat, start, Misclassification(), steps) for steps in (1, 2, 4)]
        values = [cross_entropy(predict(one.points), labels).detach() for one in found]
        fooled = [predict(one.points).argmax(1) != labels for one in found]
    for one, value, beaten in zip(found, values, fooled, strict=True):
        assert torch.allclose(one.value, value, atol=1e-4)
        assert torch.equal(one.fooled, beaten)
    # Below five steps no two checkpoints differ, so that a longer search goes on from a shorter one.
    assert (values[1] >= values[0] - 1e-5)[~fooled[1]].all()
    assert values[2].mean() > values[0].mean()


def test_apgd_looks_again_where_the_paper_does() -> None:
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert all(one < other <= 7 for one, other in zip([0, *checkpoints(7)], checkpoints(7), strict=False))


def test_the_logits_ratio_is_blind_to_scale_and_shift() -> None:
    logits = torch.tensor([[3.0, 1.0, 0.0, -1.0], [3.0, 1.0, 0.0, -1.0]])
    labels = torch.tensor([0, 2])
    ratio = logits_ratio(logits, labels)
    assert ratio.tolist() == pytest.approx([-2 / 3, 1.0])
    assert torch.allclose(logits_ratio(10 * logits + 5, labels), ratio)


def test_square_asks_for_no_gradient_and_keeps_its_budget() -> None:
    images, labels = some(40)
    network, seen = trained_network().eval(), 0

    def predict(points: Tensor) -> Tensor:
        nonlocal seen
        assert not points.requires_grad
        assert not torch.is_grad_enabled()
        seen += 1
        return network(points)

    Square(queries=50).attacker(predict, Threat(epsilon=0.02), 0)(images, labels)
    assert seen == 50


@pytest.mark.parametrize("ball", BALLS)
def test_square_never_lets_the_margin_rise(ball: dict) -> None:
    images, labels = some(60)
    network = trained_network().eval()
    threat = Threat(**{**ball, "epsilon": ball["epsilon"] / 2})
    before = torch.full((60,), inf)
    for queries in (1, 4, 16):
        # The schedule stretches with the budget; up to here every square has the first size.
        with torch.no_grad():
            points, left = search(network, images, labels, threat, image_streams(images, 0), queries, 1e-9)
            assert torch.allclose(left, margin(network(points), labels), atol=1e-4)
        assert (left <= before + 1e-6).all()
        before = left


def test_squares_shrink_along_the_papers_schedule() -> None:
    sides = [
        side_length(query, 10_000, 0.8, 224, 224, 1) for query in (0, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001)
    ]
    areas = [0.8 / 2**halvings for halvings in range(10)]
    assert sides == [round((area * 224 * 224) ** 0.5) for area in areas]
    assert side_length(4001 // 20, 500, 0.8, 224, 224, 1) == sides[6]
    assert side_length(9_999, 10_000, 0.8, 8, 8, 3) == 3


def test_the_l2_shape_is_a_hill_beside_its_negative() -> None:
    shape = bump(7)
    assert torch.linalg.vector_norm(shape).item() == pytest.approx(1)
    assert (shape[:3] > 0).all()
    assert (shape[3:] < 0).all()
    assert shape[:3].max() == shape[1, 3]


@pytest.mark.parametrize("size", [(3, 7, 12), (1, 3, 3), (2, 4, 9)])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_square_takes_images_of_any_shape(norm: str, size: tuple[int, int, int]) -> None:
    images = torch.rand(4, *size, generator=torch.Generator().manual_seed(0))
    network = nn.Sequential(nn.Flatten(), nn.Linear(images[0].numel(), 3))
    with torch.no_grad():
        labels = network(images).argmax(1)
    found = Square(queries=40).attacker(network, Threat(norm=norm, epsilon=0.9), 0)(images, labels)  # pyright: ignore
    assert found.shape == images.shape
    assert not torch.equal(found, images)


@pytest.mark.parametrize("ball", [*BALLS, {"norm": "linf", "epsilon": 0.06}])
def test_apgd_is_no_weaker_than_pgd_on_average(ball: dict) -> None:
    images, labels = some(150)
    by_pgd = sum(robust(PGD(), Threat(steps=20, **ball), images, labels, seed) for seed in range(3)) / 3
    assert robust(APGD(), Threat(**ball), images, labels) <= by_pgd + 1.5
    assert robust(APGD(loss="dlr"), Threat(**ball), images, labels) <= by_pgd + 3


@needs_reference
@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.filterwarnings("ignore:there are")
def test_as_strong_as_the_authors_code(ball: dict) -> None:
    """Robust accuracy at most 2 points above the authors' own, at an equal budget, on 150 images."""
    from pyautoattack.autopgd_base import APGDAttack
    from pyautoattack.square import SquareAttack

    images, labels = some(150)
    norm = "Linf" if ball["norm"] == "linf" else "L2"
    with evaluation_mode(trained_network(), "cpu") as predict, torch.random.fork_rng(devices=[]):
        common = {"norm": norm, "eps": ball["epsilon"], "device": "cpu"}
        references = {
            APGD(): APGDAttack(predict, loss="ce", **common),
            APGD(loss="dlr"): APGDAttack(predict, loss="dlr", **common),
            Square(queries=300): SquareAttack(predict, n_queries=300, **common),
        }
        for attack, reference in references.items():
            theirs = withstanding(predict, [(images, labels)], reference.perturb).robust.sum()
            assert robust(attack, Threat(**ball), images, labels) <= theirs + 3, attack
