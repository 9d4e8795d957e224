"""Restore: make one picture clean, whole or larger by a sparse generator that has learned nothing but it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.forms.one_picture import is_one, of_user
from robust_tickets.data.images.fit import convert_channels
from robust_tickets.data.images.picture_files import read_mask, read_picture, write_picture
from robust_tickets.data.restoration import Restoration
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.pictures import Pictures, require_shape
from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.foundation.latent_noise import LatentNoise
from robust_tickets.foundation.settings import changed
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.peak_signal_noise import LEAST
from robust_tickets.models.sources import Source, load_source
from robust_tickets.pruning.parametrisations import Bernoulli
from robust_tickets.pruning.scopes.global_ import GlobalScope
from robust_tickets.pruning.scores.learned import Learned
from robust_tickets.pruning.timelines.one_shot import OneShot
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.training.optimisers import AdamW
from robust_tickets.training.preview import watched
from robust_tickets.training.schedules import Constant
from robust_tickets.training.settings import Training
from robust_tickets.verbs.draw import draw
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.restore_settings import RestoreSettings
from robust_tickets.verbs.tiles import Tile, blended, known_piece, tiles_of
from robust_tickets.verbs.transfer import transfer
from robust_tickets.verbs.transfer_settings import TransferSettings

SECONDS = 2.0
"""Between two looks at a picture while it is learned."""

PATIENCE = 10
"""How many times as long as a look takes is waited for the next one."""

LEAST_TILE = 3
"""A tile is at least this many times as wide as it overlaps."""


@dataclass(frozen=True, eq=False)
class Restored:
    """A picture that was restored, or as much of it as is done."""

    picture: Tensor
    """Float `(C, H, W)` in [0, 1]."""
    seen: Tensor
    """As it was given, float `(C, h, w)` in [0, 1]."""
    reference: Tensor | None
    """As it should be, if that was given."""
    done: int
    """Tiles that are restored; the others are as they were given."""
    tiles: int
    settings: RestoreSettings
    parameters: int
    """Of the generator, as many as the ticket keeps."""

    def __repr__(self) -> str:
        height, width = self.picture.shape[1:]
        psnr = f", PSNR {self.psnr:.2f} dB" if self.psnr is not None else ""
        return (
            f"Restored({width} x {height} pixels, {self.done} of {self.tiles} tiles, {self.parameters:,} weights{psnr})"
        )

    @property
    def psnr(self) -> float | None:
        """PSNR to the reference, dB; None without one."""
        return psnr(self.picture, self.reference) if self.reference is not None else None

    def save(self, path: Path | str) -> Path:
        """Write the picture as a PNG file.

        Raises:
            UserError: the path does not end in .png, is somebody else's, or cannot be written.
        """
        return write_picture(self.picture, Path(path))


def restore(
    picture: Path | str | Image.Image | Any,
    *,
    settings: RestoreSettings | None = None,
    folder: Path | str | None = None,
    seed: int = 0,
    tell: Callable[[Restored], None] | None = None,
    **changes: Any,
) -> Restored:
    """Restore a picture that is noisy, has holes, or is too small.

    A ticket of a random generator is drawn on a piece of the picture (Optimal Eye Surgeon): it is too small to learn
    noise. Then it learns the picture, tile by tile if that is large.

    Args:
        picture: an image file, an image of PIL, or an array of uint8 or of floats in [0, 1].
        settings: everything else; `changes` are keyword changes, as in `kept=0.03`.
        folder: keeps what was done; a second call resumes. None: nothing is kept.
        seed: of the generator's weights, and of the draw.
        tell: is called with what there is, before the first tile and after each.

    Raises:
        UserError: the picture, its mask or its reference cannot be read or do not fit each other, or the picture is too
            small for the generator's levels.
    """
    settings = changed(settings or RestoreSettings(), changes)
    if settings.tile < LEAST_TILE * settings.overlap:
        raise UserError(f"overlap: {settings.overlap} is too large for tiles of {settings.tile} pixels")
    if folder is not None:
        return Restoring(picture, settings, Path(folder), seed).done(tell)
    with TemporaryDirectory() as place:
        return Restoring(picture, settings, Path(place), seed).done(tell)


class Restoring:
    """The restoration of one picture."""

    def __init__(self, picture: Any, settings: RestoreSettings, folder: Path, seed: int) -> None:
        self.settings, self.folder, self.seed = settings, folder, seed
        name = str(picture) if isinstance(picture, str | Path) else type(picture).__name__
        self.seen = of_user_or_file(picture)
        size = (self.seen.shape[1], self.seen.shape[2])
        factor = settings.factor
        self.lost = read_mask(settings.lost) if settings.lost is not None else None
        self.reference = read_picture(settings.reference) if settings.reference is not None else None
        if self.lost is not None and settings.lost is not None:
            require_shape(self.lost, size, settings.lost, "lost", name)
        if self.reference is not None and settings.reference is not None:
            whole = (factor * size[0], factor * size[1])
            require_shape(self.reference, whole, settings.reference, "reference", name)
            self.reference = convert_channels(self.reference[None], self.seen.shape[0])[0]
        self.source = load_source(settings.network, weights="random", seed=seed)
        self.tiles = tiles_of(size, max(1, settings.tile // factor), settings.overlap // factor)
        self.piece = self.chosen_piece(size)
        self.require_fits(name)

    def chosen_piece(self, size: tuple[int, int]) -> Tile:
        """Return where the ticket is drawn: where most is known, in the middle if that is everywhere."""
        noise, factor = self.noise, self.settings.factor
        multiple = noise.reduction // math.gcd(noise.reduction, factor)
        side = multiple * -(-max(self.settings.mask_side, noise.least) // (multiple * factor))
        known = ~self.lost if self.lost is not None else torch.ones(1, *size, dtype=torch.bool)
        return known_piece(known, min(side, size[0]), min(side, size[1]))

    def require_fits(self, name: str) -> None:
        """Refuse a picture that the generator cannot make, or of which it would see nothing.

        Raises:
            UserError: says which sizes it can make, or what would leave something to see.
        """
        factor, tile = self.settings.factor, self.tiles[0]
        size = (factor * tile.height, factor * tile.width)
        if (complaint := self.noise.complaint(size)) is not None:
            right = "one for any size: prior/unet4-x0.5"
            if min(size) < self.noise.least:
                right = "a larger picture, or a generator with fewer levels"
            what = f"{name}: a tile" if self.tiles[1:] else f"{name}:"
            raise UserError(f"{what} {complaint.partition(';')[0]}; use {right}")
        if self.lost is not None and any(bool(one.of(self.lost).all()) for one in self.tiles):
            raise UserError(
                f"lost: of a tile of {tile.width} x {tile.height} pixels none is left; make less of the mask white, or "
                "tiles larger (tile)"
            )

    @property
    def noise(self) -> LatentNoise:
        """What goes into the generator.

        Raises:
            UserError: the network is none.
        """
        noise = self.source.network.interface.noise
        if noise is None:
            raise UserError(f"network: {self.settings.network} is no generator; name one, such as prior/unet4-x0.5")
        return noise

    def done(self, tell: Callable[[Restored], None] | None) -> Restored:
        """Return the picture, once all is done."""
        given = {"seen": self.seen} | ({"lost": self.lost} if self.lost is not None else {})
        paths = {"lost", "reference"}
        identity = {
            "verb": "restore",
            "picture": tensors_digest(given),
            "settings": self.settings.model_dump(mode="json", exclude=paths),
            "seed": self.seed,
        }
        with Step(self.folder, identity).claim():
            return self.restored(tell)

    def restored(self, tell: Callable[[Restored], None] | None) -> Restored:
        """Return the picture; tell of it on the way."""
        ticket = self.ticket()
        factor, size = self.settings.factor, (self.seen.shape[1], self.seen.shape[2])
        made = [enlarged(tile.of(self.seen), factor) for tile in self.tiles]
        kept = self.kept(ticket)

        def so_far(done: int) -> Restored:
            whole = blended(self.tiles, made, size, factor)
            return Restored(whole, self.seen, self.reference, done, len(self.tiles), self.settings, kept)

        for number, tile in enumerate(self.tiles):
            if tell is not None:
                tell(so_far(number))

            def shown(pictures: Tensor, number: int = number) -> None:
                made[number] = self.as_given(pictures[0])
                if tell is not None:
                    tell(so_far(number))

            with watched(Seldom(shown)):
                made[number] = self.learned(ticket, tile, number)
        whole = so_far(len(self.tiles))
        if tell is not None:
            tell(whole)
        return whole

    def ticket(self) -> Ticket | None:
        """Return the ticket, drawn on a piece of the picture; None where all is kept."""
        if self.settings.kept == 1:
            return None
        settings = DrawSettings.model_validate(
            {
                "sparsity": 1 - self.settings.kept,
                "prunable": {"include_all": True},
                "score": Learned(),
                "scope": GlobalScope(),
                "parametrisation": Bernoulli(temperature=1, penalty=1e-7),
                "timeline": OneShot(epochs=self.settings.mask_steps),
                "head": "keep",
                "training": adam(0.1, self.settings.mask_steps),
            }
        )
        data = self.data(self.piece, self.folder / "piece")
        return draw(self.source, settings=settings, data=data, seed=self.seed, folder=self.folder / "ticket")

    def kept(self, ticket: Ticket | None) -> int:
        """Return how many of the generator's parameters are left."""
        total = sum(parameter.numel() for parameter in self.source.network.body.parameters())
        return total - (sum(int((~mask).sum()) for mask in ticket.masks.values()) if ticket is not None else 0)

    def data(self, tile: Tile, folder: Path) -> DataSettings:
        """Return a tile as data; its files are written into the folder."""
        place = write_picture(tile.of(self.seen), folder.resolve() / "picture.png")
        lost: str | float = 0.0
        if self.lost is not None:
            lost = str(write_picture(tile.of(self.lost.float()), folder.resolve() / "lost.png"))
        problem = Restoration(lost=lost, factor=self.settings.factor, degraded=True)
        return DataSettings(name=str(place), restoration=problem)

    def learned(self, ticket: Ticket | None, tile: Tile, number: int) -> Tensor:
        """Return what the ticket makes of a tile once it has learned it, in as many channels as it was given in."""
        folder = self.folder / "tiles" / str(number)
        training = adam(0.01, self.settings.steps, self.settings.noise)
        subject: Ticket | Source = ticket if ticket is not None else self.source
        settings = TransferSettings(training=training, seeds=(self.seed,), head="keep")
        found = transfer(subject, self.data(tile, folder), settings=settings, folder=folder / "run")
        run = found.runs[0]
        with torch.no_grad():
            made = run.network.cpu().eval()(run.data.train[0][0][None])[0]
        return self.as_given(made)

    def as_given(self, picture: Tensor) -> Tensor:
        """Return a picture in grey, where it was given so, or in RGB."""
        return convert_channels(picture.detach().cpu()[None], self.seen.shape[0])[0]


class Seldom:
    """Shows a picture every few seconds, and less often where showing it takes long."""

    def __init__(self, show: Callable[[Tensor], None]) -> None:
        self.show, self.next = show, time.monotonic() + SECONDS

    def __call__(self, pictures: Tensor) -> None:
        """Show pictures, or not."""
        begun = time.monotonic()
        if begun >= self.next:
            self.show(pictures)
            shown = time.monotonic()
            self.next = shown + max(SECONDS, PATIENCE * (shown - begun))


def of_user_or_file(picture: Any) -> Tensor:
    """Return what was handed over as a picture `(C, h, w)` in [0, 1].

    Raises:
        UserError: it is none.
    """
    if isinstance(picture, str | Path):
        return read_picture(given_path(str(picture)))
    if not is_one(picture):
        raise UserError(f"picture: should be an image file, an image of PIL or an array (got {type(picture).__name__})")
    targets = of_user(picture).parts["train"].targets
    assert isinstance(targets, Pictures)
    return targets.picture


def enlarged(picture: Tensor, factor: int) -> Tensor:
    """Return a picture with each pixel `factor` times as wide and high."""
    return picture.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def adam(rate: float, steps: int, noise: float | None = None) -> Training:
    """Return a training of one picture."""
    return Training(
        epochs=steps,
        batch_size=1,
        optimiser=AdamW(lr=rate, weight_decay=0.0),
        schedule=Constant(),
        validate_every=10,
        until=noise**2 if noise is not None else 0.0,
    )


def psnr(picture: Tensor, reference: Tensor) -> float:
    """Return the PSNR of a picture `(C, H, W)` to another one, dB."""
    mse = (picture.clamp(0, 1) - reference).square().double().mean().item()
    return -10 * math.log10(max(mse, LEAST))
