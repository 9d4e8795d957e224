"""What users have becomes what the network was evaluated on: files, PIL images, pixels; or is refused in one line."""

import copy
import json
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from PIL import Image

import robust_tickets as rt
from robust_tickets.data.images.fit import Fit, resize
from robust_tickets.data.images.image_files import open_image
from robust_tickets.runtime.errors import ImageError, RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.images import ImagePreparation
from robust_tickets.runtime.storage.file import write_file

SIZES = [(32, 32), (40, 30), (30, 41), (97, 33), (12, 20), (1, 5), (32, 64), (37, 37)]
MODES = ["RGB", "L", "RGBA", "P", "CMYK", "1", "LA"]


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("crop_fraction", [1.0, 0.875])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_become_what_evaluation_makes_of_them_bit_for_bit(interpolation, crop_fraction, channels) -> None:
    for size in ((32, 32), (24, 40)):
        fit = Fit(size, channels, interpolation, crop_fraction)
        prepare = ImagePreparation(size, channels, interpolation, crop_fraction)
        for width, height in SIZES:
            for mode in MODES:
                image = picture(width, height, mode)
                np.testing.assert_array_equal(prepare(image)[0], fit.floats(image).numpy())


def test_files_are_read_as_training_reads_them_upright(tmp_path) -> None:
    path, exif = tmp_path / "sideways.jpg", Image.Exif()
    exif[0x0112] = 6
    picture(40, 30).save(path, exif=exif)
    fit, prepare = Fit((16, 20), 3, "bicubic", 0.9), ImagePreparation((16, 20), 3, "bicubic", 0.9)
    expected = fit.floats(open_image(path)).numpy()
    for given in (path, str(path), [path], Image.open(path)):
        np.testing.assert_array_equal(prepare(given), expected[None])


def test_pixels_are_prepared_as_the_image_they_show() -> None:
    prepare = ImagePreparation((16, 16), 3, "bilinear", 0.875)
    images = [picture(40, 30), picture(40, 30, "L").convert("RGB")]
    expected = prepare(images)
    pixels = np.stack([np.asarray(image) for image in images])
    for given in (
        pixels,
        pixels.transpose(0, 3, 1, 2),
        torch.from_numpy(pixels),
        torch.from_numpy(pixels).permute(0, 3, 1, 2),
        list(pixels),
        [pixels[0].transpose(2, 0, 1), images[1]],
    ):
        np.testing.assert_array_equal(prepare(given), expected)
    np.testing.assert_array_equal(prepare(pixels[0]), expected[:1])
    grey = np.asarray(picture(40, 30, "L"))
    np.testing.assert_array_equal(prepare(grey), prepare(Image.fromarray(grey)))


def test_pixels_of_the_right_size_are_divided_by_255() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), np.uint8)
    prepared = ImagePreparation((16, 16), 3, "bilinear", 1.0)(pixels)
    np.testing.assert_array_equal(prepared, (torch.from_numpy(pixels).float() / 255).numpy())


def test_data_sets_of_arrays_are_resized_alike_within_two_grey_levels() -> None:
    """Arrays are resized by torch in training, in floats; PIL rounds to grey levels after each axis."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 40, 48, 3), np.uint8)
    floats = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    for size in ((20, 24), (60, 72)):
        expected = resize(floats, size, "bilinear").numpy()
        np.testing.assert_allclose(ImagePreparation(size, 3, "bilinear", 1.0)(pixels), expected, atol=2 / 255)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 20, 3), np.uint8), "channels could come first or last"),
        (np.zeros((2, 3, 20, 1), np.uint8), "channels could come first or last"),
        (np.zeros((5, 20, 20), np.uint8), "neither the first nor the last dimension of an image is 1 or 3 channels"),
        (np.zeros((20, 20, 4), np.uint8), "neither the first nor the last"),
        (np.zeros((20,), np.uint8), r"should be \[N, H, W, C\], \[N, C, H, W\] or one image"),
        (np.zeros((20, 20, 3), np.int64), "are int64; they should be uint8 in 0..255, or floats"),
        (np.zeros((20, 20, 3), np.float32), r"shape \[20, 20, 3\]; it should be \[N, 3, 16, 16\]"),
        (np.full((1, 3, 16, 16), 200.0), r"floats from 200 to 200, but they should be in \[0, 1\]: divide them by 255"),
        (Image.fromarray(np.zeros((9, 9), np.uint16)), "more than 8 bits per channel"),
        ("gone.png", r"^gone\.png: no such file$"),
        (".", "is a folder; give the image files in it"),
    ],
)
def test_what_has_two_meanings_or_none_is_refused_in_one_line(images, message) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        ImagePreparation((16, 16), 3, "bilinear", 1.0)(images)
    assert "\n" not in str(caught.value)


def test_three_grey_images_or_one_in_colour_is_asked() -> None:
    with pytest.raises(ImageError, match="one colour image or 3 grey ones"):
        ImagePreparation((16, 16), 1, "bilinear", 1.0)(np.zeros((3, 28, 28), np.uint8))


def test_what_is_no_image_is_told(tmp_path) -> None:
    prepare = ImagePreparation((16, 16), 3, "bilinear", 1.0)
    with pytest.raises(TypeError, match="are dict; they should be paths, PIL images, uint8 arrays, or floats"):
        prepare({})
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ImageError, match=r"text\.png: unreadable image \(its image format is not recognised\)"):
        prepare(tmp_path / "text.png")
    picture(64, 64).save(tmp_path / "half.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "half.png").read_bytes()[:2000])
    with pytest.raises(ImageError, match=r"half\.png: unreadable image"):
        prepare(tmp_path / "half.png")
    assert prepare([]).shape == (0, 3, 16, 16)


SAYS = {"size": "[8, 8]", "interpolation": '"bicubic"', "crop_fraction": "0.875", "classes": '["cat", "dog"]'}


def written(path, metadata, channels=3):
    kernel = np.random.default_rng(0).standard_normal((2, channels, 3, 3), np.float32)
    window = {"stride": [2, 2], "padding": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}
    graph = Graph(
        "images",
        (channels, 8, 8),
        (
            Node("conv", "conv", ("images",), "conv", window, {"weight": "w"}),
            Node("adaptive_avg_pool", "pool", ("conv",), "pool", {"output": [1, 1]}),
            Node("reshape", "flat", ("pool",), "logits", {"shape": [2]}),
        ),
        "logits",
        {"w": Weight(kernel.shape, kernel.reshape(-1))},
        metadata,
    )
    write_file(graph, path)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return written(tmp_path_factory.mktemp("images") / "model.rtk", SAYS)


def test_a_runtime_file_says_its_classes_and_how_it_prepares_images(file) -> None:
    runtime = rt.load_runtime(file)
    assert runtime.classes == ("cat", "dog")
    assert runtime.preprocessing == ImagePreparation((8, 8), 3, "bicubic", 0.875)
    image = picture(40, 30)
    floats = Fit((8, 8), 3, "bicubic", 0.875).floats(image)[None]
    expected = runtime(floats.numpy())
    np.testing.assert_array_equal(runtime(image), expected)
    np.testing.assert_array_equal(runtime(np.asarray(image)), expected)
    pixels = runtime(torch.from_numpy(np.array(image)))
    assert isinstance(pixels, torch.Tensor)
    np.testing.assert_array_equal(pixels.numpy(), expected)
    assert repr(runtime) == "Runtime(images [N, 3, 8, 8], 3 layers, 2 classes, threads=1)"


def test_what_an_old_file_does_not_say_is_asked_for(tmp_path, file) -> None:
    path = written(tmp_path / "old.rtk", {"size": "[8, 8]"})
    image = picture(40, 30)
    runtime = rt.load_runtime(path)
    assert runtime.preprocessing is None
    assert runtime.classes is None
    assert runtime(np.zeros((1, 3, 8, 8), np.float32)).shape == (1, 2)
    with pytest.raises(ValueError, match=r"does not say .* preprocessing=\{'interpolation': 'bilinear', 'crop_fr"):
        runtime(image)
    told = rt.load_runtime(path, preprocessing={"interpolation": "bicubic", "crop_fraction": 0.875})
    np.testing.assert_array_equal(told(image), rt.load_runtime(file)(image))
    with pytest.raises(ValueError, match="preprocessing: mean cannot be given"):
        rt.load_runtime(path, preprocessing={"mean": [0.5]})
    with pytest.raises(ValueError, match="preprocessing: interpolation is 'cubic'; it should be one of nearest"):
        rt.load_runtime(path, preprocessing={"interpolation": "cubic", "crop_fraction": 1})


def test_networks_of_other_channels_take_floats_alone(tmp_path) -> None:
    runtime = rt.load_runtime(written(tmp_path / "five.rtk", SAYS, channels=5))
    assert runtime(np.zeros((2, 5, 8, 8), np.float32)).shape == (2, 2)
    with pytest.raises(ValueError, match=r"takes floats \[N, 5, 8, 8\] in \[0, 1\]; files and pixels have 1 or 3"):
        runtime(picture(8, 8))


@pytest.mark.parametrize(
    "metadata",
    [
        {**SAYS, "size": "[9, 9]"},
        {**SAYS, "interpolation": '"cubic"'},
        {**SAYS, "interpolation": "[]"},
        {**SAYS, "crop_fraction": "0"},
        {**SAYS, "crop_fraction": '"1"'},
        {**SAYS, "size": "{"},
        {**SAYS, "classes": "3"},
        {**SAYS, "classes": "[1]"},
    ],
)
def test_nonsense_in_a_file_is_refused(tmp_path, metadata) -> None:
    path = written(tmp_path / "odd.rtk", metadata)
    with pytest.raises(RuntimeFileError, match=r"odd\.rtk: .*write it again") as caught:
        rt.load_runtime(path)
    assert "\n" not in str(caught.value)


def test_noise_may_leave_the_range_where_it_is_asked_for(file) -> None:
    runtime = rt.load_runtime(file)
    noisy = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 3
    with pytest.raises(ImageError):
        runtime(noisy)
    assert runtime.logits(noisy).isfinite().all()
    # What a bicubic filter overshoots is no mistake.
    assert runtime(np.full((1, 3, 8, 8), 1.1)).shape == (1, 2)


def test_copies_compute_the_same_without_the_file(tmp_path) -> None:
    path = written(tmp_path / "model.rtk", SAYS)
    runtime = rt.load_runtime(path, threads=2)
    image = picture(40, 30)
    expected = runtime(image)
    pickled = pickle.dumps(runtime)
    path.unlink()
    for other in (copy.deepcopy(runtime), copy.copy(runtime), pickle.loads(pickled)):
        np.testing.assert_array_equal(other(image), expected)
        assert repr(other) == repr(runtime)
        assert other.preprocessing == runtime.preprocessing
    runtime.close()
    np.testing.assert_array_equal(other(image), expected)


def test_a_spawned_process_takes_a_copy(file) -> None:
    runtime = rt.load_runtime(file)
    image = picture(40, 30)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(runtime, image).result(), runtime(image))


@pytest.mark.parametrize("missing", [False, True])
def test_pillow_is_imported_only_for_images(file, tmp_path, missing) -> None:
    picture(9, 9).save(tmp_path / "image.png")
    code = f"""
import sys
{'sys.modules["PIL"] = None' if missing else ""}
import numpy as np, robust_tickets as rt
runtime = rt.load_runtime({str(file)!r})
runtime(np.zeros((1, 3, 8, 8), np.float32))
print("torch" in sys.modules, sys.modules.get("PIL") is not None)
try:
    print(runtime({str(tmp_path / "image.png")!r}).shape, "torch" in sys.modules)
except ImportError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = ran.stdout.splitlines()
    assert first == "False False"
    assert second.startswith("reading and resizing images needs Pillow" if missing else "(1, 2) False")


def test_exported_files_say_all_of_it(tmp_path) -> None:
    """What the shrinker writes is enough to prepare images."""
    from robust_tickets.shrinking.export import metadata

    source = rt.load_source(rt.SourceSettings(name="cifar/resnet8", weights="random", num_classes=2))
    said = metadata(source.network, ["cat", "dog"], None)
    assert json.loads(said["interpolation"]) == source.network.interface.interpolation
    assert {"size", "interpolation", "crop_fraction", "classes"} <= said.keys()
