import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.measures.corruption import Corruption
from robust_tickets.measures.corruptions.corrupt import corrupt
from robust_tickets.measures.corruptions.published import CIFAR_10_C, CORRUPTIONS, IMAGENET_C, SEVERITIES, published
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from tests.measures.examinees import examinee, held_out_digits
from tests.objectives.digits import trained_network
from tests.shared_data import SHARED, needs_shared


def pictures(count: int = 6, channels: int = 3, side: int = 32) -> Tensor:
    """Smooth random pictures of 8 bits."""
    coarse = torch.rand(count, channels, 6, 6, generator=torch.Generator().manual_seed(1))
    fine = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    return fine.mul(255).round().div(255)


def error(corrupted: Tensor, images: Tensor) -> float:
    return (corrupted - images).square().mean().sqrt().item()


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 72, 96), (1, 8, 8)])
def test_every_corruption_gives_images_of_8_bits_of_the_same_shape(name, shape):
    channels, height, width = shape
    images = pictures(3, channels, max(height, width))[..., :height, :width]
    for severity in (1, 5):
        corrupted = corrupt(images, name, severity, seed=0)
        assert corrupted.shape == images.shape
        assert corrupted.dtype == torch.float32
        assert corrupted.min() >= 0
        assert corrupted.max() <= 1
        assert torch.equal(corrupted.mul(255).round().div(255), corrupted)
        # Enlarged by a twentieth, eight pixels are eight pixels.
        assert torch.equal(corrupted, images) is (name == "zoom_blur" and height == 8 and severity == 1)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_an_images_corruption_does_not_depend_on_its_batch(name):
    images = pictures(7)
    whole = corrupt(images, name, 3, seed=5)
    parts = [corrupt(images[start : start + 3], name, 3, seed=5, first=start) for start in (0, 3, 6)]
    assert torch.equal(torch.cat(parts), whole)


RANDOM = [name for name in CORRUPTIONS if name not in
          {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}]  # fmt: skip


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_chance_comes_from_seed_and_number_alone(name):
    twice = pictures(1).expand(2, -1, -1, -1)
    first, second = corrupt(twice, name, 5, seed=0)
    other = corrupt(twice[:1], name, 5, seed=1)[0]
    assert torch.equal(first, second) is torch.equal(first, other) is (name not in RANDOM)


@pytest.mark.parametrize(
    "name", ["gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "zoom_blur", "brightness",
             "contrast", "pixelate", "jpeg_compression", "motion_blur"]
)  # fmt: skip
@pytest.mark.parametrize("side", [32, 80])
def test_higher_severities_do_more(name, side):
    images = pictures(8, side=side)
    errors = [error(corrupt(images, name, severity, seed=0), images) for severity in SEVERITIES]
    assert errors == sorted(errors)


def test_small_images_take_the_parameters_of_cifar_10_c_and_large_ones_those_of_imagenet_c():
    assert published(32, 32) is published(64, 64) is CIFAR_10_C
    assert published(65, 32) is published(224, 224) is IMAGENET_C
    assert set(CIFAR_10_C) == set(IMAGENET_C) == set(CORRUPTIONS)
    assert all(len(levels) == 5 for table in (CIFAR_10_C, IMAGENET_C) for levels in table.values())


@pytest.mark.parametrize(("side", "deviation"), [(32, 0.10), (128, 0.38)])
def test_noise_has_the_published_moments(side, deviation):
    grey = torch.full((20, 3, side, side), 128 / 255)
    noisy = corrupt(grey, "gaussian_noise", 5, seed=0)
    inside = (noisy > 0) & (noisy < 1)
    cut = torch.erf(torch.tensor(0.5 / deviation / 2**0.5)).item()
    assert inside.double().mean().item() == pytest.approx(cut, abs=0.02)
    assert noisy.double().mean().item() == pytest.approx(0.5, abs=0.01)
    photons = {32: 50, 128: 3}[side]
    counted = corrupt(torch.full((20, 3, side, side), 51 / 255), "shot_noise", 5, seed=0).double()
    steps = (counted * photons).round()
    assert torch.allclose((steps / photons * 255 + 1e-6).floor().clamp(max=255), counted * 255, atol=1e-4)
    assert steps.mean().item() == pytest.approx(0.2 * photons, rel=0.03)
    assert steps.var().item() == pytest.approx(0.2 * photons, rel=0.08)
    amount = {32: 0.07, 128: 0.27}[side]
    broken = corrupt(grey, "impulse_noise", 5, seed=0)
    assert (broken == 1).double().mean().item() == pytest.approx(amount / 2, rel=0.08)
    assert (broken == 0).double().mean().item() == pytest.approx(amount / 2, rel=0.08)


def test_contrast_and_brightness_by_hand():
    image = torch.tensor([[0.0, 102.0], [204.0, 255.0]]).div(255).expand(1, 3, 2, 2).clone()
    image[0, 1:] = torch.tensor([[0.0, 51.0], [0.0, 255.0]]).div(255)
    flat = corrupt(image, "contrast", 2, seed=0).mul(255)
    mean = torch.tensor([561 / 4, 306 / 4, 306 / 4])[:, None, None]
    assert torch.equal(flat[0], ((image[0] * 255 - mean) * 0.5 + mean + 1e-4).floor())
    # At severity 3 the value rises by 0.15 of 255: black becomes grey, (102, 51, 51) keeps hue and saturation.
    bright = corrupt(image, "brightness", 3, seed=0).mul(255).round()
    assert bright[0, :, 0, 0].tolist() == [38, 38, 38]
    assert bright[0, :, 0, 1].tolist() == [140, 70, 70]
    assert bright[0, :, 1, 0].tolist() == [242, 0, 0]
    assert bright[0, :, 1, 1].tolist() == [255, 255, 255]


def test_defocus_spreads_a_point_into_a_disk():
    point = torch.zeros(1, 1, 96, 96)
    point[..., 48, 48] = 1
    spread = corrupt(point * 200 / 255, "defocus_blur", 1, seed=0)[0, 0]
    rows, columns = torch.meshgrid(torch.arange(96) - 48, torch.arange(96) - 48, indexing="ij")
    inside = (rows**2 + columns**2) <= 9
    assert spread[inside].mul(255).round().unique().tolist() == [200 // 29]
    assert spread[~inside].max() == 0


def test_motion_runs_one_way_along_the_line():
    point = torch.zeros(16, 1, 32, 32)
    point[..., 16, 16] = 1
    moved = corrupt(point, "motion_blur", 3, seed=0)
    # One-sided along angles within 45 degrees: nothing arrives to the right of the point, little is lost.
    assert moved[..., 17:].max() == 0
    assert (moved[:, 0].sum((1, 2)) > 0.95).all()
    assert (moved[:, 0, 16, 16] < 0.5).all()


def test_glass_moves_pixels_of_a_flat_picture_nowhere_and_changes_no_colour():
    flat = torch.full((2, 3, 32, 32), 77 / 255)
    assert (corrupt(flat, "glass_blur", 5, seed=0) - flat).abs().max() <= 1.01 / 255
    picture = (torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    moved = corrupt(picture, "glass_blur", 1, seed=0)
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert 0.2 < (moved != picture).double().mean() < 0.5


def test_the_elastic_transform_of_severity_1_is_affine_for_small_images():
    ramp = torch.linspace(0.3, 0.7, 32).expand(4, 1, 32, 32).contiguous()
    warped = corrupt(ramp, "elastic_transform", 1, seed=0)[:, 0, 12:20, 12:20].double()
    second = warped[:, 2:] - 2 * warped[:, 1:-1] + warped[:, :-2]
    assert second.abs().max() <= 3 / 255
    assert error(corrupt(ramp, "elastic_transform", 1, seed=0), ramp) > 0.01


def test_pixelate_and_jpeg_are_pillows():
    images = pictures(2)
    for name, severity in (("pixelate", 4), ("jpeg_compression", 4)):
        corrupted = corrupt(images, name, severity, seed=0)
        for image, found in zip(images, corrupted, strict=True):
            picture = Image.fromarray(image.mul(255).round().byte().permute(1, 2, 0).numpy())
            if name == "pixelate":
                expected = picture.resize((24, 24), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX)
            else:
                file = io.BytesIO()
                picture.save(file, "JPEG", quality=50)
                expected = Image.open(file)
            assert np.array_equal(found.mul(255).round().byte().permute(1, 2, 0).numpy(), np.asarray(expected))


def test_fog_keeps_the_brightest_value_and_frost_is_bluish():
    images = pictures(8)
    foggy = corrupt(images, "fog", 5, seed=0)
    assert (foggy.amax((1, 2, 3)) <= images.amax((1, 2, 3)) + 1e-6).all()
    assert foggy.std((1, 2, 3)).mean() < images.std((1, 2, 3)).mean()
    frosted = corrupt(torch.zeros(200, 3, 32, 32), "frost", 5, seed=0).mean((0, 2, 3))
    # 0.45 of the mean colour of the five published photographs.
    assert frosted.tolist() == pytest.approx([0.45 * c for c in (0.572, 0.656, 0.70)], abs=0.03)


def test_figures_and_their_means():
    network = trained_network().eval()
    measure = Corruption(names=("gaussian_noise", "contrast"), severities=(1, 4))
    with torch.no_grad():
        found = measure.figures(examinee(network, held_out_digits(200), batch_size=64))
        again = measure.figures(examinee(network, held_out_digits(200), batch_size=23))
    assert found == again
    assert set(found) == {
        "corruption",
        *(f"corruption/{name}{level}" for name in measure.names for level in ("", "/1", "/4")),
    }
    for name in measure.names:
        mean = (found[f"corruption/{name}/1"] + found[f"corruption/{name}/4"]) / 2
        assert found[f"corruption/{name}"] == pytest.approx(mean)
    assert found["corruption"] == pytest.approx((found["corruption/gaussian_noise"] + found["corruption/contrast"]) / 2)
    assert measure.describe() == "2 corruptions at severities 1, 4"


def test_the_limit_counts_images():
    seen = []

    def predict(images: Tensor) -> Tensor:
        seen.append(len(images))
        return images.flatten(1)[:, :10]

    Corruption(names=("contrast",), severities=(2,), limit=20).figures(examinee(predict, held_out_digits(100)))
    assert sum(seen) == 20


@needs_shared
def test_a_public_network_loses_on_corrupted_cifar_10_what_it_is_known_to_lose():
    """A natural CIFAR ResNet falls from 92 % to below 60 % under noise at severity 5, and hardly under brightness."""
    assert SHARED is not None
    weights = str(SHARED / "weights" / "resnet20-12fca82f.th")
    preprocessing = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "size": 32}
    network = load_source(
        SourceSettings.model_validate({"name": "cifar/resnet20", "weights": weights, "preprocessing": preprocessing})
    ).network.eval()
    with np.load(SHARED / "cifar10" / "cifar10_test.npz", allow_pickle=False) as file:
        webp, offset, label = file["webp"], file["offset"], file["label"]
    files = (io.BytesIO(webp[offset[i] : offset[i + 1]].tobytes()) for i in range(200))
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    own = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(label[:200]).long()
    found = Corruption(names=("gaussian_noise", "brightness"), severities=(1, 5)).figures(examinee(network, own))
    assert found["corruption/brightness/1"] > 0.87
    assert found["corruption/brightness/5"] > 0.75
    assert 0.2 < found["corruption/gaussian_noise/5"] < 0.6
    assert found["corruption/gaussian_noise/1"] > found["corruption/gaussian_noise/5"] + 0.15
