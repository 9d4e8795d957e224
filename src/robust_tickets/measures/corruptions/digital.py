"""Digital: contrast, elastic transform, pixelate, JPEG."""

from collections.abc import Callable
from functools import cache
from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from robust_tickets.measures.corruptions.published import Chances, ImageValues, Parameters


def contrast(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Draw each channel towards its mean over the image. Parameters: what is left of the distance."""
    (left,) = parameters
    means = images.mean((2, 3), keepdims=True)
    return (images - means) * left + means


def elastic_transform(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Map three points of the image to shifted places, then displace every pixel by a smooth random field.

    Parameters, in parts of the shorter side: amplitude of the field before smoothing, deviation of the smoothing,
    and largest shift of the three points along each axis.
    """
    height, width = images.shape[-2:]
    amplitude, deviation, shift = (part * min(height, width) for part in parameters)
    shifts = np.stack([chance.uniform(-shift, shift, (3, 2)) for chance in chances])
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    warped = sample(images, *affine(rows, columns, shifts), corners=True)
    if amplitude == 0:
        return warped
    noise = np.stack([chance.uniform(-1, 1, (2, height, width)) for chance in chances])
    field = amplitude * (smoothing(height, deviation) @ noise @ smoothing(width, deviation).T)
    return sample(warped, rows + field[:, 1], columns + field[:, 0], corners=False)


def affine(rows: ImageValues, columns: ImageValues, shifts: ImageValues) -> tuple[ImageValues, ImageValues]:
    """Return from which row and column, [N, H, W] each, a pixel is taken when three points are shifted, [N, 3, 2].

    The points are corners of a square around the centre, a third of the shorter side away from it.
    """
    height, width = rows.shape
    third = min(height, width) // 3
    across, down = width // 2, height // 2
    points = np.array(
        [[across + third, down + third], [across + third, down - third], [across - third, down - third]], np.float64
    )
    ones = np.ones((len(shifts), 3, 1))
    back = np.linalg.solve(np.concatenate([points + shifts, ones], 2), np.broadcast_to(points, shifts.shape))
    source = np.einsum("hwk,nkd->dnhw", np.stack([columns, rows, np.ones_like(rows)], 2), back)
    return source[1], source[0]


def sample(images: ImageValues, rows: ImageValues, columns: ImageValues, *, corners: bool) -> ImageValues:
    """Sample images bilinearly at rows and columns [N, H, W], pixels, mirrored beyond the border.

    The mirror stands in the middle of the border's pixels (`corners`) or at their outer edge.
    """
    height, width = images.shape[-2:]
    if corners:
        grid = np.stack([2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1], -1)
    else:
        grid = np.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1)
    sampled = F.grid_sample(
        torch.from_numpy(images), torch.from_numpy(grid), "bilinear", "reflection", align_corners=corners
    )
    return sampled.numpy()


@cache
def smoothing(length: int, deviation: float) -> NDArray[np.float64]:
    """Return the matrix [n, n] that smooths a line by a normal kernel of 3 deviations either side, mirrored."""
    return gaussian_filter1d(np.eye(length), deviation, axis=0, mode="reflect", truncate=3.0)


def pixelate(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Reduce and enlarge by box filters. Parameters: the smaller side's part of the side."""
    (part,) = parameters

    def through(picture: Image.Image) -> Image.Image:
        small = (max(1, int(picture.width * part)), max(1, int(picture.height * part)))
        return picture.resize(small, Image.Resampling.BOX).resize(picture.size, Image.Resampling.BOX)

    return np.stack([by_pillow(image, through) for image in images])


def jpeg_compression(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Compress as JPEG. Parameters: the quality, 1 to 95."""
    (quality,) = parameters

    def through(picture: Image.Image) -> Image.Image:
        file = BytesIO()
        picture.save(file, "JPEG", quality=int(quality))
        return Image.open(file)

    return np.stack([by_pillow(image, through) for image in images])


def by_pillow(image: ImageValues, through: Callable[[Image.Image], Image.Image]) -> ImageValues:
    """Return what becomes of one image [C, H, W] as a picture of 8 bits."""
    levels = np.round(image * 255).astype(np.uint8)
    picture = Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0))
    result = np.asarray(through(picture), np.float64) / 255
    return result[None] if len(levels) == 1 else result.transpose(2, 0, 1)
