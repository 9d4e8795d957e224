"""The loss of an image prior, pixel by pixel, and which networks have it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import robust_tickets as rt
from robust_tickets.tasks.image_prior import ImagePrior, SeenError
from tests.pictures import ramp, written


def made(height: int = 6, width: int = 8, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_the_loss_is_the_mean_square_over_what_is_known() -> None:
    seen, known = made(seed=1), torch.zeros(1, 1, 6, 8, dtype=torch.bool)
    known[0, 0, 2, 3] = known[0, 0, 5, 7] = True
    squares = [(made()[0, :, row, column] - seen[0, :, row, column]).square().sum() for row, column in ((2, 3), (5, 7))]
    loss = SeenError()(made(), {"seen": seen, "known": known})
    assert loss.item() == pytest.approx(sum(one.item() for one in squares) / (2 * 3), rel=1e-5)
    everywhere = SeenError()(made(), {"seen": seen, "known": torch.ones_like(known)})
    assert everywhere.item() == pytest.approx((made() - seen).square().mean().item(), rel=1e-5)


def test_pixels_that_are_lost_move_nothing() -> None:
    seen, known = made(seed=1), torch.ones(1, 1, 6, 8, dtype=torch.bool)
    known[..., :4] = False
    pictures = made().requires_grad_()
    (gradient,) = torch.autograd.grad(SeenError()(pictures, {"seen": seen, "known": known}), pictures)
    assert not bool(gradient[..., :4].any())
    assert bool((gradient[..., 4:] != 0).all())
    other = torch.where(known, seen, made(seed=2))
    losses = [SeenError()(made(), {"seen": one, "known": known}) for one in (seen, other)]
    assert torch.equal(losses[0], losses[1]), "whatever is seen there"


@pytest.mark.parametrize("factor", [2, 3])
def test_what_is_made_is_compared_as_small_as_what_is_seen(factor: int) -> None:
    picture, seen = made(6 * factor, 4 * factor), made(6, 4, seed=1)
    small = picture.reshape(1, 3, 6, factor, 4, factor).mean((3, 5))
    loss = SeenError()(picture, {"seen": seen, "known": torch.ones(1, 1, 6, 4, dtype=torch.bool)})
    assert loss.item() == pytest.approx((small - seen).square().mean().item(), rel=1e-5)


def test_only_a_generator_does_it(tmp_path: Path) -> None:
    task, generator = ImagePrior(), rt.load_source("prior/unet2-x0.25", weights="random")
    classifier = rt.load_source("demo/resnet4", weights="random")
    data = rt.load_data(written(ramp(12, 12), tmp_path / "ramp.png"), latent=generator.network.interface.noise)
    assert task.does_it(generator.network)
    assert task.has_head_for(generator.network, data)
    assert task.adapt(generator.network, data, "fresh", 0, "it") is generator.network, "it has no head to exchange"
    assert not task.does_it(classifier.network)
    with pytest.raises(rt.UserError, match=r"^it: takes images, and only a generator restores a picture; name one"):
        task.adapt(classifier.network, data, "fresh", 0, "it")
