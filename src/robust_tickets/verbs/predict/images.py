"""Predictions of images: their labels, the most probable first."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from robust_tickets.data.images.image_files import in_threads
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels, identity_preprocessing
from robust_tickets.runtime.errors import ImageError, RuntimeFileError
from robust_tickets.runtime.images import ImagePreparation, stated_classes, stated_preparation
from robust_tickets.runtime.load import Runtime
from robust_tickets.shrinking.artefact import OnnxFile
from robust_tickets.shrinking.export import portable
from robust_tickets.verbs.predict.given_images import given_images
from robust_tickets.verbs.predict.given_texts import ENDINGS
from robust_tickets.verbs.predict.labels import ImageLabels, ranked
from robust_tickets.verbs.predict.predictions import Predictions
from robust_tickets.verbs.predict.predictor import OnUnreadable, Predictor

BATCH = 32
"""Images prepared and computed at once."""


@dataclass(frozen=True)
class ImagePredictor(Predictor):
    """Logits of images, and what is needed to go from files to classes."""

    noun: ClassVar[str] = "images"
    name: str
    logits: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    preparation: ImagePreparation
    classes: tuple[str, ...] | None

    @classmethod
    def of_network(cls, name: str, network: Network, classes: tuple[str, ...] | None) -> "ImagePredictor":
        """Return that of a torch network.

        Raises:
            UserError: it does something else than tell images apart.
        """
        if isinstance(network.body, AdaptedBody):
            raise UserError(f"{name}: {network.body.does}; tickets predict is for networks that label images")
        plain = portable(network)

        @torch.no_grad()
        def logits(images: NDArray[np.float32]) -> NDArray[np.float32]:
            return plain(torch.from_numpy(images)).numpy()

        return cls(name, logits, preparation_of(network.pixels), classes)

    @classmethod
    def of_file(cls, file: OnnxFile) -> "ImagePredictor":
        """Return that of an ONNX file."""
        name, shape = str(file.path), file.session.get_inputs()[0].shape
        try:
            preparation, classes = stated_preparation(file.metadata, tuple(shape[1:])), stated_classes(file.metadata)
        except RuntimeFileError as error:
            raise UserError(f"{name}: {error}") from None
        return cls(
            name,
            lambda images: file.predict(torch.from_numpy(images)).numpy(),
            require_stated(name, preparation),
            classes,
        )

    @classmethod
    def of_runtime(cls, name: str, runtime: Runtime) -> "ImagePredictor":
        """Return that of a runtime file."""
        return cls(name, runtime, require_stated(name, runtime.preprocessing), runtime.classes)

    @property
    def outputs(self) -> int:
        """Logits of an image."""
        return self.logits(self.interface.example(1).numpy()).shape[1]

    @property
    def adaptation(self) -> None:
        """None: an exported file does not say."""
        return None

    @property
    def interface(self) -> Pixels:
        """How images are resized for it; their values stay as they are."""
        how = self.preparation
        return identity_preprocessing(how.channels, how.size).model_copy(
            update={"interpolation": how.interpolation, "crop_fraction": how.crop_fraction}
        )

    def predicted(self, given: Any, top: int, on_unreadable: OnUnreadable) -> Predictions:
        """Return the most probable classes of each image."""
        named = list(given_images(given))
        rows: list[ImageLabels] = []
        skipped: list[str] = []
        for start in range(0, len(named), BATCH):
            some = named[start : start + BATCH]
            prepared = in_threads(lambda one: self._prepared(one[1]), some)
            failed = [one for one in prepared if isinstance(one, ImageError)]
            if failed and on_unreadable == "refuse":
                raise UserError(f"{failed[0]}; to leave out such images, set on_unreadable: skip")
            skipped += [str(error) for error in failed]
            read = [(name, one) for (name, _), one in zip(some, prepared, strict=True) if isinstance(one, np.ndarray)]
            if read:
                numbers = np.concatenate([one for _, one in read])
                rows += self._labelled([name for name, one in read for _ in one], numbers, top)
        if not rows:
            raise UserError(
                f"none of the {len(named)} images can be read: {skipped[0]}" if skipped else "there are no images"
            )
        return Predictions(tuple(rows), tuple(skipped))

    def _prepared(self, image: Any) -> NDArray[np.float32] | ImageError:
        if isinstance(image, Path) and image.suffix.lower() in ENDINGS:
            raise UserError(f"{image}: holds texts, but {self.name} takes images; give image files")
        try:
            return self.preparation(image)
        except ImageError as error:
            return error

    def _labelled(self, names: list[str], images: NDArray[np.float32], top: int) -> list[ImageLabels]:
        logits = self.logits(images)
        if logits.ndim != 2:
            raise UserError(f"{self.name}: labels pixels; tickets predict is for networks that label images")
        return [ImageLabels(name, *one) for name, one in zip(names, ranked(logits, self.classes, top), strict=True)]


def preparation_of(preprocessing: Pixels) -> ImagePreparation:
    """Return how a network's preprocessing prepares images; normalisation is inside the network."""
    return ImagePreparation(
        preprocessing.size, preprocessing.channels, preprocessing.interpolation, preprocessing.crop_fraction
    )


def require_stated(name: str, preparation: ImagePreparation | None) -> ImagePreparation:
    """Refuse a file that does not say how images become its input.

    Raises:
        UserError: it does not.
    """
    if preparation is None:
        raise UserError(
            f"{name}: does not say how images become its input (interpolation, crop_fraction); write it again with "
            "tickets shrink, or from Python give load_runtime(file, preprocessing=...)"
        )
    return preparation
