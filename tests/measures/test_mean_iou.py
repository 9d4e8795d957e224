"""mIoU: over a whole set, as torchmetrics computes it; and attacks on every pixel's label."""

import pytest
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassJaccardIndex

from robust_tickets.attacks import Threat
from robust_tickets.attacks.losses import cross_entropy
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.seeds import generator
from robust_tickets.measures.mean_iou import MeanIoU, class_iou, confusion, mean_iou
from robust_tickets.objectives import PGDTraining
from robust_tickets.tasks.segmentation import PixelCrossEntropy

CLASSES = ("ground", "box", "disc", "tree")


def pairs(batches: int = 3) -> list[tuple[Tensor, Tensor]]:
    """Return images [4, 4, 6, 5] and labels, of which some count for nothing and one class never comes."""
    chance = torch.Generator().manual_seed(0)
    found = []
    for _ in range(batches):
        images = torch.rand(4, 4, 6, 5, generator=chance)
        labels = torch.randint(0, 3, (4, 6, 5), generator=chance)
        labels[torch.rand(labels.shape, generator=chance) < 0.2] = -100
        found.append((images, labels))
    return found


def first_three(images: Tensor) -> Tensor:
    """Give logits that never name the last class."""
    return images - torch.tensor([0, 0, 0, 9.0]).reshape(1, 4, 1, 1)


def test_it_is_torchmetrics_jaccard_index_of_the_whole_set() -> None:
    (matrix,) = MeanIoU(CLASSES).measured(first_three, pairs())
    index = MulticlassJaccardIndex(num_classes=4, ignore_index=-100)
    for images, labels in pairs():
        index.update(first_three(images).argmax(1), labels)
    assert mean_iou(matrix) == pytest.approx(index.compute().item(), abs=1e-6)
    counted = sum(int((labels >= 0).sum()) for _, labels in pairs())
    assert (int(matrix.sum()), matrix.shape) == (counted, (4, 4))
    assert class_iou(matrix)[3].isnan()


def test_it_does_not_depend_on_batches() -> None:
    score = MeanIoU(CLASSES)
    whole = [tuple(torch.cat(parts) for parts in zip(*pairs(), strict=True))]
    assert torch.equal(score.measured(first_three, pairs())[0], score.measured(first_three, whole)[0])


def test_by_hand() -> None:
    logits = nn.functional.one_hot(torch.tensor([[[0, 0, 1, 1]]]), 3).movedim(-1, 1).float()
    matrix = confusion(logits, torch.tensor([[[0, 1, 1, -100]]]), 3)
    assert matrix.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert mean_iou(matrix) == pytest.approx(0.5)
    assert mean_iou(torch.zeros(3, 3, dtype=torch.long)) == 0


def test_what_is_kept_gives_it_back() -> None:
    score = MeanIoU(CLASSES)
    (matrix,) = score.measured(first_three, pairs())
    packed = score.packed(matrix)
    assert torch.equal(score.unpacked(packed), matrix)
    assert packed["miou"] == score.value(matrix)
    assert packed["iou"]["tree"] is None
    assert packed["iou"]["ground"] == pytest.approx(class_iou(matrix)[0].item())


def labelling() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1))


@pytest.mark.parametrize("restarts", [1, 3])
def test_pgd_stays_in_its_ball_and_lowers_miou(restarts: int) -> None:
    network = labelling()
    images, labels = pairs(1)[0]
    with torch.no_grad():
        labels = torch.where(labels == -100, -100, network(images).argmax(1))
    threat = Threat(epsilon=0.1, steps=5, restarts=restarts)
    with evaluation_mode(network, "cpu") as predict:
        attacker = lambda x, y: pgd(predict, x, y, threat, generator(0, "test"))  # noqa: E731
        clean, robust = MeanIoU(CLASSES[:3]).measured(predict, [(images, labels)], [attacker])
        moved = attacker(images, labels)
    assert mean_iou(clean) == 1
    assert mean_iou(robust) < 0.7
    assert float((moved - images).abs().max()) <= 0.1 + 1e-6


def test_pixels_that_do_not_count_move_no_loss() -> None:
    images, labels = pairs(1)[0]
    other = images.clone()
    other.movedim(1, -1)[labels == -100] += 3
    for loss in (PixelCrossEntropy(0.1), lambda x, y: cross_entropy(x, y).sum()):
        assert torch.equal(loss(images, labels), loss(other, labels))
    counted = nn.functional.cross_entropy(images, labels)
    torch.testing.assert_close(PixelCrossEntropy(0)(images, labels), counted)
    assert PixelCrossEntropy(0)(images, torch.full_like(labels, -100)) == 0


def test_adversarial_training_takes_labels_of_pixels() -> None:
    network, (images, labels) = labelling(), pairs(1)[0]
    (loss,) = PGDTraining(threat=Threat(epsilon=0.05, steps=2)).losses(
        network, Batch(images, labels.clamp(min=-100, max=2)), PixelCrossEntropy(0), generator(0, "test")
    )
    clean = PixelCrossEntropy(0)(network(images), labels)
    assert bool(loss > clean)
