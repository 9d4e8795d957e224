"""Where a picture varies least, by brute force from what was made; and trainings that end there, or once they fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.models.sources import load_source
from robust_tickets.tasks.image_prior import ImagePrior
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.preview import show, watched
from robust_tickets.training.result import TrainingResult
from robust_tickets.training.settings import Training
from robust_tickets.training.steadiness import Steadiness
from robust_tickets.training.trainable import Trainable
from tests.training.small import Interrupted, Interruptible, equal
from tests.training.small import Run as Classification

SIDE = 12
ADAM = {
    "batch_size": 1,
    "optimiser": {"kind": "adamw", "lr": 0.02, "weight_decay": 0},
    "schedule": {"kind": "constant"},
    "precision": "fp32",
    "checkpoint_seconds": 0,
}


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> DataSplits:
    """Return a picture with noise, of which the clean one is known."""
    path = tmp_path_factory.mktemp("picture") / "ramp.png"
    ramp = np.linspace(0, 255, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8)
    Image.fromarray(ramp).save(path)
    settings = DataSettings.model_validate({"name": str(path), "restoration": {"noise": 0.1}})
    return load_data(settings, latent=network().interface.noise)


def network() -> Network:
    return load_source("prior/unet1-x0.25", weights="random").network


class Learning:
    """One training of a generator on a picture, what it made at each validation, and what it left."""

    def __init__(
        self,
        data: DataSplits,
        changes: dict[str, Any],
        folder: Path | None = None,
        stop_at: int | None = None,
        start: Network | None = None,
    ) -> None:
        training = Training.model_validate({**ADAM, **changes})
        self.network = start if start is not None else network()
        batches = Interruptible(data, training, 0, stop_at)
        job = Job(
            Trainable.of(self.network),
            batches,
            training,
            training.plan(batches.per_epoch),
            0,
            ImagePrior(),
            folder=folder,
        )
        self.made: list[Tensor] = []
        with watched(lambda pictures: self.made.append(pictures.clone())):
            self.result: TrainingResult = fit(job)
        self.rows = self.result.history

    def picture(self, data: DataSplits) -> Tensor:
        """Return what it makes in the end."""
        with torch.no_grad(), evaluation_mode(self.network, "cpu") as predict:
            return predict(data.train[0][0][None])


def variances(made: list[Tensor], window: int) -> list[float | None]:
    """Return (1/W) sum |x_w - mean x|^2 over the newest W of what was made, step by step."""
    found: list[float | None] = []
    for end in range(1, len(made) + 1):
        newest = [one.double().numpy() for one in made[max(0, end - window) : end]]
        mean = sum(newest) / len(newest)
        distances = [float(((one - mean) ** 2).sum()) for one in newest]
        found.append(sum(distances) / window if len(newest) == window else None)
    return found


def best_of(found: list[float | None]) -> int:
    """Return the place of the least variance."""
    return min((value, place) for place, value in enumerate(found) if value is not None)[1]


@pytest.mark.parametrize("window", [2, 5])
def test_the_variance_is_that_of_the_formula_once_the_window_is_full(window: int) -> None:
    chance = torch.Generator().manual_seed(0)
    made = [torch.rand(1, 3, 4, 5, generator=chance) for _ in range(9)]
    steadiness = Steadiness(window)
    found = [steadiness.variance(one) for one in made]
    assert found[: window - 1] == [None] * (window - 1)
    assert found[window - 1 :] == pytest.approx([value for value in variances(made, window) if value is not None])


def test_by_hand() -> None:
    steadiness = Steadiness(2)
    assert steadiness.variance(torch.tensor([[1.0, 2.0]])) is None
    # The mean is (2, 4): both are 1 + 4 away from it.
    assert steadiness.variance(torch.tensor([[3.0, 6.0]])) == pytest.approx(5)
    assert steadiness.variance(torch.tensor([[3.0, 6.0]])) == 0


def test_it_goes_on_from_its_state() -> None:
    made = torch.rand(8, 1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    whole, first, second = Steadiness(3), Steadiness(3), Steadiness(3)
    expected = [whole.variance(one) for one in made]
    found = [first.variance(one) for one in made[:4]]
    second.load_state(first.state())
    assert found + [second.variance(one) for one in made[4:]] == expected


def test_every_row_of_a_training_has_the_variance_of_what_was_made(noisy: DataSplits) -> None:
    done = Learning(noisy, {"epochs": 20, "validate_every": 2, "window": 4})
    assert len(done.made) == len(done.rows) == 10
    expected = variances(done.made, 4)
    assert [row["variance"] for row in done.rows[:3]] == [None] * 3
    assert [row["variance"] for row in done.rows[3:]] == pytest.approx(expected[3:], rel=1e-4)
    assert torch.equal(done.picture(noisy), done.made[-1]), "the last, unless it is told to keep others"


@pytest.mark.parametrize("ema", [0.0, 0.8])
def test_keep_steadiest_ends_on_the_weights_that_vary_least(noisy: DataSplits, ema: float) -> None:
    # A rate that grows too high, so that the least variance is somewhere in between.
    changes = {"epochs": 30, "window": 3, "keep": "steadiest", "ema": ema, "warmup": 40}
    done = Learning(noisy, {**changes, "optimiser": {**ADAM["optimiser"], "lr": 2.0}})
    best = best_of(variances(done.made, 3))
    assert 2 <= best < len(done.made) - 1
    assert torch.equal(done.picture(noisy), done.made[best])
    assert done.result.validation == done.rows[best]["validation_psnr"]


def test_patience_is_counted_from_the_steadiest_validation_on(noisy: DataSplits) -> None:
    changes = {"epochs": 60, "window": 3, "keep": "steadiest", "warmup": 40}
    done = Learning(noisy, {**changes, "patience": 4, "optimiser": {**ADAM["optimiser"], "lr": 2.0}})
    assert done.result.steps == len(done.rows) < 60
    found = variances(done.made, 3)
    assert best_of(found) == len(found) - 1 - 4
    assert torch.equal(done.picture(noisy), done.made[best_of(found)])


def test_patience_waits_for_the_window_to_fill(noisy: DataSplits) -> None:
    done = Learning(noisy, {"epochs": 30, "window": 8, "keep": "steadiest", "patience": 2})
    assert done.result.steps >= 8 + 2
    found = variances(done.made, 8)
    assert torch.equal(done.picture(noisy), done.made[best_of(found)])


def test_a_window_that_never_fills_ends_on_the_last_weights(noisy: DataSplits) -> None:
    done = Learning(noisy, {"epochs": 4, "window": 10, "keep": "steadiest"})
    assert torch.equal(done.picture(noisy), done.made[-1])


def test_nobody_has_to_judge_for_it(noisy: DataSplits) -> None:
    array = noisy.train[0][1]["seen"].numpy()
    alone = load_data(array, latent=network().interface.noise)  # pyright: ignore[reportArgumentType]
    done = Learning(alone, {"epochs": 12, "window": 3, "keep": "steadiest", "patience": 3})
    assert done.result.validation is None
    assert [row["validation_psnr"] for row in done.rows] == [None] * len(done.rows)
    assert torch.equal(done.picture(alone), done.made[best_of(variances(done.made, 3))])


@pytest.mark.parametrize(
    "changes",
    [
        {"keep": "steadiest", "window": 4},
        {"keep": "steadiest", "window": 4, "patience": 5, "validate_every": 2, "ema": 0.5},
        {"until": 0.02, "window": 2},
    ],
)
def test_a_training_cut_off_twice_ends_bit_for_bit_alike(
    noisy: DataSplits, changes: dict[str, Any], tmp_path: Path
) -> None:
    changes = {"epochs": 16, **changes}
    whole = Learning(noisy, changes, tmp_path / "whole")
    for steps, seconds in ((5, 0), (3, 1e6)):
        with pytest.raises(Interrupted):
            Learning(noisy, {**changes, "checkpoint_seconds": seconds}, tmp_path / "cut", steps)
    resumed = Learning(noisy, changes, tmp_path / "cut")
    assert equal(resumed.network.plain_state(), whole.network.plain_state())
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("cut", "whole")]
    assert logs[0] == logs[1]
    assert (resumed.result.steps, resumed.result.validation) == (whole.result.steps, whole.result.validation)


def test_training_stops_once_as_much_is_left_as_was_asked_for(noisy: DataSplits) -> None:
    losses = [row["loss"] for row in Learning(noisy, {"epochs": 40, "validate_every": 2}).rows]
    until = losses[8] * 1.0001
    first = next(place for place, loss in enumerate(losses) if loss <= until)
    stopped = Learning(noisy, {"epochs": 40, "validate_every": 2, "until": until})
    assert 0 < first < len(losses) - 1
    assert [row["loss"] for row in stopped.rows] == losses[: first + 1]
    assert stopped.result.steps == 2 * (first + 1)


def test_without_it_training_goes_on_even_where_nothing_is_left() -> None:
    black = load_data(np.zeros((SIDE, SIDE)), latent=network().interface.noise)  # pyright: ignore[reportArgumentType]
    start = network()
    with torch.no_grad():
        start.body.get_parameter("output.bias").fill_(-1e4)
    done = Learning(black, {"epochs": 5}, start=start)
    assert [row["loss"] for row in done.rows] == [0] * 5


@pytest.mark.parametrize("changes", [{"keep": "best"}, {"patience": 3}])
def test_nothing_is_selected_by_the_clean_picture(noisy: DataSplits, changes: dict[str, Any]) -> None:
    (name, value), *_ = changes.items()
    said = (
        rf"^training\.{name}: {value}: would select by the clean picture that judges in the end; use keep: steadiest$"
    )
    with pytest.raises(UserError, match=said):
        Learning(noisy, {"epochs": 3, **changes})


def test_only_pictures_are_steady() -> None:
    with pytest.raises(UserError, match=r"^training\.keep: steadiest: is for a single picture; use best or last$"):
        Classification(Training(epochs=1).plan(4), {"keep": "steadiest"})


def test_a_picture_is_a_batch_alone(noisy: DataSplits) -> None:
    with pytest.raises(UserError, match=r"^training needs data: a single picture is a batch; set batch_size: 1$"):
        Learning(noisy, {"epochs": 3, "batch_size": 8})


@pytest.fixture
def seen() -> Iterator[list[Tensor]]:
    found: list[Tensor] = []
    with watched(found.append):
        yield found
        show(torch.ones(1))
        assert found[-1].item() == 1, "whoever watched before watches on"


def test_who_watches_sees_pictures_until_the_end_of_the_context(seen: list[Tensor]) -> None:
    inner: list[Tensor] = []
    with watched(inner.append):
        show(torch.zeros(1))
    assert (len(inner), len(seen)) == (1, 0)
    with pytest.raises(ValueError, match="stop"), watched(inner.append):
        raise ValueError("stop")
    show(torch.zeros(1))
    assert (len(inner), len(seen)) == (1, 1)
