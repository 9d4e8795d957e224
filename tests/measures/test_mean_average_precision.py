"""mAP: cases small enough to work out by hand, torchmetrics' own figure, and sets in which there is nothing to find."""

import sys
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.mean_average_precision import AveragePrecision
from robust_tickets.tasks.detection import Detection

Boxes = dict[str, Tensor]
A, B = [0, 0, 10, 10], [20, 20, 40, 40]
HALF = [0, 0, 10, 7]
"""Seven tenths of A: an overlap of 0.7, which counts at five of the ten thresholds (0.5 to 0.7)."""


def boxes(*found: tuple[Sequence[float], int] | tuple[Sequence[float], int, float]) -> Boxes:
    made = {
        "boxes": torch.tensor([one[0] for one in found], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor([one[1] for one in found], dtype=torch.long),
    }
    if not found or len(found[0]) == 3:
        made["scores"] = torch.tensor([one[2] for one in found if len(one) == 3], dtype=torch.float32)
    return made


class Said:
    """What a detector is said to have found."""

    device = torch.device("cpu")

    def __init__(self, found: list[Boxes]) -> None:
        self.found = found

    def detections(self) -> list[Boxes]:
        return self.found


def measured(found: list[Boxes], wanted: list[Boxes], classes: Sequence[str] = ("a", "b")) -> Tensor:
    """Measure one image a batch; the image says which it is."""

    def batches() -> Iterator[Batch]:
        for number, one in enumerate(wanted):
            yield Batch(torch.full((1, 1, 1, 1), float(number)), [one])

    (kept,) = AveragePrecision(classes).measured(lambda images: Said([found[int(images)]]), batches())
    return kept


CASES = {
    "all found": ([boxes((A, 0, 0.9), (B, 1, 0.8))], [boxes((A, 0), (B, 1))], (1.0, 1.0, 1.0, 1.0, 1.0)),
    "nothing found": ([boxes()], [boxes((A, 0), (B, 1))], (0.0, 0.0, 0.0, 0.0, 0.0)),
    "one class missed": ([boxes((A, 0, 0.9))], [boxes((A, 0), (B, 1))], (0.5, 0.5, 0.5, 1.0, 0.0)),
    "the class mistaken": ([boxes((A, 1, 0.9))], [boxes((A, 0))], (0.0, 0.0, 0.0, 0.0, None)),
    "too small a box": ([boxes((HALF, 0, 0.9))], [boxes((A, 0))], (0.5, 1.0, 0.0, 0.5, None)),
    "a class nobody has": ([boxes((A, 0, 0.9), (B, 1, 0.9))], [boxes((A, 0))], (1.0, 1.0, 1.0, 1.0, None)),
    # A surer mistake in an image without objects: precision is one half wherever something is found.
    "a mistake in an empty image": (
        [boxes((A, 0, 0.5)), boxes((B, 0, 0.9))],
        [boxes((A, 0)), boxes()],
        (0.5, 0.5, 0.5, 0.5, None),
    ),
    "no boxes at all": ([boxes((A, 0, 0.9))], [boxes()], (None, None, None, None, None)),
    "nothing anywhere": ([boxes()], [boxes()], (None, None, None, None, None)),
}


@pytest.mark.parametrize("case", CASES)
def test_cases_worked_out_by_hand(case: str) -> None:
    found, wanted, expected = CASES[case]
    wanted = [{name: one[name] for name in ("boxes", "labels")} for one in wanted]
    metric, kept = AveragePrecision(("a", "b")), measured(found, wanted)
    told = [None if value != value else pytest.approx(value, abs=1e-6) for value in kept.tolist()]
    assert told == list(expected)
    assert metric.value(kept) == pytest.approx(expected[0] or 0.0, abs=1e-6)
    packed = metric.packed(kept)
    assert list(packed) == ["map", "map_50", "map_75", "map_of"]
    assert list(packed["map_of"]) == ["a", "b"]
    assert torch.equal(metric.unpacked(packed).nan_to_num(-1), kept.nan_to_num(-1))
    assert metric.interval(kept) is None


def test_it_is_torchmetrics_own_figure() -> None:
    chance = torch.Generator().manual_seed(0)
    wanted, found = [], []
    for count in (3, 0, 5, 1):
        corners = torch.rand(count, 2, generator=chance) * 50
        true = torch.cat([corners, corners + 10 + 20 * torch.rand(count, 2, generator=chance)], 1)
        labels = torch.randint(3, (count,), generator=chance)
        wanted.append({"boxes": true, "labels": labels})
        noisy = true + torch.randn(count, 4, generator=chance)
        others = torch.tensor([[0.0, 0, 20, 20], [30, 30, 45, 60]])
        found.append(
            {
                "boxes": torch.cat([noisy, others]),
                "labels": torch.cat([labels, torch.tensor([0, 2])]),
                "scores": torch.rand(count + 2, generator=chance),
            }
        )
    theirs = MeanAveragePrecision(backend="faster_coco_eval", class_metrics=True)
    theirs.update(found, wanted)
    expected = theirs.compute()
    kept = measured(found, wanted, ("a", "b", "c"))
    assert 0.1 < kept[0] < 0.9
    assert kept[:3].tolist() == [float(expected[name]) for name in ("map", "map_50", "map_75")]
    assert kept[3:].tolist() == expected["map_per_class"].tolist()


def test_under_attack_every_image_is_met_and_the_attacked_ones_are_measured() -> None:
    wanted = [boxes((A, 0)), boxes((B, 0))]
    batch = Batch(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1), wanted)
    met = []

    def predict(images: Tensor) -> Said:
        return Said([boxes((A, 0, 0.9)) if value < 1 else boxes((B, 0, 0.9)) for value in images.flatten().tolist()])

    def attacker(images: Tensor, targets: list[Boxes]) -> Tensor:
        met.append((images.flatten().tolist(), len(targets)))
        return torch.zeros_like(images)

    clean, attacked = AveragePrecision(("a",)).measured(predict, [batch], [attacker])
    assert met == [([0.0, 1.0], 2)]
    assert (clean[0], round(float(attacked[0]), 2)) == (1.0, 0.5)


def test_a_missing_package_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    with pytest.raises(UserError, match=r"mAP needs the package faster-coco-eval: pip install 'robust-tickets\[detec"):
        measured([boxes()], [boxes()])


def test_label_smoothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"training\.label_smoothing: 0\.1 has no meaning for boxes") as caught:
        Detection().criterion(0.1)
    assert "\n" not in str(caught.value)
