"""Random textures: fog's fractal, frost's crystals."""

import numpy as np
from numpy.typing import NDArray

from robust_tickets.measures.corruptions.published import Chances

Texture = NDArray[np.float64]

FROSTS = (
    ((0.30, 0.58, 0.65), 0.07),
    ((0.79, 0.81, 0.84), 0.08),
    ((0.79, 0.81, 0.84), 0.08),
    ((0.54, 0.60, 0.65), 0.10),
    ((0.44, 0.48, 0.53), 0.15),
)
"""Mean colour and standard deviation of the five photographs of frost that the published code draws from."""

FROST_SLOPE = 2.3
"""Power of those photographs falls with frequency to this power, on average."""


def plasma(side: int, decay: float, chances: Chances) -> Texture:
    """Return height maps [N, side, side] in [0, 1] by the diamond-square method on a torus; side is a power of 2.

    Every point is the mean of its four neighbours and a uniform wobble, which is divided by `decay` from one scale
    to the next, as in the published code.
    """
    drawn = np.stack([chance.uniform(-1, 1, side * side - 1) for chance in chances])
    used = 0
    maps = np.zeros((len(chances), side, side))

    def settle(total: Texture, wobble: float) -> Texture:
        nonlocal used
        part = drawn[:, used : used + total[0].size]
        used += total[0].size
        return total / 4 + wobble * part.reshape(total.shape)

    step, wobble = side, 100.0
    while step >= 2:
        half = step // 2
        corners = maps[:, ::step, ::step]
        pairs = corners + np.roll(corners, -1, 1)
        maps[:, half::step, half::step] = settle(pairs + np.roll(pairs, -1, 2), wobble * wobble)
        centres, corners = maps[:, half::step, half::step], maps[:, ::step, ::step]
        vertical, horizontal = centres + np.roll(centres, 1, 1), corners + np.roll(corners, -1, 2)
        maps[:, ::step, half::step] = settle(vertical + horizontal, wobble * wobble)
        vertical, horizontal = corners + np.roll(corners, -1, 1), centres + np.roll(centres, 1, 2)
        maps[:, half::step, ::step] = settle(vertical + horizontal, wobble * wobble)
        step, wobble = half, wobble / decay
    maps -= maps.min((1, 2), keepdims=True)
    return maps / maps.max((1, 2), keepdims=True)


def crystals(height: int, width: int, chance: np.random.Generator) -> Texture:
    """Return a texture of frost [3, H, W] in [0, 1].

    The published code cuts it out of photographs, which are not shipped. This one is noise with their mean colours,
    contrasts and spectrum, but without their shapes.
    """
    colour, contrast = FROSTS[chance.integers(len(FROSTS))]
    # A part of a field twice as large, so that parts differ in their mean, as cuts of a photograph do.
    shape = (2 * height, 2 * width)
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))
    amplitude = np.where(frequency > 0, frequency, np.inf) ** (-FROST_SLOPE / 2)
    field = np.fft.irfft2(np.fft.rfft2(chance.standard_normal(shape)) * amplitude, shape)
    part = (field / field.std())[:height, :width]
    return np.clip(np.array(colour)[:, None, None] + contrast * part, 0, 1)
