"""A body that makes a picture of fixed noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.adaptations.picture_output import PictureOutput
from robust_tickets.models.interface import Interface


class ToPicture(nn.Sigmoid):
    """The last operation of a generator: any number becomes a brightness in [0, 1]."""


class Generator(AdaptedBody):
    """Maps noise [N, depth, h, w] to pictures [N, C, H, W] in [0, 1]; its last convolution is called `output`, and what
    follows it `to_picture`.

    Nothing of it is a head: all layers are its own, and a ticket may remove any of their weights.

    Args:
        channels: C.
    """

    does = "restores one picture"
    head_path = "output"
    adaptation = PictureOutput()
    least_classes: ClassVar[int] = 1
    answers: ClassVar[tuple[str, ...]] = ("picture",)
    unexportable: ClassVar[str] = (
        "it holds a single picture, which `tickets restore` writes as an image file; leave shrink out (shrink: null)"
    )

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.num_classes = channels
        self.to_picture = ToPicture()

    @property
    def fresh(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a last convolution for pictures of so many channels."""
        old = self.get_submodule(self.head_path)
        assert isinstance(old, nn.Conv2d)
        with global_stream(seed, "head"):
            return nn.Conv2d(old.in_channels, num_classes, 1, bias=old.bias is not None)

    def shape_fault(self, shape: tuple[int, ...]) -> str | None:
        """Return the shape of two pictures."""
        right = len(shape) == 4 and shape[:2] == (2, self.num_classes)
        return None if right else f"[2, {self.num_classes}, height, width]"

    def require_input(self, interface: Interface, name: str) -> None:
        """Refuse anything but noise for pictures that the levels can make.

        Raises:
            UserError: says what it takes.
        """
        if interface.noise is None:
            raise UserError(f"{name}: takes fixed noise, not {interface.noun}")
        if (complaint := interface.complaint) is not None:
            raise UserError(f"{name}: a picture {complaint}")

    def answered(self, tensors: Sequence[Tensor]) -> Any:
        """Return the pictures."""
        return tensors[0]

    def decided(self, inputs: Any, outputs: Tensor) -> Tensor | None:
        """Return None: pixels are numbers."""
        return None
