"""Small data of every layout, the same each time: folders of images, label images, npz and idx files."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("blue", "green", "red")


def write_data(folder: Path) -> None:
    """Write `images`, `parts`, `scenes`, `images.npz` and `idx` into a folder."""
    random = np.random.default_rng(0)
    write_images(folder / "images", random, 16)
    for part, count in {"train": 10, "val": 4, "test": 5}.items():
        write_images(folder / "parts" / part, random, count)
        write_scenes(folder / "scenes" / part, random, {"train": 8}.get(part, 4))
    (folder / "parts" / "train" / "red" / "broken.png").write_bytes(b"no image")
    write_arrays(folder, random)


def write_images(folder: Path, random: np.random.Generator, count: int) -> None:
    """Write a folder a class: photographs of several sizes, one of each class grey."""
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            side = 30 + 2 * (index % 4)
            pixels = random.integers(0, 120, (side, side + 4, 3), dtype=np.uint8)
            pixels[4 * number : 4 * number + 20, :, 2 - number] += 100
            image = Image.fromarray(pixels)
            (image.convert("L") if index == 0 else image).save(folder / name / f"{index:02}.png")


def write_scenes(folder: Path, random: np.random.Generator, count: int) -> None:
    """Write photographs of two kinds of rectangles, and their labels by pixel; the top row is void, 9."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for index in range(count):
        pixels = random.integers(0, 60, (24, 32, 3), dtype=np.uint8)
        labels = np.zeros((24, 32), dtype=np.uint8)
        for label in (1, 2):
            top, left = random.integers(0, 14), random.integers(0, 20)
            labels[top : top + 8, left : left + 10] = label
            pixels[labels == label, label] += 150
        labels[0] = 9
        Image.fromarray(pixels).save(folder / "images" / f"{index}.png")
        Image.fromarray(labels).save(folder / "labels" / f"{index}.png")


def write_arrays(folder: Path, random: np.random.Generator) -> None:
    """Write colour images as one npz file, and grey ones as idx files."""
    arrays = {}
    (folder / "idx").mkdir()
    for part, name, count in (("train", "train", 30), ("test", "t10k", 12)):
        labels = (np.arange(count) % len(CLASSES)).astype(np.uint8)
        images = random.integers(0, 120, (count, 16, 16, 3), dtype=np.uint8)
        images[np.arange(count), :, :, labels] += 100
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
        for kind, values in (("images", images[..., 0]), ("labels", labels)):
            sizes = np.array(values.shape, ">u4").tobytes()
            place = folder / "idx" / f"{name}-{kind}-idx{values.ndim}-ubyte"
            place.write_bytes(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes())
    np.savez(folder / "images.npz", **arrays)
