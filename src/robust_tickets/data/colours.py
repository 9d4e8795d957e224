"""Images that change their channels on their way to the network, told in one sentence."""

from collections.abc import Iterable

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.folder import FolderImages
from robust_tickets.data.pixel_images import PixelImages
from robust_tickets.data.user import UserImages, image_geometry
from robust_tickets.data.user_contents import PROBED, spaced


def image_channels(part: ImageArrays | FolderImages | UserImages | PixelImages) -> list[int]:
    """Return the channels, 1 or 3, of each image before it is converted; of a user's items only some."""
    if isinstance(part, ImageArrays):
        return [part.channels] * len(part)
    if isinstance(part, FolderImages):
        return [facts.channels for facts in part.facts]
    if isinstance(part, PixelImages):
        return [image.channels for image, _ in part.facts]
    return [image_geometry(part.original(index))[1] for index in spaced(len(part), PROBED)]


def converted(parts: Iterable[ImageArrays | FolderImages | UserImages | PixelImages], channels: int) -> tuple[str, ...]:
    """Return how many images of the parts, as they were found, become grey or RGB; nothing where none do."""
    parts = list(parts)
    found = [of_image for part in parts for of_image in image_channels(part)]
    others = sum(of_image != channels for of_image in found)
    if not others:
        return ()
    probed = any(isinstance(part, UserImages) for part in parts)
    number = f"{'of the images looked at, ' if probed else ''}{others:,} of {len(found):,}"
    if channels == 3:
        return (f"{number} images are grey and become RGB, as in torchvision's ImageFolder",)
    return (f"{number} images are in colour and become grey, as the network takes them",)
