"""What drawing a ticket took."""

from pathlib import Path

from pydantic import Field

from robust_tickets.foundation.files import read_json, write_json
from robust_tickets.foundation.settings import Settings

FILE = "cost.json"


class Cost(Settings):
    """What a draw took, up to one of its tickets; beside the ticket, since it differs from run to run.

    A dense finetuning before the draw is not in it: tickets of several sparsities share one.
    """

    seconds: float = Field(ge=0, description="Of work, on the machine it ran on; interruptions do not count.")
    steps: int = Field(ge=0, description="Training steps.")
    examples: int = Field(ge=0, description="Training examples in these steps, each as often as it was passed.")

    def save(self, folder: Path) -> None:
        """Write it beside a ticket."""
        write_json(folder / FILE, self.model_dump(mode="json"))

    @classmethod
    def of(cls, folder: Path) -> "Cost | None":
        """Return what is written beside a ticket; None of tickets that older versions drew."""
        path = folder / FILE
        return cls.model_validate(read_json(path)) if path.is_file() else None
