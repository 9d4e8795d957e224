"""Weather: snow, frost, fog, and bright light."""

import numpy as np

from robust_tickets.data.images.fit import LUMA
from robust_tickets.measures.corruptions.filters import clipped_zoom, motion
from robust_tickets.measures.corruptions.published import Chances, ImageValues, Parameters
from robust_tickets.measures.corruptions.textures import crystals, plasma


def grey(images: ImageValues) -> ImageValues:
    """Return [..., 1, H, W] from grey or RGB images."""
    return images if images.shape[-3] == 1 else np.einsum("c,...chw->...hw", np.array(LUMA), images)[..., None, :, :]


def snow(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Whiten the image and let flakes fall over it, twice.

    Parameters: mean and deviation of the flakes' noise, its enlargement, the level below which there is no flake,
    radius and deviation of their motion, pixels, and how much of the image is left.
    """
    mean, deviation, factor, level, radius, spread, left = parameters
    shape = (1, *images.shape[-2:])
    flakes = np.stack([chance.normal(mean, deviation, shape) for chance in chances])
    flakes = clipped_zoom(flakes, factor)
    flakes = np.floor(np.clip(np.where(flakes < level, 0, flakes), 0, 1) * 255) / 255
    angles = [chance.uniform(-135, -45) for chance in chances]
    fallen = np.stack([motion(one, radius, spread, angle) for one, angle in zip(flakes, angles, strict=True)])
    fallen = np.round(fallen * 255) / 255
    whitened = left * images + (1 - left) * np.maximum(images, 1.5 * grey(images) + 0.5)
    return whitened + fallen + fallen[..., ::-1, ::-1]


def frost(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Lay frost over the image; see `crystals`. Parameters: how much of the image, and how much of the frost."""
    of_image, of_frost = parameters
    height, width = images.shape[-2:]
    layers = np.stack([crystals(height, width, chance) for chance in chances])
    return of_image * images + of_frost * (layers if images.shape[1] == 3 else grey(layers))


def fog(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Add a fractal of light and lower the contrast. Parameters: its strength, and how fast its detail fades."""
    strength, decay = parameters
    height, width = images.shape[-2:]
    side = 1 << (max(height, width) - 1).bit_length()
    light = plasma(side, decay, chances)[:, None, :height, :width]
    brightest = images.max((1, 2, 3), keepdims=True)
    return (images + strength * light) * brightest / (brightest + strength)


def brightness(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Raise the value, the highest of a pixel's channels, and keep hue and saturation. Parameters: by how much."""
    (raised,) = parameters
    value = images.max(1, keepdims=True)
    target = np.clip(value + raised, 0, 1)
    # At fixed hue and saturation all channels are proportional to the value; black becomes grey.
    return np.where(value > 0, images / np.where(value > 0, value, 1) * target, target)
