"""One picture as data: where it may come from, what is done to it, and what cannot be done to it."""

import hashlib
import math
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import robust_tickets as rt
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.latent_noise import LatentNoise
from robust_tickets.foundation.settings import parse
from tests.pictures import floats, written

NOISE = LatentNoise(depth=8, channels=3, reduction=1, scale=0.1, least=9, seed=0)
HEIGHT, WIDTH = 20, 24
COLOURED = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GREY = COLOURED[:, :, 0].copy()


def load(name: object, *, seed: int = 0, noise: LatentNoise = NOISE, **settings: Any) -> DataSplits:
    return rt.load_data(parse(rt.DataSettings, {"name": str(name), **settings}, "data"), latent=noise, seed=seed)


def degraded(name: object, seed: int = 0, size: Any = None, **restoration: Any) -> dict[str, Tensor]:
    """Return the targets of the training part."""
    return load(name, seed=seed, size=size, restoration=restoration).train[0][1]


@pytest.fixture
def picture(tmp_path: Path) -> str:
    return written(COLOURED, tmp_path / "picture.png")


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tiff"])
def test_a_file_is_one_picture_and_all_three_parts(tmp_path: Path, suffix: str) -> None:
    splits = load(written(COLOURED, tmp_path / f"picture{suffix}"), restoration={})
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (1, 1, 1)
    assert (splits.target_kind, splits.size, splits.channels) == ("picture", (HEIGHT, WIDTH), 3)
    for part in (splits.train, splits.validation, splits.test):
        noise, targets = part[0]
        assert torch.equal(noise, NOISE.drawn((HEIGHT, WIDTH)))
        assert torch.equal(targets["seen"], floats(COLOURED))
        assert torch.equal(targets["clean"], floats(COLOURED))
        assert bool(targets["known"].all())


OBJECTS: dict[str, tuple[Callable[[], object], np.ndarray]] = {
    "(H, W, 3)": (lambda: COLOURED, COLOURED),
    "(3, H, W)": (lambda: COLOURED.transpose(2, 0, 1), COLOURED),
    "(H, W)": (lambda: GREY, GREY),
    "(H, W, 1)": (lambda: GREY[:, :, None], GREY),
    "floats": (lambda: COLOURED / 255, COLOURED),
    "a tensor": (lambda: torch.from_numpy(COLOURED).permute(2, 0, 1), COLOURED),
    "an image of PIL": (lambda: Image.fromarray(COLOURED), COLOURED),
    "a grey image of PIL": (lambda: Image.fromarray(GREY), GREY),
    "a part": (lambda: {"train": Image.fromarray(COLOURED)}, COLOURED),
}


@pytest.mark.parametrize("form", OBJECTS)
def test_an_object_in_memory_is_one_picture_that_is_degraded_already(form: str) -> None:
    given, expected = OBJECTS[form]
    splits = rt.load_data(given(), latent=NOISE)  # pyright: ignore[reportArgumentType]
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (1, 0, 0)
    targets = splits.train[0][1]
    assert targets.keys() == {"seen", "known"}
    assert torch.equal(targets["seen"], floats(expected))
    assert "nobody knows what the picture should be, so that nothing is judged" in splits.notes


def test_a_file_of_which_nothing_is_said_is_degraded_already(picture: str) -> None:
    for splits in (load(picture), load(picture, restoration={"degraded": True}), rt.load_data(picture, latent=NOISE)):
        assert (len(splits.train), len(splits.validation), len(splits.test)) == (1, 0, 0)
        assert "clean" not in splits.train[0][1]


@pytest.mark.parametrize("name", ["china", "flower"])
def test_the_photographs_of_scikit_learn_have_names(name: str) -> None:
    from sklearn.datasets import load_sample_image

    splits = load(name, restoration={})
    assert splits.size == (427, 640)
    assert torch.equal(splits.train[0][1]["seen"], floats(load_sample_image(f"{name}.jpg")))
    assert load(name, size=(HEIGHT, WIDTH)).size == (HEIGHT, WIDTH)


def test_the_picture_is_turned_as_its_file_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURED).save(tmp_path / "turned.png", exif=exif)
    assert torch.equal(load(tmp_path / "turned.png").train[0][1]["seen"], floats(np.rot90(COLOURED, -1).copy()))


@pytest.mark.parametrize("sigma", [0.05, 0.1])
def test_noise_is_gaussian_with_the_standard_deviation_stated(tmp_path: Path, sigma: float) -> None:
    """On mid-grey, which is five of them and more away from black and white."""
    side = 100
    path = written(np.full((side, side, 3), 128, np.uint8), tmp_path / "grey.png")
    targets = degraded(path, noise=sigma)
    noise = (targets["seen"] - targets["clean"]).double()
    count = noise.numel()
    assert noise.mean().item() == pytest.approx(0, abs=5 * sigma / math.sqrt(count))
    assert noise.std().item() == pytest.approx(sigma, rel=5 / math.sqrt(2 * count))
    within = (noise.abs() < sigma).double().mean().item()
    assert within == pytest.approx(math.erf(1 / math.sqrt(2)), abs=5 * 0.5 / math.sqrt(count))
    assert (noise[0] * noise[1]).mean().item() == pytest.approx(0, abs=5 * sigma**2 / side), "channels have their own"


def test_values_stay_between_black_and_white(picture: str) -> None:
    seen = degraded(picture, noise=0.5)["seen"]
    assert seen.min() == 0
    assert seen.max() == 1


def test_every_seed_has_its_own_noise_and_its_own_lost_pixels(picture: str) -> None:
    first, again, other = (degraded(picture, seed, noise=0.2, lost=0.3) for seed in (0, 0, 1))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert torch.equal(first["clean"], other["clean"])
    assert not torch.equal(first["known"], other["known"])
    both = (first["known"] & other["known"]).expand(3, -1, -1)
    assert not bool((first["seen"] == other["seen"])[both].all())


def test_a_seed_of_the_data_wins_over_that_of_the_run(picture: str) -> None:
    def seen(data: int | None, run: int) -> Tensor:
        settings = parse(rt.DataSettings, {"name": picture, "seed": data, "restoration": {"noise": 0.2}}, "data")
        return rt.load_data(settings, latent=NOISE, seed=run).train[0][1]["seen"]

    assert torch.equal(seen(3, 0), seen(3, 1))
    assert torch.equal(seen(3, 0), seen(None, 3))
    assert not torch.equal(seen(3, 0), seen(None, 0))


def test_a_fresh_process_draws_the_same_bytes(picture: str) -> None:
    code = f"""
    from hashlib import sha256
    from robust_tickets.data.images.picture_files import read_picture
    from robust_tickets.data.restoration import Restoration, observed

    found = observed(read_picture({picture!r}), None, None, Restoration(noise=0.2, lost=0.3), 5)
    print(sha256(found.seen.numpy().tobytes() + found.known.numpy().tobytes()).hexdigest())
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    here = degraded(picture, 5, noise=0.2, lost=0.3)
    digest = hashlib.sha256(here["seen"].numpy().tobytes() + here["known"].numpy().tobytes())
    assert ran.stdout.split() == [digest.hexdigest()]


def test_the_noise_of_a_grey_picture_is_grey(tmp_path: Path) -> None:
    targets = degraded(written(GREY, tmp_path / "grey.png"), noise=0.2)
    seen = targets["seen"]
    assert seen.shape == (3, HEIGHT, WIDTH)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen, targets["clean"])
    coloured = degraded(written(COLOURED, tmp_path / "coloured.png"), noise=0.2)
    assert not torch.equal(*(coloured["seen"] - coloured["clean"])[:2])


def test_a_share_of_the_pixels_is_lost_in_all_channels(tmp_path: Path) -> None:
    side, share = 100, 0.3
    targets = degraded(written(np.full((side, side, 3), 200, np.uint8), tmp_path / "light.png"), lost=share)
    lost = ~targets["known"]
    assert lost.shape == (1, side, side)
    spread = math.sqrt(share * (1 - share)) / side
    assert lost.float().mean().item() == pytest.approx(share, abs=5 * spread)
    assert torch.equal(targets["seen"] == 0, lost.expand(3, -1, -1))
    assert bool((targets["clean"] == 200 / 255).all())


def test_white_pixels_of_a_mask_are_lost_and_no_others(picture: str, tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[3:9, 5:12], mask[15, :] = 255, 100
    targets = degraded(picture, lost=written(mask, tmp_path / "mask.png"))
    assert torch.equal(targets["known"][0], torch.from_numpy(mask != 255))
    assert torch.equal(targets["seen"], floats(COLOURED * (mask != 255)[:, :, None]))
    assert torch.equal(targets["clean"], floats(COLOURED))


def test_what_is_transparent_in_a_mask_is_not_lost(picture: str, tmp_path: Path) -> None:
    mask = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    mask[:, :, 3] = 0
    mask[2:5, 3:9, 3] = 255
    lost = degraded(picture, lost=written(mask, tmp_path / "mask.png"))["known"].logical_not()
    assert torch.equal(lost[0], torch.from_numpy(mask[:, :, 3] > 0))


def test_a_smaller_picture_has_the_means_of_squares(picture: str) -> None:
    targets = degraded(picture, factor=4)
    blocks = floats(COLOURED).reshape(3, HEIGHT // 4, 4, WIDTH // 4, 4).mean((2, 4))
    torch.testing.assert_close(targets["seen"], blocks)
    assert torch.equal(targets["clean"], floats(COLOURED))
    assert targets["known"].shape == (1, HEIGHT // 4, WIDTH // 4)


def test_noise_is_added_to_the_smaller_picture_and_its_pixels_are_lost(picture: str, tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    mask[2, 3] = 255
    targets = degraded(picture, factor=2, noise=0.1, lost=written(mask, tmp_path / "mask.png"))
    without = degraded(picture, factor=2, noise=0.1)["seen"]
    small = degraded(picture, factor=2)["seen"]
    noise = without - small
    assert noise.std().item() == pytest.approx(0.1, rel=0.15), "averaging it would leave half of that"
    assert not bool(targets["seen"][:, 2, 3].any())
    assert torch.equal(targets["seen"], without.masked_fill(~targets["known"], 0))


def test_a_degraded_picture_is_enlarged_and_its_reference_judges(picture: str, tmp_path: Path) -> None:
    large = np.random.default_rng(1).integers(0, 256, (2 * HEIGHT, 2 * WIDTH), dtype=np.uint8)
    reference = written(large, tmp_path / "reference.png")
    splits = load(picture, restoration={"factor": 2, "reference": reference})
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (1, 1, 1)
    assert splits.size == (2 * HEIGHT, 2 * WIDTH)
    noise, targets = splits.test[0]
    assert noise.shape == (8, 2 * HEIGHT, 2 * WIDTH)
    assert torch.equal(targets["seen"], floats(COLOURED))
    assert torch.equal(targets["clean"], floats(large))
    alone = load(picture, restoration={"factor": 2, "degraded": True})
    assert (alone.size, len(alone.test)) == ((2 * HEIGHT, 2 * WIDTH), 0)


def test_other_settings_are_other_data(picture: str, tmp_path: Path) -> None:
    """Which keep a run folder from being taken for that of another problem."""
    mask = written(np.eye(HEIGHT, WIDTH, dtype=np.uint8) * 255, tmp_path / "mask.png")
    same = written(COLOURED, tmp_path / "copy.bmp")
    problems: list[dict[str, Any]] = [{}, {"noise": 0.1}, {"lost": 0.1}, {"lost": mask}, {"factor": 2}]
    digests = [load(picture, restoration=one).digest for one in problems]
    assert len({*digests, load(picture).digest}) == len(problems) + 1
    assert [load(same, restoration=one).digest for one in problems] == digests, "whatever the file is called"
    assert load(picture, seed=1, restoration={"noise": 0.1}).digest != digests[1]


def test_what_is_done_is_told(picture: str) -> None:
    notes = load(picture, restoration={"noise": 0.1, "lost": 0.3, "factor": 2}).notes
    assert "problem: reduced by 2, noise 0.1, 30 % of the pixels lost" in notes
    assert "validation and test part are the clean picture: it judges, and nothing is selected by it" in notes


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "a factor that does not divide": ({"restoration": {"factor": 3}}, r"does not divide; set data.size: \[18, 24\]"),
    "noise on top": ({"restoration": {"noise": 0.1, "degraded": True}}, "that is not degraded yet; leave it out"),
    "all lost": ({"restoration": {"lost": 1.0}}, r"lost is a share in \[0, 1\), or an image file; not 1"),
    "an empty name": ({"restoration": {"lost": ""}}, "or an image file; leave it out if nothing is lost"),
    "an unknown share": ({"restoration": {"lost": 0.3, "degraded": True}}, "of a degraded picture lost is an image"),
    "no mask": ({"restoration": {"lost": "nowhere.png"}}, "nowhere.png: no such file; give an image file"),
    "no reference": ({"restoration": {"reference": "nowhere.png"}}, "nowhere.png: no such file; give an image file"),
    "no such setting": ({"restoration": {"blur": 1}}, "restoration.blur: no such setting"),
    "a fraction": ({"fraction": 0.5}, "nothing can be divided or moved; leave out data.fraction"),
    "a validation part": ({"validation": 0.3}, "nothing can be divided or moved; leave out data.validation"),
    "a test part": ({"test": 0.3}, "nothing can be divided or moved; leave out data.test"),
    "examples per class": ({"per_class": 1}, "nothing can be divided or moved; leave out data.per_class"),
    "an augmentation": ({"augmentation": "flip-crop"}, "nothing can be divided or moved; leave out data.augmentation"),
    "grey": ({"channels": 1}, "is made in colour, grey pictures too; leave out data.channels"),
    "too small": ({"size": 8}, "is 8 x 8 pixels, but the generator's levels need 9 to a side"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", IMPOSSIBLE)
def test_what_cannot_be_done_to_a_picture_is_told_in_one_line(picture: str, mistake: str) -> None:
    settings, said = IMPOSSIBLE[mistake]
    with pytest.raises(rt.UserError, match=said) as caught:
        load(picture, **settings)
    assert "\n" not in str(caught.value)


def test_the_size_that_is_said_to_be_right_is_right(picture: str) -> None:
    assert degraded(picture, size=(18, 24), factor=3)["seen"].shape == (3, 6, 8)
    reduced = LatentNoise(depth=8, channels=3, reduction=8, scale=1, least=16, seed=0)
    with pytest.raises(rt.UserError, match=r"multiples of 8; set data\.size: \[16, 24\]"):
        load(picture, noise=reduced)
    assert load(picture, noise=reduced, size=(16, 24)).train[0][0].shape == (8, 2, 3)


@pytest.mark.parametrize("setting", ["lost", "reference"])
def test_a_mask_or_a_reference_of_another_size_is_told_both_sizes(picture: str, tmp_path: Path, setting: str) -> None:
    other = written(np.zeros((HEIGHT, WIDTH + 1), np.uint8), tmp_path / "other.png")
    with pytest.raises(rt.UserError, match=rf"^data\.restoration\.{setting}: .*other.png is 25 x 20 pixels.* 24 x 20$"):
        load(picture, restoration={setting: other})
    fits = written(np.zeros((HEIGHT, WIDTH), np.uint8), tmp_path / "fits.png")
    with pytest.raises(rt.UserError, match=r"is 24 x 20 pixels, but picture needs (12 x 10|48 x 40)$"):
        load(picture, restoration={"factor": 2, setting: fits})


def test_a_mask_that_leaves_no_pixel_is_refused(picture: str, tmp_path: Path) -> None:
    mask = written(np.full((HEIGHT, WIDTH), 255, np.uint8), tmp_path / "mask.png")
    with pytest.raises(rt.UserError, match=r"data\.restoration\.lost: no pixel is left; make less of the mask white"):
        load(picture, restoration={"lost": mask})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((2, 3, 20, 20)), r"has shape \(2, 3, 20, 20\); a picture is \(H, W\)"),
        (np.zeros((20, 20, 2), np.uint8), "has shape"),
        (np.full((20, 20), 3.0), r"contains float64 from 3 to 3; give floats in \[0, 1\]"),
        (np.full((20, 20), np.nan), "contains NaN or infinite values"),
    ],
)
def test_an_array_that_is_no_picture_is_refused(values: np.ndarray, said: str) -> None:
    with pytest.raises(rt.UserError, match=rf"^ndarray: {said}") as caught:
        rt.load_data(values, latent=NOISE)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)


def test_an_image_of_more_than_eight_bits_is_refused() -> None:
    with pytest.raises(rt.UserError, match="has more than 8 bits per channel"):
        rt.load_data(Image.fromarray(GREY.astype(np.uint16) * 257), latent=NOISE)  # pyright: ignore[reportArgumentType]


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    """There is nothing to go on with if it is left out."""
    (tmp_path / "broken.png").write_bytes(b"not an image")
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    with pytest.raises(rt.UserError, match=r"broken\.png: unreadable image \(its image format .*\); replace it$"):
        load(tmp_path / "broken.png")
    with pytest.raises(rt.UserError, match=r"deep\.png: has more than 8 bits per channel .*; save it with 8$"):
        load(tmp_path / "deep.png")


def test_restoration_is_for_pictures_alone() -> None:
    settings = parse(rt.DataSettings, {"name": "digits", "restoration": {"noise": 0.1}}, "data")
    with pytest.raises(rt.UserError, match=r"^digits: data\.restoration is for a single picture; leave it out, or"):
        rt.load_data(settings, size=16)


@pytest.mark.parametrize(("network", "takes"), [("demo/resnet4", "images"), ("tiny/bert", "texts")])
def test_a_picture_is_no_data_for_another_network(picture: str, network: str, takes: str) -> None:
    source = rt.load_source(network, weights="random")
    with pytest.raises(rt.UserError, match=rf"which a generator restores \(prior/unet6\), but .* takes {takes}"):
        rt.transfer(source, picture)


def test_a_folder_of_images_is_no_data_for_a_generator(tmp_path: Path) -> None:
    for number in range(3):
        written(COLOURED, tmp_path / f"{number}.png")
    source = rt.load_source("prior/unet2-x0.25", weights="random")
    for data in (tmp_path, "digits"):
        with pytest.raises(rt.UserError, match="contains images, but the network takes fixed noise, of which it makes"):
            rt.transfer(source, data)
    with pytest.raises(rt.UserError, match="contains texts, which need a network that takes texts"):
        rt.transfer(source, "tale-moods")
