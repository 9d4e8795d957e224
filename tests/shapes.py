"""A folder of images/ and labels/ made by the test: rectangles and discs on noise, an easy segmentation task."""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 32
COUNTS = {"train": 24, "val": 8, "test": 12}
VOID = 9
"""The label value of the top row, which counts for nothing."""


def save_pair(root: Path, name: str, image: np.ndarray, label: np.ndarray) -> None:
    """Write one image and its label image below `root`."""
    for folder, content in (("images", image), ("labels", label)):
        path = root / folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(content).save(path)


def scene(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return one image uint8 [H, W, 3] and its labels uint8 [H, W]: a red rectangle is 1, a green disc 2, else 0."""
    image = random.integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    label = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    top, left = random.integers(0, HEIGHT - 8), random.integers(0, WIDTH - 12)
    label[top : top + 8, left : left + 12] = 1
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    middle = random.integers(5, HEIGHT - 5), random.integers(5, WIDTH - 5)
    label[(row - middle[0]) ** 2 + (column - middle[1]) ** 2 < 25] = 2
    for number, channel in ((1, 0), (2, 1)):
        image[label == number, channel] += 150
    label[0] = VOID
    return image, label


def shapes_folder(root: Path) -> Path:
    """Write the data set and return its folder."""
    random = np.random.default_rng(0)
    for part, count in COUNTS.items():
        for index in range(count):
            save_pair(root / part, f"{index:02d}", *scene(random))
    return root
