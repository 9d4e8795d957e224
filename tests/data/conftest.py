import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

MakeFolder = Callable[..., Path]
OLD = 1_600_000_000


def aged(root: Path) -> Path:
    """Make all files look as if they had lain there for years."""
    for path in root.rglob("*"):
        os.utime(path, (OLD, OLD))
    return root


def save_image(path: Path, *, size: tuple[int, int] = (24, 20), mode: str = "RGB", seed: int = 0) -> None:
    """Write a noise image, of another content for every seed."""
    channels = {"L": 1, "RGB": 3}[mode]
    random = torch.Generator().manual_seed(seed)
    values = torch.randint(256, (size[1], size[0], channels), dtype=torch.uint8, generator=random).squeeze(-1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.numpy()).save(path)


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Return a maker of image folders: `make_folder({"cat": 3, "dog": 2})` writes PNGs, returns the root."""

    def make(counts: dict[str, int], root: str = "images", size: tuple[int, int] = (24, 20), mode: str = "RGB") -> Path:
        number = 0
        for name, count in counts.items():
            (tmp_path / root / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                save_image(tmp_path / root / name / f"{index:03d}.png", size=size, mode=mode, seed=number)
                number += 1
        return tmp_path / root

    return make
