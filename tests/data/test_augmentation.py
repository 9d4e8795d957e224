import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter

from robust_tickets.data.augmentation import (
    Affine,
    Augmentation,
    FlipCrop,
    NoAugmentation,
    RandomResizedCrop,
    ScaleCrop,
    ScaleCropColour,
)
from robust_tickets.data.images.fit import Fit
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings

IMAGES = torch.rand(64, 3, 12, 12, generator=torch.Generator().manual_seed(0))
KINDS = [
    NoAugmentation(),
    FlipCrop(),
    FlipCrop(mode="reflect"),
    RandomResizedCrop(),
    Affine(),
    ScaleCrop(),
    ScaleCropColour(),
]


def draws(kind: Augmentation, count: int = 64, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, kind.uniforms, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_values_stay_in_the_box_and_each_sample_depends_on_its_own_draws(kind: Augmentation) -> None:
    uniforms = draws(kind)
    together = kind.apply(IMAGES, uniforms, (12, 12))
    assert together.shape == IMAGES.shape
    assert together.min() >= 0
    assert together.max() <= 1
    alone = kind.apply(IMAGES[5:6], uniforms[5:6], (12, 12))
    assert torch.allclose(alone[0], together[5], atol=1e-6)


def test_flip_crop_is_a_shift_and_a_flip_of_half_the_images() -> None:
    kind = FlipCrop(padding=0)
    changed = kind.apply(IMAGES, draws(kind), (12, 12))
    flipped = [torch.equal(after, before.flip(-1)) for after, before in zip(changed, IMAGES, strict=True)]
    kept = [torch.equal(after, before) for after, before in zip(changed, IMAGES, strict=True)]
    assert all(one or other for one, other in zip(flipped, kept, strict=True))
    assert 16 < sum(flipped) < 48


def test_flip_crop_pads_with_zeros_and_reaches_every_shift() -> None:
    kind = FlipCrop(padding=2, flip=False)
    changed = kind.apply(torch.ones(500, 1, 6, 6), draws(kind, 500), (6, 6))
    padded = torch.nn.functional.pad(torch.ones(1, 1, 6, 6), [2] * 4)
    windows = {bytes(padded[0, 0, y : y + 6, x : x + 6].byte().flatten().tolist()) for y in range(5) for x in range(5)}
    assert {bytes(image.byte().flatten().tolist()) for image in changed} == windows


def test_reflection_is_torch_s() -> None:
    kind = FlipCrop(padding=3, mode="reflect", flip=False)
    padded = torch.nn.functional.pad(IMAGES[:1], [3] * 4, mode="reflect")
    corner = kind.apply(IMAGES[:1], torch.zeros(1, 3), (12, 12))
    assert torch.equal(corner, padded[..., :12, :12])


def test_colours_change_by_at_most_as_much_as_is_asked_for_and_places_as_without() -> None:
    kind = ScaleCropColour(colour=0.3)
    uniforms = draws(kind)
    moved = ScaleCrop().apply(IMAGES, uniforms[:, :4], (12, 12))
    middle = torch.cat([uniforms[:, :4], torch.full((64, 3), 0.5)], 1)
    assert torch.allclose(kind.apply(IMAGES, middle, (12, 12)), moved, atol=1e-6)
    assert torch.equal(kind.matrices(uniforms), ScaleCrop().matrices(uniforms[:, :4]))
    brighter = torch.cat([uniforms[:, :4], torch.tensor([[1.0, 0.5, 0.5]]).expand(64, 3)], 1)
    assert torch.allclose(kind.apply(IMAGES, brighter, (12, 12)), (1.3 * moved).clamp(max=1), atol=1e-5)
    grey = torch.tensor([[0.5, 0.5, 0.0]]).expand(64, 3)
    paler = kind.apply(IMAGES, torch.cat([uniforms[:, :4], grey], 1), (12, 12))
    spread = (paler.amax(1) - paler.amin(1)) / (moved.amax(1) - moved.amin(1)).clamp(min=1e-6)
    assert torch.allclose(spread[moved.amax(1) > 0.01], torch.tensor(0.7), atol=1e-3)


def test_random_resized_crop_of_the_whole_image_is_a_resize() -> None:
    kind = RandomResizedCrop(scale=(1, 1), ratio=(1, 1), flip=False)
    assert torch.allclose(kind.apply(IMAGES, draws(kind), (12, 12)), IMAGES, atol=1e-5)
    image = Image.linear_gradient("L")
    fit = Fit((32, 32), 1)
    assert torch.equal(kind.photograph(image, draws(kind, 1), fit), fit(image))


def test_random_resized_crop_regions_lie_inside_and_have_the_drawn_area() -> None:
    kind = RandomResizedCrop()
    left, top, width, height = kind.regions(400, 300, draws(kind, 5000))
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + width <= 400 + 1e-9).all()
    assert (top + height <= 300 + 1e-9).all()
    area = width * height / (400 * 300)
    assert area.min() >= 0.079
    assert area.mean() == pytest.approx(0.53, abs=0.03)


def test_affine_rotates_about_the_centre() -> None:
    kind = Affine(degrees=90, shift=0)
    quarter = kind.apply(IMAGES, torch.tensor([[1.0, 0.5, 0.5]]).expand(64, 3), (12, 12))
    assert torch.allclose(quarter, IMAGES.rot90(1, (2, 3)), atol=1e-4)
    unchanged = kind.apply(IMAGES, torch.full((64, 3), 0.5), (12, 12))
    assert torch.allclose(unchanged, IMAGES, atol=1e-5)


def test_the_kind_names_the_type_and_typing_errors_are_found() -> None:
    adapter = TypeAdapter(Augmentation)
    assert adapter.validate_python({"kind": "flip-crop", "padding": 2}) == FlipCrop(padding=2)
    with pytest.raises(ValueError, match="does not match any of the expected tags"):
        adapter.validate_python({"kind": "flipcrop"})
    with pytest.raises(ValueError, match="the smaller first"):
        RandomResizedCrop(scale=(0.5, 0.1))


def test_digits_and_letters_are_never_mirrored_by_default() -> None:
    assert load_data("digits").augmentation == Affine()
    chosen = DataSettings(name="digits", augmentation=NoAugmentation())
    assert load_data(chosen).augmentation == NoAugmentation()
