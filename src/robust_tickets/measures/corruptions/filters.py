"""The zoom and the motion that several corruptions share."""

from math import ceil, cos, radians, sin

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from robust_tickets.measures.corruptions.published import ImageValues

NEGLIGIBLE = 1e-6
"""Weight of a motion's step that cannot change an 8-bit level."""


def clipped_zoom(images: ImageValues, factor: float) -> ImageValues:
    """Enlarge the centre of images [N, C, H, W] bilinearly by a factor of 1 or more, and cut to the old size."""
    height, width = images.shape[-2:]
    inner_height, inner_width = ceil(height / factor), ceil(width / factor)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    inner = torch.from_numpy(images[..., top : top + inner_height, left : left + inner_width])
    size = [round(inner_height * factor), round(inner_width * factor)]
    # Corners lie on corners, as in scipy.ndimage.zoom of order 1.
    zoomed = F.interpolate(inner, size, mode="bilinear", align_corners=True).numpy()
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return zoomed[..., top : top + height, left : left + width]


def motion(image: ImageValues, radius: float, deviation: float, degrees: float) -> NDArray[np.float64]:
    """Blur one image [C, H, W] along a line to one side, as ImageMagick's MotionBlurImage does.

    The weights are half a normal distribution of this standard deviation, at 2 * radius + 1 steps of one pixel;
    beyond the border the border's value continues.
    """
    height, width = image.shape[-2:]
    steps = np.arange(2 * int(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * deviation**2))
    weights = weights / weights.sum()
    steps = steps[weights > NEGLIGIBLE]
    rows = [ceil(step * sin(radians(degrees)) - 0.5) for step in steps]
    columns = [ceil(step * cos(radians(degrees)) - 0.5) for step in steps]
    reach = len(steps)
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    blurred = np.zeros_like(image)
    for weight, row, column in zip(weights, rows, columns, strict=False):
        blurred += weight * padded[:, reach + row : reach + row + height, reach + column : reach + column + width]
    return blurred
