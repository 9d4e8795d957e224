"""Pictures side by side, as a figure."""

import base64
import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from robust_tickets.report.looks import figure_style
from robust_tickets.report.notation import shortened
from robust_tickets.report.sections import Gallery

COLUMNS = 4
"""Pictures in a row."""


def gallery_figure(gallery: Gallery) -> Figure:
    """Draw the pictures in rows, pixel by pixel, with their names above."""
    pictures = [decoded(picture.png) for picture in gallery.pictures]
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    height, width = pictures[0].shape[:2]
    with figure_style():
        figure = Figure(figsize=(2.6 * columns, (2.6 * height / width + 0.35) * rows + 0.3), layout="constrained")
        for index, (picture, values) in enumerate(zip(gallery.pictures, pictures, strict=True)):
            axes = figure.add_subplot(rows, columns, index + 1)
            axes.imshow(values, interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(shortened(picture.name, 30), fontsize=9)
    return figure


def gallery_in_words(gallery: Gallery) -> str:
    """Say what is shown, for readers who cannot see it."""
    return f"{gallery.title}: {', '.join(picture.name for picture in gallery.pictures)}."


def decoded(png: str) -> np.ndarray:
    """Return the uint8 array `(H, W, 3)` of a PNG file in base64."""
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        return np.asarray(image.convert("RGB"))


def encoded(values: np.ndarray) -> str:
    """Return a picture as a PNG file in base64; equal pictures give equal text.

    Args:
        values: `(C, H, W)` in [0, 1], C 1 or 3; what lies outside is cut.
    """
    pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    colour = np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(colour)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
