"""Folders of JPEG files, one subfolder a class."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

CLASSES = 100
DIFFERENT = 100
"""Contents that files share: what is timed does not depend on them."""
PARTS = {"train": 0.95, "val": 0.025, "test": 0.025}


@contextmanager
def image_folder(count: int, side: int) -> Iterator[Path]:
    """Yield a folder of so many JPEG files in train/, val/ and test/, gone afterwards.

    Args:
        count: files in all.
        side: of the square images, pixels.
    """
    contents = [jpeg(side, seed) for seed in range(DIFFERENT)]
    with TemporaryDirectory(prefix="tickets-bench-") as root:
        for part, share in PARTS.items():
            for number in range(max(2 * CLASSES, round(count * share)) if count > 10 * CLASSES else 2 * CLASSES):
                folder = Path(root) / part / f"class{number % CLASSES:03d}"
                if number < CLASSES:
                    folder.mkdir(parents=True)
                (folder / f"{number:06d}.jpg").write_bytes(contents[number % DIFFERENT])
        yield Path(root)


def jpeg(side: int, seed: int) -> bytes:
    """Return a file of coloured clouds, about as large as one of a photograph."""
    coarse = np.random.default_rng(seed).integers(0, 256, (side // 5 + 1, side // 5 + 1, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
