"""Blur: out of focus, behind frosted glass, moved, zoomed."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, gaussian_filter
from scipy.signal import fftconvolve

from robust_tickets.measures.corruptions.filters import clipped_zoom, motion
from robust_tickets.measures.corruptions.published import Chances, ImageValues, Parameters


def defocus_blur(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Convolve with a disk. Parameters: its radius, pixels, and the deviation that softens its edge, pixels."""
    kernel = disk(*parameters)
    reach = len(kernel) // 2
    padded = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="reflect")
    # One by one: transforms of several images at once may round otherwise than those of one.
    return np.stack([fftconvolve(image, kernel[None], mode="valid", axes=(1, 2)) for image in padded])


@cache
def disk(radius: float, softness: float) -> NDArray[np.float64]:
    """Return a disk smoothed by a normal kernel of 3 x 3 (5 x 5 above radius 8), cut to its support.

    As in the published code the smoothing mirrors at the edge of 17 x 17 (more above radius 8), which a disk of
    radius 8 or more touches: its sum is then a little above 1.
    """
    extent = 1 if radius <= 8 else 2
    reach = max(8, int(radius))
    line = np.arange(-reach, reach + 1)
    kernel = (line[:, None] ** 2 + line**2 <= radius**2).astype(np.float64)
    kernel /= kernel.sum()
    weights = np.exp(-(np.arange(-extent, extent + 1) ** 2) / (2 * softness**2))
    for axis in (0, 1):
        kernel = correlate1d(kernel, weights / weights.sum(), axis, mode="mirror")
    margin = int(np.flatnonzero(kernel.any(0))[0])
    return kernel[margin : len(kernel) - margin, margin : len(kernel) - margin]


def glass_blur(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Displace pixels locally. Parameters: deviation of the blur before and after, reach, pixels, and passes.

    The published code means to swap pixels and, through numpy's views, copies one over the other; CIFAR-10-C and
    ImageNet-C were made by it, and so it is done here.
    """
    deviation, reach, passes = parameters
    height, width = images.shape[-2:]
    smooth = np.floor(blurred(images, deviation) * 255 + 1e-6) / 255
    sources = np.stack([displaced(height, width, int(reach), int(passes), chance) for chance in chances])
    flat = smooth.reshape(*images.shape[:2], -1)
    moved = np.take_along_axis(flat, sources[:, None], axis=2).reshape(images.shape)
    return np.clip(blurred(moved, deviation), 0, 1)


def blurred(images: ImageValues, deviation: float) -> ImageValues:
    """Smooth by a normal kernel of 4 deviations either side; beyond the border its value continues."""
    return gaussian_filter(images, (0, 0, deviation, deviation), mode="nearest", truncate=4.0)


def displaced(height: int, width: int, reach: int, passes: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Return for every pixel, [H * W] in rows, the pixel whose value it takes."""
    rows, columns = np.arange(height - reach, reach, -1), np.arange(width - reach, reach, -1)
    here = (rows[:, None] * width + columns).ravel()
    source = list(range(height * width))
    for _ in range(passes):
        across, down = chance.integers(-reach, reach, (2, len(here)))
        # In order, because a pixel may take what its neighbour has just taken from another.
        for pixel, other in zip(here.tolist(), (here + down * width + across).tolist(), strict=True):
            source[pixel] = source[other]
    return np.array(source)


def motion_blur(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Blur along a line at an angle drawn from [-45, 45) degrees. Parameters: radius and deviation, pixels."""
    radius, deviation = parameters
    angles = [chance.uniform(-45, 45) for chance in chances]
    return np.stack([motion(image, radius, deviation, angle) for image, angle in zip(images, angles, strict=True)])


def zoom_blur(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Average the image with enlargements of it. Parameters: the end and the step of their factors, which begin at 1.

    Whether the end belongs to the factors is left to `numpy.arange`'s rounding, as in the published code.
    """
    end, step = parameters
    factors = np.arange(1, end, step)
    total = images.copy()
    for factor in factors:
        total += clipped_zoom(images, float(factor))
    return total / (len(factors) + 1)
