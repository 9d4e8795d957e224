"""A batch of images, corrupted."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from robust_tickets.foundation.seeds import stream_seed
from robust_tickets.measures.corruptions.blur import defocus_blur, glass_blur, motion_blur, zoom_blur
from robust_tickets.measures.corruptions.digital import contrast, elastic_transform, jpeg_compression, pixelate
from robust_tickets.measures.corruptions.noise import gaussian_noise, impulse_noise, shot_noise
from robust_tickets.measures.corruptions.published import (
    Chances,
    CorruptionName,
    ImageValues,
    Parameters,
    Severity,
    published,
)
from robust_tickets.measures.corruptions.weather import brightness, fog, frost, snow

FUNCTIONS: dict[CorruptionName, Callable[[ImageValues, Parameters, Chances], ImageValues]] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}
# So that a level computed as 41.999999 stays 42.
ROUNDING = 1e-6


def corrupt(images: Tensor, name: CorruptionName, severity: Severity, seed: int, first: int = 0) -> Tensor:
    """Return images, float32 [N, C, H, W] in [0, 1] in steps of 1/255, corrupted as the authors' code does.

    As there, images are 8-bit before and after, and cut, not rounded, to 8 bits at the end. What happens to an image
    depends on the seed and its number, never on the batch it is in.

    Args:
        images: float [N, C, H, W] in [0, 1], C 1 or 3. Up to 64 pixels per side CIFAR-10-C's parameters apply, above
            ImageNet-C's.
        name: one of the fifteen.
        severity: 1 to 5.
        seed: of the run.
        first: number of the first image; the others follow.
    """
    levels = images.cpu().double().mul(255).round().div(255).numpy()
    parameters = published(*images.shape[-2:])[name][severity - 1]
    streams = (("corruption", name, severity, first + number) for number in range(len(images)))
    chances = [np.random.default_rng(stream_seed(seed, *stream)) for stream in streams]
    corrupted = FUNCTIONS[name](levels, parameters, chances)
    return torch.from_numpy(np.floor(np.clip(corrupted, 0, 1) * 255 + ROUNDING)).div(255).float()
