"""An image's own randomness: streams addressed by the image's content, not by its position.

So what an attack does to an image is the same in batches of any size, among any other images.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import generator

if TYPE_CHECKING:
    from torch import Tensor


def image_streams(images: Tensor, seed: int, *path: str | int) -> list[torch.Generator]:
    """Return a CPU generator for each of the images [N, ...], derived from seed, path and the image's values."""
    pixels = images.detach().float().cpu().contiguous().numpy()
    digests = (hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest() for image in pixels)
    return [generator(seed, *path, digest) for digest in digests]
