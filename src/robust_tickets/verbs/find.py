"""Find: the sparsest ticket that still matches dense."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings, Sparsity
from robust_tickets.measures.evaluation import require_attack
from robust_tickets.models.sources import Source, SourceSettings, load_source
from robust_tickets.ticket import Ticket
from robust_tickets.verbs.draw import draw_all, label
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.target import Data, changed, target_data
from robust_tickets.verbs.transfer import Transfer, TransferSettings, transfer
from robust_tickets.verbs.verify import Verdict, VerifySettings, verify


class FindSettings(Settings):
    """Which sparsities are tried."""

    rate: float = Field(default=0.2, gt=0, lt=1, description="The ladder's step: sparsities 1 - (1 - rate)^k.")
    rungs: int = Field(default=18, ge=1, description="Number of rungs of the ladder.")
    sparsities: tuple[Sparsity, ...] | None = Field(
        default=None, description="Sparsities to try instead of the ladder."
    )

    def candidates(self) -> tuple[float, ...]:
        """Return the sparsities to try, ascending."""
        if self.sparsities is not None:
            return tuple(sorted(self.sparsities))
        return tuple(1 - (1 - self.rate) ** k for k in range(1, self.rungs + 1))


@dataclass(frozen=True, eq=False)
class Found:
    """The sparsest ticket that matches on validation, and what the test data say of it."""

    ticket: Ticket | None
    """None where no candidate matches."""
    result: Transfer | None = field(repr=False)
    verdict: Verdict | None
    """On test data, which were touched for this one ticket only."""
    tried: tuple[Verdict, ...]
    """On validation data, from the sparsest candidate down to the one chosen."""

    def sentence(self) -> str:
        """Return the outcome in plain words."""
        if self.ticket is None or self.verdict is None:
            return f"No ticket matches on validation; {len(self.tried)} were tried."
        confirmed = "confirmed" if self.verdict.matches else "NOT confirmed"
        sparsity = f"{100 * self.ticket.sparsity:.4g} %"
        found = f"Sparsest ticket that matches on validation: {sparsity}; {confirmed} on test."
        return f"{found} {self.verdict.sentence()}"


def find(
    source: Source | SourceSettings | str | Path | nn.Module,
    data: Data,
    *,
    settings: FindSettings | None = None,
    draw: DrawSettings | None = None,
    transfer_settings: TransferSettings | None = None,
    verify_settings: VerifySettings | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    **changes: Any,
) -> Found:
    """Search for the sparsest ticket that matches dense on validation data, and confirm it once on test data.

    Candidates are tried from the sparsest down until one matches, so that nothing is assumed about the order
    in which sparsities match. All have the same seeds as dense.

    Args:
        source: the network to draw from.
        data: the target; it needs a validation part.
        settings: the ladder; `changes` are keyword changes to it, as in `rungs=10`.
        draw: how tickets are drawn; its sparsity is replaced by the candidates.
        transfer_settings: how ticket and dense are trained.
        verify_settings: margin, level and attack.
        seed: of the draw.
        folder: where everything is kept; a second call goes on.

    Raises:
        UserError: the data have no validation part, or anything that drawing and transferring refuse.
    """
    settings = changed(settings or FindSettings(), changes)
    verify_settings = verify_settings or VerifySettings()
    if verify_settings.robustness is not None:
        require_attack(verify_settings.robustness)
    source = load_source(source)
    splits = target_data(data, source, (transfer_settings or TransferSettings()).seeds[0])
    if not len(splits.validation):
        raise UserError(f"{splits.name}: find selects on validation and there is none; set data.validation above 0")
    folder = Path(folder) if folder is not None else None
    chosen = (draw or DrawSettings()).model_copy(update={"sparsity": settings.candidates()})
    tickets = draw_all(source, settings=chosen, seed=seed, folder=place(folder, "tickets"))
    dense = transfer(source, data, settings=transfer_settings, folder=place(folder, "dense"))
    tried: list[Verdict] = []
    for ticket in reversed(tickets):
        result = transfer(ticket, data, settings=dense.settings, folder=place(folder, label(ticket.target)))
        tried.append(verify(result, dense, settings=verify_settings, part="validation"))
        if tried[-1].matches:
            return Found(ticket, result, verify(result, dense, settings=verify_settings), tuple(tried))
    return Found(None, None, None, tuple(tried))


def place(folder: Path | None, name: str) -> Path | None:
    """Return a subfolder, or None where nothing is kept."""
    return folder / name if folder is not None else None
