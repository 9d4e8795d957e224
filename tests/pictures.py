"""Small pictures that generators learn in a few steps, and how to see that a second call did nothing."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def ramp(height: int = 24, width: int = 24) -> np.ndarray:
    """Return a picture that is red to the bottom and green to the right, uint8 (H, W, 3)."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 // height, columns * 255 // width, np.full((height, width), 90)], 2).astype(np.uint8)


def written(values: np.ndarray, path: Path) -> str:
    """Write uint8 values (H, W) or (H, W, 3) into an image file, and return its path."""
    Image.fromarray(values).save(path)
    return str(path)


def floats(values: np.ndarray) -> Tensor:
    """Return uint8 values (H, W) or (H, W, 3) as floats (3, H, W)."""
    wide = values[:, :, None].repeat(3, 2) if values.ndim == 2 else values
    return torch.tensor(wide.copy()).permute(2, 0, 1).float() / 255


def work_in(folder: Path) -> dict[str, int]:
    """Return when everything that takes steps to make was last written."""
    kept = ("*.safetensors", "*result.json", "metrics.jsonl", "ticket.json", "source.json")
    return {str(path): path.stat().st_mtime_ns for pattern in kept for path in folder.rglob(pattern)}
