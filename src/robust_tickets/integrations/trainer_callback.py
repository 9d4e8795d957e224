"""A ticket's zeros under Hugging Face's Trainer."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.integrations.masked import MaskedTraining, masked
from robust_tickets.integrations.placement import AnyTicket, masks_of

try:
    from transformers import (  # pyright: ignore[reportMissingImports]
        TrainerCallback,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )
except ImportError as missing:
    raise UserError(
        f"this callback is for transformers, which is not installed ({missing}): pip install transformers"
    ) from None


class TicketTrainerCallback(TrainerCallback):
    """Keeps removed weights at exactly zero while a Trainer trains: `Trainer(..., callbacks=[...])`.

    The network that the ticket was drawn from may be the model or any attribute of it.
    """

    def __init__(self, ticket: AnyTicket, copies: Iterable[nn.Module] = ()) -> None:
        """Read the masks; see `rt.masked` for the arguments."""
        self.masks = masks_of(ticket)
        self.copies = tuple(copies)
        self._held: MaskedTraining | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Put the masks in force."""
        self._held = masked(kwargs["model"], self.masks, kwargs["optimizer"], copies=self.copies).hold()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Let go."""
        if self._held is not None:
            self._held.release()
        self._held = None
