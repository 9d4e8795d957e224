"""An attack knows a task by its aim alone: outputs and targets may be of any kind."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from robust_tickets.attacks import APGD, PGD, Aim, Attack, AttackLog, AutoAttack, Misclassification, Square, Threat
from robust_tickets.attacks.losses import cross_entropy, logits_ratio
from robust_tickets.attacks.pgd import pgd
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator

CLASSES = frozenset({"pixel-inputs", "loss", "logits", "image-logits"})


@dataclass
class Found:
    """What a toy detector returns: for every image a heat map [N, 4]; no tensor itself."""

    heat: Tensor


class Detector(nn.Module):
    """Sums the quarters of an image, scaled: at 0 without any gradient."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, images: Tensor) -> Found:
        return Found(self.scale * nn.functional.adaptive_avg_pool2d(images, 2).flatten(1))


class Missed(Aim):
    """Every image has objects in quarters of its own number; an attack wants them all to fall below a threshold."""

    threshold = 0.48

    def loss(self, outputs: Found, targets: list[Tensor]) -> Tensor:
        return -torch.stack([heat[where].sum() for heat, where in zip(outputs.heat, targets, strict=True)])

    def succeeded(self, outputs: Found, targets: list[Tensor]) -> Tensor:
        below = [bool((heat[where] < self.threshold).all()) for heat, where in zip(outputs.heat, targets, strict=True)]
        return torch.tensor(below)


TARGETS = [torch.tensor([0]), torch.tensor([0, 1, 3]), torch.tensor([2, 3]), torch.tensor([1])]


def images() -> Tensor:
    return 0.3 + 0.4 * torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("restarts", [1, 3])
def test_targets_may_be_a_list_and_outputs_an_object(restarts: int) -> None:
    threat = Threat(epsilon=0.1, steps=10, restarts=restarts)
    found = pgd(Detector(), images(), TARGETS, threat, generator(0, "test"), Missed())
    moved = found - images()
    assert moved.abs().max() <= 0.1 + 1e-6
    quarters = nn.functional.adaptive_avg_pool2d(moved, 2).flatten(1)
    for where, moves in zip(TARGETS, quarters, strict=True):
        assert (moves[where] < -0.08).all()
    assert Missed().succeeded(Detector()(found), TARGETS).all()


def test_an_image_whose_aim_is_reached_is_not_attacked_again() -> None:
    sizes: list[int] = []

    class Counted(Detector):
        def forward(self, images: Tensor) -> Found:
            sizes.append(len(images))
            return super().forward(images)

    dark = images()
    dark[1:] = 0.2
    # The first image needs a far larger ball; the others have fallen before they are moved.
    dark[0] = 0.9
    pgd(Counted(), dark, TARGETS, Threat(epsilon=0.1, steps=2, restarts=3), generator(0, "test"), Missed())
    assert sizes == [4, 4, 4, 1, 1, 1, 1, 1, 1]


def test_a_vanished_gradient_is_counted_whatever_the_task() -> None:
    """Without a loss free of scale, and with targets that Square attack cannot take, nothing else is tried."""
    log = AttackLog()
    threat = Threat(epsilon=0.1, steps=2)
    bright = (images() + 0.3).clamp(0, 1)
    PGD().attacker(Detector(1e-30), threat, 0, log, Missed())(bright, TARGETS)
    assert log.gradients is not None
    assert (log.gradients.attacked, log.gradients.retried) == (4, 0)

    class Above(Missed):
        threshold = -1.0

    log = AttackLog()
    PGD().attacker(Detector(0.0), threat, 0, log, Above())(bright, TARGETS)
    assert log.gradients is not None
    assert log.gradients.vanished == 1
    assert (log.gradients.retried, log.gradients.blind, log.gradients.probed) == (0, 4, 0)
    assert log.figures()["gradient/blind"] == 1


def test_misclassification_of_images_and_of_pixels() -> None:
    aim, logits = Misclassification(), torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
    labels = torch.tensor([0, 2])
    assert aim.succeeded(logits, labels).tolist() == [False, True]
    assert aim.standing(logits, labels).tolist() == [1, 0]
    assert torch.equal(aim.loss(logits, labels), cross_entropy(logits, labels))
    assert torch.equal(aim.scale_free.loss(logits, labels), logits_ratio(logits, labels))
    assert aim.is_one_class(labels)
    pixels = logits.T[None, :, None, :].expand(2, -1, 1, -1)
    of_pixels = torch.tensor([[[0, 2]], [[1, -100]]])
    assert aim.succeeded(pixels, of_pixels).tolist() == [False, True]
    assert aim.standing(pixels, of_pixels).tolist() == [0.5, 0]
    assert not aim.is_one_class(of_pixels)


@pytest.mark.parametrize("attack", [APGD(), Square(), AutoAttack()], ids=lambda attack: attack.kind)
def test_what_an_attack_needs_is_compared_with_what_the_task_provides(attack: Any) -> None:
    attack.require_for("digits", "labels whole images", CLASSES, 10)
    with pytest.raises(UserError, match=f"scenes: labels pixels, but {attack.kind} attacks the class of an image; use"):
        attack.require_for("scenes", "labels pixels", CLASSES - {"image-logits"}, 10)
    with pytest.raises(UserError, match="digits: has one class"):
        attack.require_for("digits", "labels whole images", CLASSES, 1)


def test_pgd_needs_pixels_and_a_loss_alone() -> None:
    boxes: Attack = PGD()
    boxes.require_for("cells", "boxes objects", frozenset({"pixel-inputs", "loss"}), 1)
    with pytest.raises(UserError, match="x: has no targets, but pgd increases the loss of each image; leave it out"):
        boxes.require_for("x", "has no targets", frozenset({"pixel-inputs"}), 1)
    with pytest.raises(UserError, match="tales: has no pixels, which pgd moves; measure word-substitution instead"):
        boxes.require_for("tales", "labels whole texts", CLASSES - {"pixel-inputs"} | {"text-inputs"}, 2)
