import torch

from robust_tickets.data.examples import Examples, Listing
from robust_tickets.data.forms.built_in import digits, glyphs
from robust_tickets.data.images.arrays import ImageArrays
from robust_tickets.data.images.fit import Fit
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings, GlyphSettings

SMALL = GlyphSettings(count=520, size=12)


def pixels(letters: Listing) -> torch.Tensor:
    """The bytes, uint8 (N, C, H, W)."""
    assert isinstance(letters.inputs, ImageArrays)
    return letters.inputs.images


def digest(settings: GlyphSettings) -> str:
    return Examples(glyphs(settings, "train"), Fit((settings.size, settings.size), 1)).digest()


def test_the_count_size_and_classes_are_as_asked() -> None:
    splits = load_data(DataSettings(name="glyphs", glyphs=SMALL))
    assert len(splits.train) + len(splits.validation) == 520
    assert len(splits.test) == 130
    assert splits.size == (12, 12)
    assert splits.channels == 1
    assert splits.classes == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_classes_are_balanced() -> None:
    assert glyphs(SMALL, "train").labels.bincount().tolist() == [20] * 26


def test_bytes_depend_on_the_seed_and_not_on_threads() -> None:
    before, threads = digest(SMALL), torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    try:
        assert digest(SMALL) == before
    finally:
        torch.set_num_threads(threads)
    assert digest(SMALL.model_copy(update={"seed": 1})) != before


def test_test_letters_are_not_training_letters() -> None:
    train, test = (pixels(glyphs(SMALL, part)).flatten(1) for part in ("train", "test"))
    assert not {bytes(row.tolist()) for row in train} & {bytes(row.tolist()) for row in test}


def test_letters_can_be_told_apart_by_their_mean_images() -> None:
    train, test = (glyphs(GlyphSettings(count=2600), part) for part in ("train", "test"))
    images = pixels(train).flatten(1).float()
    means = torch.stack([images[train.labels == label].mean(0) for label in range(26)])
    nearest = torch.cdist(pixels(test).flatten(1).float(), means).argmin(1)
    assert (nearest == test.labels).float().mean() > 0.3  # chance is 0.04


def test_digits_are_all_there_with_a_fixed_stratified_test_part() -> None:
    splits, other_seed = load_data("digits"), load_data("digits", seed=7)
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 1797
    assert splits.test.digest() == other_seed.test.digest()
    assert splits.validation.digest() != other_seed.validation.digest()
    assert all(abs(count - 72) <= 2 for count in splits.test.labels.bincount().tolist())


def test_digits_use_the_whole_range_and_are_resized_as_asked() -> None:
    assert pixels(digits()).max() == 255
    splits = load_data("digits", size=16)
    image, label = splits.train[0]
    assert image.shape == (1, 16, 16)
    assert 0 <= image.min() < image.max() <= 1
    assert 0 <= label <= 9
