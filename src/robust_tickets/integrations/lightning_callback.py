"""A ticket's zeros under Lightning's Trainer."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.integrations.masked import MaskedTraining, masked
from robust_tickets.integrations.placement import AnyTicket, masks_of

try:
    from lightning.pytorch import Callback, LightningModule, Trainer  # pyright: ignore[reportMissingImports]
except ImportError:
    try:
        from pytorch_lightning import Callback, LightningModule, Trainer  # pyright: ignore[reportMissingImports]
    except ImportError as missing:
        raise UserError(
            f"this callback is for Lightning, which is not installed ({missing}): pip install lightning"
        ) from None


class TicketCallback(Callback):  # pyright: ignore[reportGeneralTypeIssues] - one of two packages
    """Keeps removed weights at exactly zero while a Trainer fits: `Trainer(callbacks=[TicketCallback(ticket)])`.

    The network that the ticket was drawn from may be any attribute of the LightningModule.
    """

    def __init__(self, ticket: AnyTicket, copies: Iterable[nn.Module] = ()) -> None:
        """Read the masks; see `rt.masked` for the arguments."""
        self.masks = masks_of(ticket)
        self.copies = tuple(copies)
        self._held: MaskedTraining | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the masks in force, before the first validation."""
        self._held = masked(pl_module, self.masks, *trainer.optimizers, copies=self.copies).hold()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Mask what a checkpoint brought."""
        if self._held is not None:
            self._held.apply()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let go."""
        self._release()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let go."""
        self._release()

    def _release(self) -> None:
        if self._held is not None:
            self._held.release()
        self._held = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": None}
