"""Real handwritten digits: 1,797 grey images of 8 x 8 pixels, 43 writers (Alpaydin and Kaynak 1998)."""

import torch
from sklearn.datasets import load_digits

from robust_tickets.data.arrays import ImageArrays

CLASSES = tuple("0123456789")


def digits() -> ImageArrays:
    """Return scikit-learn's digits; their values 0..16 become 0..255."""
    found = load_digits()
    images = torch.from_numpy(found.images).mul(255 / 16).round().to(torch.uint8)
    return ImageArrays(images[:, None], torch.from_numpy(found.target).long())
