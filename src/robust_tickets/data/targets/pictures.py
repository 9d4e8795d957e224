"""A picture as a target: what is seen of it, and what it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting, NoAugmentation
from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.fitting import Interpolation, Wanted
from robust_tickets.data.images.fit import Fit, convert_channels, resize
from robust_tickets.data.images.latents import Latents
from robust_tickets.data.images.picture_files import read_mask, read_picture
from robust_tickets.data.names import PartName
from robust_tickets.data.restoration import Observation, Restoration, observed
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.targets import Targets, zeros
from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError

AS_IT_IS = Restoration(degraded=True)
"""A picture of which nothing is said: it may be noisy, and nothing judges what is made of it."""


class Pictures(Targets):
    """One picture, which a generator learns as far as it is seen.

    A batch's targets are `seen` float `(n, C, h, w)`, `known` bool `(n, 1, h, w)` and, where somebody knows what the
    picture should be, `clean` float `(n, C, H, W)`. There is no training part apart from the others: where `clean` is
    known, validation shows how it is approached, and the test part measures the end. Nothing may be selected by it.

    Args:
        picture: float `(C, H, W)` in [0, 1], as it was given.
        seen: what the generator learns, once it is known how the picture is degraded.
    """

    kind: ClassVar[str] = "picture"
    words: ClassVar[str] = "is a single picture"
    noun: ClassVar[str] = "picture"
    provides: ClassVar[frozenset[str]] = frozenset()
    selects: ClassVar[bool] = False
    unjudged: ClassVar[str] = "has no clean picture to judge by; give one as data.restoration.reference"
    is_restored: ClassVar[bool] = True

    def __init__(self, picture: Tensor, seen: Observation | None = None) -> None:
        self.picture, self.seen = picture, seen

    @classmethod
    def found(cls, picture: Tensor, name: str) -> Found:
        """Return a picture float `(C, H, W)` in [0, 1] as data."""
        size = (picture.shape[1], picture.shape[2])
        return Found({"train": Listing.whole(Latents(size), cls(picture))}, (), name)

    @property
    def observation(self) -> Observation:
        """What is seen."""
        assert self.seen is not None, "`arranged` has looked"
        return self.seen

    @property
    def judge(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether it is known what the picture should be."""
        return self.observation.clean is not None

    @property
    def balance(self) -> Tensor:
        """A single 0."""
        return zeros(1)

    def single(self, index: int, fit: Any, keep: bool) -> dict[str, Tensor]:
        """Return what is seen, what is known and, where anybody knows it, what it should be."""
        found = self.observation
        clean = {"clean": found.clean} if found.clean is not None else {}
        return {"seen": found.seen, "known": found.known, **clean}

    def collated(self, targets: Sequence[Any]) -> dict[str, Tensor]:
        """Return the same of several."""
        return {name: torch.stack([target[name] for target in targets]) for name in targets[0]}

    def moved(self, targets: Any, augmentation: Augmenting, draws: Tensor, size: tuple[int, int]) -> Any:
        """Return them as they are: noise is not augmented."""
        return targets

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return what the bytes of the picture tell."""
        found = self.observation
        parts = {"seen": found.seen, "known": found.known}
        parts |= {"clean": found.clean} if found.clean is not None else {}
        return [tensors_digest(parts)] * len(indices)

    @classmethod
    def fit(cls, size: tuple[int, int], channels: int, interpolation: Interpolation, crop_fraction: float) -> Fit:
        """Return a fit that is never asked for."""
        return Fit(size, channels, interpolation, crop_fraction)

    @classmethod
    def suited(cls, found: Found, train: Listing) -> Augmenting:
        """Return nothing."""
        return NoAugmentation()

    @classmethod
    def complaint(cls, settings: DataSettings, inputs: str) -> str | None:
        """Return the settings that a single picture has no use for."""
        fields = DataSettings.model_fields
        for name in ("fraction", "per_class", "validation", "test", "ignore", "augmentation", "workers"):
            if getattr(settings, name) != fields[name].default:
                return f"is a single picture, of which nothing can be divided or moved; leave out data.{name}"
        if settings.channels not in (None, 3):
            return "is made in colour, grey pictures too; leave out data.channels"
        return None

    @classmethod
    def divided(cls, settings: DataSettings) -> DataSettings:
        """Return settings under which nothing is held out."""
        return settings.model_copy(update={"validation": 0.0, "test": 0.0})

    @classmethod
    def arranged(cls, found: Found, settings: DataSettings, asked: Wanted) -> Found:
        """Return the picture as it is seen under the seed of the run.

        Raises:
            UserError: no generator asks, or the picture, its mask and its reference do not fit each other.
        """
        if asked.latent is None:
            return found
        channels, name = asked.latent.channels, found.name
        restoration = settings.restoration or AS_IT_IS
        (listing,) = found.parts.values()
        assert isinstance(listing.targets, cls)
        picture = listing.targets.picture
        if settings.size is not None:
            picture = resize(picture[None], settings.size, asked.interpolation)[0]
        full = full_size(picture, restoration, name)
        reference = None
        if restoration.reference is not None:
            reference = read_picture(restoration.reference)
            require_shape(reference, full, restoration.reference, "data.restoration.reference", name)
            reference = convert_channels(reference[None], channels)[0]
        small = tuple(side // restoration.factor for side in full)
        lost = None
        if isinstance(restoration.lost, str):
            lost = read_mask(restoration.lost)
            require_shape(lost, (small[0], small[1]), restoration.lost, "data.restoration.lost", name)
        seed = settings.seed if settings.seed is not None else asked.seed
        seen = observed(picture, reference, lost, restoration, seed)
        if not bool(seen.known.any()):
            raise UserError(f"{name}: data.restoration.lost: no pixel is left; make less of the mask white")
        # Noise of a grey picture is grey: its channels are not three looks at the same pixel.
        wide = Observation(
            convert_channels(seen.seen[None], channels)[0],
            seen.known,
            convert_channels(seen.clean[None], channels)[0] if seen.clean is not None else None,
        )
        targets = cls(picture, wide)
        whole = Listing.whole(Latents(full), targets)
        parts: dict[PartName, Listing] = {"train": whole}
        if targets.judge:
            parts = {"train": whole, "validation": whole, "test": whole}
        return replace(found, parts=parts, notes=(*found.notes, f"problem: {restoration.describe()}"))

    @classmethod
    def remarks(cls, classes: tuple[str, ...], parts: Any) -> tuple[str, ...]:
        """Return whether there is anything to judge by."""
        if parts["train"].targets.judge:
            return ("validation and test part are the clean picture: it judges, and nothing is selected by it",)
        return ("nobody knows what the picture should be, so that nothing is judged",)


def full_size(picture: Tensor, restoration: Restoration, name: str) -> tuple[int, int]:
    """Return height and width of what is restored.

    Raises:
        UserError: the picture cannot be made smaller by the factor asked for.
    """
    height, width = picture.shape[1:]
    factor = restoration.factor
    if restoration.is_degraded:
        return height * factor, width * factor
    if height % factor or width % factor:
        raise UserError(
            f"{name}: is {width} x {height} pixels, which factor {factor} does not divide; set data.size: "
            f"{[height - height % factor, width - width % factor]}"
        )
    return height, width


def require_shape(other: Tensor, size: tuple[int, int], path: str, setting: str, name: str) -> None:
    """Refuse a mask or a reference of another size.

    Raises:
        UserError: says both sizes.
    """
    if tuple(other.shape[1:]) != size:
        raise UserError(
            f"{setting}: {path} is {other.shape[2]} x {other.shape[1]} pixels, but {name} needs {size[1]} x {size[0]}"
        )
