"""A single image file, an array in memory, or one of scikit-learn's photographs: what a generator restores."""

from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from robust_tickets.data.examples import Found
from robust_tickets.data.forms.form import DataForm, GivenPlace
from robust_tickets.data.images.picture_files import is_picture, of_array, of_image, read_picture
from robust_tickets.data.targets.pictures import Pictures


def read_one(place: GivenPlace) -> Found:
    """Return the picture in a file."""
    return Pictures.found(read_picture(place.path), place.name)


def read_photograph(name: str) -> Found:
    """Return `china` or `flower`, 427 x 640 pixels, as scikit-learn ships them."""
    # Imported late: it takes a second, and only these need it.
    from sklearn.datasets import load_sample_image

    return Pictures.found(of_array(load_sample_image(f"{name}.jpg"), name), name)


def is_one(data: Any) -> bool:
    """Return whether what was handed over is a single picture: an image of PIL, or an array of one."""
    return isinstance(data, Image.Image | np.ndarray | Tensor)


def of_user(data: Any) -> Found:
    """Return the picture that was handed over.

    Raises:
        UserError: it is no picture.
    """
    name = type(data).__name__
    if isinstance(data, Image.Image):
        return Pictures.found(of_image(data), name)
    values = data.detach().cpu().numpy() if isinstance(data, Tensor) else data
    return Pictures.found(of_array(values, name), name)


ONE_PICTURE = DataForm(noun="an image file", is_at=is_picture, read=read_one)
