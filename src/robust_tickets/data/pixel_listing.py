"""Images with a label image each, before any is opened: semantic segmentation."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True)
class PixelListing:
    """The files of one part.

    Attributes:
        root: the folder that the files' names start from.
        files: image files, sorted.
        label_files: the label image of each.
    """

    root: Path
    files: tuple[str, ...]
    label_files: tuple[str, ...]

    @property
    def labels(self) -> Tensor:
        """What fractions are balanced over, int64 `(N,)`: all 0, since a scene has no class of its own."""
        return torch.zeros(len(self.files), dtype=torch.long)

    def path(self, index: int) -> Path:
        """Return the path of one image."""
        return self.root / self.files[index]

    def label_path(self, index: int) -> Path:
        """Return the path of one label image."""
        return self.root / self.label_files[index]

    def subset(self, indices: Tensor) -> "PixelListing":
        """Return the files at `indices`."""
        chosen = indices.tolist()
        return PixelListing(self.root, tuple(self.files[i] for i in chosen), tuple(self.label_files[i] for i in chosen))
