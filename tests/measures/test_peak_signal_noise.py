"""PSNR and SSIM of restored pictures, by hand and as torchmetrics computes them."""

import json
import math

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.unit import DECIBEL
from robust_tickets.measures.peak_signal_noise import PeakSignalNoise, errors

PSNR = PeakSignalNoise(())


def pair(count: int = 3, sigma: float = 0.1, channels: int = 3) -> tuple[Tensor, Tensor]:
    """Return pictures [N, C, 24, 20] near clean ones, each with more noise than the one before."""
    chance = torch.Generator().manual_seed(0)
    clean = torch.rand(count, channels, 24, 20, generator=chance)
    noise = torch.randn(clean.shape, generator=chance) * sigma * torch.arange(1, count + 1).view(-1, 1, 1, 1)
    return (clean + noise).clamp(0, 1), clean


def measured(pictures: Tensor, clean: Tensor, size: int = 100) -> Tensor:
    """Return what is measured of a network that gives back its inputs, so many at once."""
    batches = [Batch(x, {"clean": y}) for x, y in zip(pictures.split(size), clean.split(size), strict=True)]
    return PSNR.measured(lambda x: x, batches)[0]


def test_psnr_of_one_picture_is_ten_log_ten_of_one_over_the_error() -> None:
    clean = torch.full((1, 3, 16, 16), 0.5)
    made = clean.clone()
    made[:, :, ::2] += 0.1
    # Half of the pixels are off by a tenth: the mean square is 0.005, or 23.01 dB.
    assert PSNR.value(errors(made, clean)) == pytest.approx(10 * math.log10(1 / 0.005), abs=1e-4)


def test_psnr_is_torchmetrics_mean_over_pictures() -> None:
    pictures, clean = pair()
    each = [
        peak_signal_noise_ratio(x[None], y[None], data_range=1.0).item() for x, y in zip(pictures, clean, strict=True)
    ]
    assert each[0] > each[1] > each[2]
    assert PSNR.value(measured(pictures, clean)) == pytest.approx(sum(each) / 3, abs=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_torchmetrics(channels: int) -> None:
    pictures, clean = pair(channels=channels)
    expected = structural_similarity_index_measure(pictures, clean, data_range=1.0, reduction="none")
    assert isinstance(expected, Tensor)
    found = errors(pictures, clean)
    torch.testing.assert_close(found[:, 1], expected.double().reshape(-1))
    assert PSNR.packed(found)["ssim"] == pytest.approx(expected.mean().item(), abs=1e-6)


def test_equal_pictures_have_an_ssim_of_one_and_a_finite_psnr() -> None:
    _, clean = pair()
    found = errors(clean, clean)
    torch.testing.assert_close(found[:, 1], torch.ones(3, dtype=torch.float64))
    assert PSNR.value(found) == pytest.approx(120)
    assert PSNR.packed(found)["mse"] == [0, 0, 0]


@pytest.mark.parametrize("side", [2, 3, 4, 5, 6])
def test_pictures_of_few_pixels_have_figures_too(side: int) -> None:
    pictures, clean = (one[..., :side, :side] for one in pair())
    assert bool(errors(pictures, clean).isfinite().all())
    torch.testing.assert_close(errors(clean, clean)[:, 1], torch.ones(3, dtype=torch.float64))
    assert bool((errors(pictures, clean)[:, 1] < 1).all())


def test_what_lies_beyond_black_and_white_is_cut_off() -> None:
    pictures, clean = pair()
    wild = pictures + 5 * (pictures - 0.5).sign() * (pictures.remainder(1) == 0)
    assert bool((wild > 1).any())
    assert torch.equal(errors(wild, clean), errors(pictures, clean))


def test_what_is_kept_gives_it_back() -> None:
    """The figure to the last bit; the SSIM of single pictures as their mean."""
    found = measured(*pair())
    kept = json.loads(json.dumps(PSNR.packed(found)))
    again = PSNR.unpacked(kept)
    assert torch.equal(again[:, 0], found[:, 0])
    assert PSNR.value(again) == PSNR.value(found) == kept["psnr"]
    assert PSNR.packed(again)["ssim"] == pytest.approx(kept["ssim"])


@pytest.mark.parametrize("size", [1, 2])
def test_it_does_not_depend_on_batches(size: int) -> None:
    pictures, clean = pair(5)
    whole = measured(pictures, clean)
    torch.testing.assert_close(measured(pictures, clean, size), whole)
    parts = [errors(x, y) for x, y in zip(pictures.split(size), clean.split(size), strict=True)]
    torch.testing.assert_close(PSNR.merged(parts), whole)
    assert len(whole) == 5


def test_more_is_better_and_it_is_in_decibels() -> None:
    assert PSNR.higher_is_better
    assert (PSNR.name, PSNR.key, PSNR.unit) == ("PSNR", "psnr", DECIBEL)
    assert PSNR.bounds == (0.0, None)
    black, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    assert PSNR.value(errors(black, white)) == 0, "the worst that there is"
