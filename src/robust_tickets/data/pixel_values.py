"""The values that images may have: uint8, or floats in [0, 1]."""

import numpy as np


def complaint(values: np.ndarray) -> str | None:
    """Return what is wrong with the values of images and what would be right; None where nothing is.

    Args:
        values: of any dtype, at least one.
    """
    kind = values.dtype
    if kind == np.uint8:
        return None
    if kind.kind not in "biuf":
        return f"holds {kind}; give uint8, or floats in [0, 1]"
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        return "holds NaN or infinite values; give uint8, or floats in [0, 1]"
    if kind.kind == "f" and low >= 0 and high <= 1:
        return None
    said = f"holds {kind} from {low:.5g} to {high:.5g}"
    if kind.kind != "f":
        return f"{said}; give uint8, or floats in [0, 1] (16 bits: divide by 65535)"
    if low < 0:
        return f"{said}; give floats in [0, 1]: normalisation lives inside the network, so remove Normalize"
    return f"{said}; give floats in [0, 1] (8 bits: divide by 255), or uint8"
