"""Real handwritten digits: 1,797 grey images of 8 x 8 pixels, 43 writers (Alpaydin and Kaynak 1998)."""

import torch

from robust_tickets.data.arrays import ImageArrays

CLASSES = tuple("0123456789")
TEST_FRACTION = 0.4
"""Stratified and the same for every seed; the set has no test part of its own."""


def digits() -> ImageArrays:
    """Return scikit-learn's digits; their values 0..16 become 0..255."""
    # Imported late: it takes a second, and only this set needs it.
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(values).reshape(-1, 1, 8, 8).mul(255 / 16).round().to(torch.uint8)
    return ImageArrays(images, torch.from_numpy(labels).long())
