"""The built-in sets: rendered letters, and real handwritten digits.

The letters are 26 classes, each letter in both cases and 22 fonts, randomly deformed: large enough to pretrain a small
network in a minute without any download, and related to the digits as a source task is to its target. The fonts are
the text fonts that matplotlib ships. The digits are scikit-learn's: 1,797 grey images of 8 x 8 pixels, 43 writers
(Alpaydin and Kaynak 1998).
"""

from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from robust_tickets.data.augmentation import Affine
from robust_tickets.data.carving import TEST_SEED, choose
from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.images.arrays import labelled
from robust_tickets.data.settings import GlyphSettings
from robust_tickets.foundation.seeds import generator

LETTERS = tuple(ascii_uppercase)
DIGITS = tuple("0123456789")
DIGITS_HELD_OUT = 0.4
"""Part of the digits that is the test part: stratified, the same for every seed; the set has none."""
FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-BoldItalic", "-Italic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "BolIta", "Italic")),
    *("cmb10", "cmmi10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
MASTER = 64
"""Side of a letter as first rendered, pixels."""
SUPERSAMPLING = 2
"""Samples per side of a pixel that are averaged."""
CHUNK = 2000
"""Letters deformed at once."""


def masters() -> Tensor:
    """Return every letter as rendered, float64 `(fonts, 2, 26, MASTER, MASTER)` in [0, 1], white on black."""
    # Imported late: only these letters need it.
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    drawn = []
    for name in FONTS:
        font = ImageFont.truetype(folder / f"{name}.ttf", MASTER * 3 // 4, layout_engine=ImageFont.Layout.BASIC)
        for letter in ascii_uppercase + ascii_lowercase:
            canvas = Image.new("L", (MASTER, MASTER))
            left, top, right, bottom = font.getbbox(letter)
            place = ((MASTER - left - right) / 2, (MASTER - top - bottom) / 2)
            ImageDraw.Draw(canvas).text((int(place[0]), int(place[1])), letter, fill=255, font=font)
            drawn.append(torch.frombuffer(bytearray(canvas.tobytes()), dtype=torch.uint8))
    return torch.stack(drawn).reshape(len(FONTS), 2, 26, MASTER, MASTER).double() / 255


def deformations(draws: Tensor, strength: float) -> Tensor:
    """Return matrices `(N, 2, 3)` from output to letter coordinates, for uniform `draws` `(N, 6)`."""
    turn, shear, wide, high, right, down = (strength * (2 * draws - 1)).unbind(1)
    angle = torch.deg2rad(15 * turn)
    width, height = (0.15 * wide).exp(), (0.15 * high).exp()
    first = torch.stack([angle.cos() * width, (0.2 * shear - angle.sin()) * height, 0.15 * right], 1)
    second = torch.stack([angle.sin() * width, angle.cos() * height, 0.15 * down], 1)
    return torch.stack([first, second], 1)


def glyphs(settings: GlyphSettings, part: str) -> Listing:
    """Return the letters of one part ("train" or "test"), classes as equal as their count allows.

    Everything is computed in double precision from uniform numbers and rounded once, so that the bytes do
    not depend on the machine's vector instructions or on threads.
    """
    count = settings.count if part == "train" else settings.count // 4
    random = generator(settings.seed, "glyphs", part)
    labels = torch.arange(count) % 26
    labels = labels[torch.randperm(count, generator=random)]
    fonts = torch.randint(len(FONTS), (count,), generator=random)
    cases = torch.randint(2, (count,), generator=random)
    matrices = deformations(torch.rand(count, 6, generator=random, dtype=torch.float64), settings.strength)
    contrasts = 0.6 + 0.4 * torch.rand(count, 1, 1, 1, generator=random, dtype=torch.float64)
    fine = settings.size * SUPERSAMPLING
    # A rendering finer than the samples would alias: reduce it first.
    rendered = F.interpolate(masters().flatten(0, 1), (fine, fine), mode="bilinear", antialias=True)
    rendered = rendered.reshape(len(FONTS), 2, 26, fine, fine)
    images = []
    for chunk in torch.arange(count).split(CHUNK):
        letters = rendered[fonts[chunk], cases[chunk], labels[chunk]][:, None]
        grid = F.affine_grid(matrices[chunk], [len(chunk), 1, fine, fine], align_corners=False)
        shapes = F.avg_pool2d(F.grid_sample(letters, grid, align_corners=False), SUPERSAMPLING)
        noise = 2 * torch.rand(shapes.shape, generator=random, dtype=torch.float64) - 1
        values = shapes * contrasts[chunk] + settings.noise * noise
        images.append((values.clamp(0, 1) * 255).round().to(torch.uint8))
    return labelled(torch.cat(images), labels)


def read_glyphs(settings: GlyphSettings) -> Found:
    """Return the letters."""
    train, test = glyphs(settings, "train"), glyphs(settings, "test")
    return Found({"train": train, "test": test}, LETTERS, "glyphs", Affine())


def digits() -> Listing:
    """Return scikit-learn's digits; their values 0..16 become 0..255."""
    # Imported late: it takes a second, and only this set needs it.
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(values).reshape(-1, 1, 8, 8).mul(255 / 16).round().to(torch.uint8)
    return labelled(images, torch.from_numpy(labels).long())


def read_digits() -> Found:
    """Return the digits."""
    whole = digits()
    train, test = choose(whole.labels, DIGITS, hold_out=DIGITS_HELD_OUT, seed=TEST_SEED, stream="test")
    return Found({"train": whole.subset(train), "test": whole.subset(test)}, DIGITS, "digits", Affine())
