"""Find: the sparsest ticket that still matches dense."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import nn

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_json
from robust_tickets.foundation.ownership import require_apart
from robust_tickets.foundation.settings import changed
from robust_tickets.foundation.steps import Step
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated, load_source
from robust_tickets.tasks.kinds import task_for
from robust_tickets.tasks.measurable import require_measurable
from robust_tickets.tasks.target import Data, target_data
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.double_win import (
    DoubleWinVerdict,
    Pair,
    adversarial_counterpart,
    require_objectives,
    under_attack,
    verify_double_win,
)
from robust_tickets.verbs.draw import draw_all, label
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.find_settings import FindSettings
from robust_tickets.verbs.measure import part_of
from robust_tickets.verbs.transfer import Transfer, transfer
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify import Verdict, verify
from robust_tickets.verbs.verify_settings import VerifySettings


@dataclass(frozen=True, eq=False)
class FindResult:
    """The sparsest ticket that meets the criterion on validation, and what the test data say of it."""

    ticket: Ticket | None
    """None where no candidate does."""
    result: Transfer | None = field(repr=False)
    verdict: Verdict | DoubleWinVerdict | None
    """On test data, which were touched for this one ticket only."""
    tried: tuple[Verdict | DoubleWinVerdict, ...]
    """On validation data, from the sparsest candidate down to the one chosen."""
    adversarial: Transfer | None = field(default=None, repr=False)
    """The adversarial transfer of a double-win ticket, beside `result`, which is the standard one."""
    criterion: Literal["match", "double-win"] = "match"

    def sentence(self) -> str:
        """Return the outcome in plain words."""
        is_double = self.criterion == "double-win"
        if self.ticket is None or self.verdict is None:
            failed = "is double-win" if is_double else "matches"
            return f"No ticket {failed} on validation; {len(self.tried)} were tried."
        confirmed = "confirmed" if self.verdict.matches else "NOT confirmed"
        sparsity = f"{100 * self.ticket.sparsity:.4g} %"
        what = "Sparsest double-win ticket" if is_double else "Sparsest ticket that matches"
        return f"{what} on validation: {sparsity}; {confirmed} on test. {self.verdict.sentence()}"


@dataclass(eq=False)
class Contest:
    """One way of training, in which tickets are measured against dense."""

    source: Source
    data: Data
    settings: TransferSettings
    folder: Path | None
    dense: Transfer | None = field(default=None, init=False)
    """Dense's transfer, once a ticket was compared with it."""

    def pair(self, ticket: Ticket) -> Pair:
        """Return the ticket's transfer beside dense's."""
        at = place(self.folder, label(ticket.target))
        result = transfer(ticket, self.data, settings=self.settings, folder=at)
        if self.dense is None:
            self.dense = result.dense(place(self.folder, "dense"))
        return result, self.dense


def find(
    source: Source | SourceSettings | str | Path | nn.Module,
    data: Data,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    settings: FindSettings | None = None,
    draw: DrawSettings | None = None,
    transfer_settings: TransferSettings | None = None,
    adversarial_settings: TransferSettings | None = None,
    verify_settings: VerifySettings | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    **changes: Any,
) -> FindResult:
    """Search for the sparsest ticket that matches dense on validation data, and confirm it once on test data.

    Candidates are tried from the sparsest down until one meets the criterion, so that nothing is assumed about
    the order in which sparsities do. All have the same seeds as dense. A ticket that standard transfer rules out
    as double-win is not transferred adversarially.

    Args:
        source: the network to draw from.
        data: the target; it needs a validation part.
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        settings: criterion and ladder; `changes` are keyword changes to it, as in `rungs=10`.
        draw: how tickets are drawn; its sparsity is replaced by the candidates.
        transfer_settings: how ticket and dense are trained.
        adversarial_settings: how they are trained adversarially for `criterion="double-win"`; by default as
            `transfer_settings` under PGD-10 in the ball of the attack that verifies.
        verify_settings: margin, level and attack (for double-win PGD-20 in L-inf 8/255 where none is given).
        seed: of the draw.
        folder: where everything is kept, `found.json` too; a second call goes on.

    Raises:
        UserError: the data have no validation part, or anything that drawing and transferring refuse.
    """
    settings = changed(settings or FindSettings(), changes)
    require_apart(folder, data)
    verify_settings = verify_settings or VerifySettings()
    is_double = settings.criterion == "double-win"
    if is_double:
        verify_settings = under_attack(verify_settings)
    elif adversarial_settings is not None:
        raise UserError("find: adversarial settings are for criterion: double-win; set it, or leave them out")
    verify_settings.require()
    source = load_source(source, weights=weights, preprocessing=preprocessing)
    transfer_settings = transfer_settings or TransferSettings()
    splits = target_data(data, source, transfer_settings.seeds[0])
    if not len(splits.validation):
        raise UserError(f"{splits.name}: find selects on validation and there is none; set data.validation above 0")
    part_of(splits, "test")
    classes = source.network.num_classes if transfer_settings.head == "keep" else None
    task = task_for(splits, transfer_settings.task)
    require_measurable(task, splits, verify_settings.robustness, verify_settings.measures, classes)
    folder = Path(folder) if folder is not None else None
    standard, adversarial = Contest(source, data, transfer_settings, folder), None
    if is_double:
        chosen = adversarial_settings or adversarial_counterpart(transfer_settings, verify_settings)
        require_objectives(transfer_settings, chosen)
        adversarial = Contest(source, data, chosen, place(folder, "adversarial"))
    drawing = draw or DrawSettings()
    # What decides the outcome of a ticket; candidates, seeds and margins may change from call to call.
    identity = {
        "verb": "find",
        **source.identity.facts,
        "data": data.model_dump(mode="json") if isinstance(data, DataSettings) else splits.digest,
        "draw": drawing.model_dump(mode="json", exclude={"sparsity": True, "training": {"checkpoint_seconds"}}),
        "transfer": transfer_settings.comparable,
        "seed": seed,
    }
    with Step(folder, identity).claim():
        tickets = draw_all(
            source,
            settings=drawing.model_copy(update={"sparsity": settings.candidates()}),
            seed=seed,
            folder=place(folder, "tickets"),
        )
        found = search(tickets, standard, adversarial, verify_settings)
        if folder is not None:
            record(found, folder)
    return found


def search(
    tickets: Sequence[Ticket], standard: Contest, adversarial: Contest | None, settings: VerifySettings
) -> FindResult:
    """Try tickets, ascending in sparsity, from the last one down; with an adversarial contest for a double win."""
    criterion = "match" if adversarial is None else "double-win"
    tried: list[Verdict | DoubleWinVerdict] = []
    for ticket in reversed(tickets):
        pair, second = standard.pair(ticket), None
        if adversarial is None:
            tried.append(verify(*pair, settings=settings, part="validation"))
        else:
            verdict = verify_double_win(pair, settings=settings, part="validation")
            if verdict.joint.is_possible:
                second = adversarial.pair(ticket)
                verdict = verify_double_win(pair, second, settings=settings, part="validation")
            tried.append(verdict)
        if not tried[-1].matches:
            continue
        if second is None:
            return FindResult(ticket, pair[0], verify(*pair, settings=settings), tuple(tried))
        confirmed = verify_double_win(pair, second, settings=settings)
        return FindResult(ticket, pair[0], confirmed, tuple(tried), second[0], criterion)
    return FindResult(None, None, None, tuple(tried), None, criterion)


def record(found: FindResult, folder: Path) -> None:
    """Write `found.json`: what was found, and every verdict on the way."""
    values = {
        "criterion": found.criterion,
        "sentence": found.sentence(),
        "sparsity": found.ticket.sparsity if found.ticket is not None else None,
        "ticket": found.ticket.digest if found.ticket is not None else None,
        "test": found.verdict.model_dump(mode="json") if found.verdict is not None else None,
        "validation": [verdict.model_dump(mode="json") for verdict in found.tried],
    }
    write_json(folder / "found.json", values)


def place(folder: Path | None, name: str) -> Path | None:
    """Return a subfolder, or None where nothing is kept."""
    return folder / name if folder is not None else None
