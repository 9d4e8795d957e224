"""Noise: of the sensor's electronics, of the light itself, of single broken values."""

import numpy as np

from robust_tickets.measures.corruptions.published import Chances, ImageValues, Parameters


def gaussian_noise(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Add normal noise. Parameters: its standard deviation, on images in [0, 1]."""
    (deviation,) = parameters
    return images + deviation * np.stack([chance.standard_normal(images.shape[1:]) for chance in chances])


def shot_noise(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Draw every value from a Poisson distribution. Parameters: the count of photons that makes white."""
    (photons,) = parameters
    counted = [chance.poisson(image * photons) for image, chance in zip(images, chances, strict=True)]
    return np.stack(counted) / photons


def impulse_noise(images: ImageValues, parameters: Parameters, chances: Chances) -> ImageValues:
    """Set single values, channel by channel, to 0 or 1. Parameters: the fraction of them."""
    (amount,) = parameters
    broken, salt = np.stack([chance.random((2, *images.shape[1:])) for chance in chances], 1)
    return np.where(broken <= amount, salt <= 0.5, images)
