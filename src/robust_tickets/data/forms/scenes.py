"""The built-in scenes: letters and handwritten digits on textured backgrounds, with boxes that are known exactly.

The objects come from the built-in sets: letters rendered from 22 fonts, and scikit-learn's digits; digits of the test
part are test images there. There are two classes, so that a small network learns them in minutes on a CPU.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from robust_tickets.data.augmentation import ScaleCropColour
from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.built_in import deformations, masters, read_digits
from robust_tickets.data.images.arrays import ImageArrays
from robust_tickets.data.names import PartName
from robust_tickets.data.settings import SceneSettings
from robust_tickets.data.targets.boxes import Boxes
from robust_tickets.foundation.seeds import generator

CLASSES = ("letter", "digit")

INK = 0.25
"""Least strength at which a pixel counts as part of its object, for the box."""

WAVES = 4
"""Waves in each channel of a background."""

PLACES = 12
"""Places tried for an object; the first at which it touches no other box is taken."""


def read_scenes(settings: SceneSettings) -> Found:
    """Return the scenes."""
    digits = read_digits().parts
    parts: dict[PartName, int] = {"train": settings.count, "test": settings.count // 4}
    listings: dict[PartName, Listing] = {
        part: scenes(settings, part, count, shapes_of(digits[part])) for part, count in parts.items()
    }
    # Letters must not be mirrored.
    return Found(listings, CLASSES, "glyph-scenes", ScaleCropColour(scale=(0.75, 1.25), flip=False))


def shapes_of(digits: Listing) -> tuple[Tensor, Tensor]:
    """Return letters `(n, 64, 64)` and digits `(n, 8, 8)`, float64 in [0, 1], white on black."""
    assert isinstance(digits.inputs, ImageArrays)
    return masters().flatten(0, 2), digits.inputs.images[digits.indices, 0].double() / 255


def scenes(settings: SceneSettings, part: str, count: int, shapes: tuple[Tensor, Tensor]) -> Listing:
    """Return the scenes of one part.

    Everything is computed in double precision from uniform numbers and rounded once, so that the bytes do not depend
    on the machine's vector instructions or on threads.
    """
    random = generator(settings.seed, "scenes", part)
    images = torch.empty(count, 3, settings.size, settings.size, dtype=torch.uint8)
    objects = []
    for index in range(count):
        image = background(settings.size, random)
        found: list[tuple[tuple[float, ...], int]] = []
        for _ in range(int(torch.randint(1, settings.objects + 1, (), generator=random))):
            place(image, found, settings, shapes, random)
        images[index] = (image.clamp(0, 1) * 255).round().to(torch.uint8)
        objects.append(found)
    names = [f"scene {index} of the {part} part" for index in range(count)]
    return Listing.whole(ImageArrays(images), Boxes.of(objects, names, [(settings.size, settings.size)] * count))


def background(size: int, random: torch.Generator) -> Tensor:
    """Return a texture `(3, size, size)` around a random colour: waves in random directions, and noise."""
    draws = torch.rand(3, WAVES, 4, generator=random, dtype=torch.float64)
    rows, columns = torch.meshgrid(*[torch.arange(size, dtype=torch.float64)] * 2, indexing="ij")
    down, across = ((2 * draws[..., side, None, None] - 1) for side in (0, 1))
    waves = torch.sin(down * rows + across * columns + 6.283 * draws[..., 2, None, None]).mean(1)
    colour = 0.25 + 0.5 * torch.rand(3, 1, 1, generator=random, dtype=torch.float64)
    noise = torch.rand(3, size, size, generator=random, dtype=torch.float64) - 0.5
    return colour + 0.2 * waves * draws[:, :1, 3:].reshape(3, 1, 1) + 0.1 * noise


def place(
    image: Tensor,
    found: list[tuple[tuple[float, ...], int]],
    settings: SceneSettings,
    shapes: tuple[Tensor, Tensor],
    random: torch.Generator,
) -> None:
    """Paint one object into a scene, in place, and append its box and class; without room for it, do nothing.

    It draws the same number of random numbers in any case.
    """
    kind = int(torch.randint(len(CLASSES), (), generator=random))
    shape = shapes[kind][int(torch.randint(len(shapes[kind]), (), generator=random))]
    draws = torch.rand(7 + 2 * PLACES, generator=random, dtype=torch.float64)
    smallest, largest = (round(settings.size * share) for share in (0.25, 0.5))
    side = smallest + int(draws[0] * (largest - smallest + 1))
    ink = painted(shape, side, draws[1:7])
    rows, columns = ((ink > INK).any(axis).nonzero().flatten() for axis in (1, 0))
    if not len(rows):
        return
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = ink.shape
    for down, across in draws[7:].reshape(-1, 2).tolist():
        top, left = int(down * (settings.size - height + 1)), int(across * (settings.size - width + 1))
        box = (float(left), float(top), float(left + width), float(top + height))
        if not any(touches(box, other) for other, _ in found):
            break
    else:
        return
    window = image[:, top : top + height, left : left + width]
    # As far from the background as can be, in a grey of its own.
    bright = window.mean() < 0.5
    shade = (0.85 if bright else 0.15) + 0.3 * (draws[1] - 0.5)
    window.copy_(window * (1 - ink) + shade * ink)
    found.append((box, kind))


def painted(shape: Tensor, side: int, draws: Tensor) -> Tensor:
    """Return a deformed object `(side, side)` in [0, 1]."""
    letters = F.interpolate(shape[None, None], (2 * side, 2 * side), mode="bilinear", antialias=True)
    matrices = deformations(draws[None], 0.5)
    grid = F.affine_grid(matrices, [1, 1, 2 * side, 2 * side], align_corners=False)
    return F.avg_pool2d(F.grid_sample(letters, grid, align_corners=False), 2)[0, 0]


def touches(box: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Return whether two boxes have a place in common."""
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
