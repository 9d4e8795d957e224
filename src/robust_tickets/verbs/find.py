"""Find: the sparsest ticket that still matches dense."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_json
from robust_tickets.foundation.ownership import require_apart
from robust_tickets.foundation.settings import changed
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.figure import require_margin
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated, load_source
from robust_tickets.tasks.kinds import task_for
from robust_tickets.tasks.target import Data, target_data
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.contenders import Contenders
from robust_tickets.verbs.criteria import CRITERIA, Attempt, Contest, FindCriterion
from robust_tickets.verbs.double_win import DoubleWinVerdict
from robust_tickets.verbs.draw import rehearse_draw
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.find_settings import FindSettings
from robust_tickets.verbs.measure import part_of
from robust_tickets.verbs.place import claim_of, is_drawn, transfers_below
from robust_tickets.verbs.transfer import Transfer
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify import Verdict
from robust_tickets.verbs.verify_settings import VerifySettings


@dataclass(frozen=True, eq=False)
class FindResult:
    """The sparsest ticket that meets the criterion on validation, and what the test data say of it."""

    criterion: FindCriterion = field(repr=False)
    ticket: Ticket | None
    """None if no candidate does."""
    result: Transfer | None = field(repr=False)
    verdict: Verdict | DoubleWinVerdict | None
    """On test data, which were touched for this one ticket only; trained with fresh seeds if it was one of several."""
    tried: tuple[Verdict | DoubleWinVerdict, ...]
    """On validation data, from the sparsest candidate down to the one chosen."""
    ways: tuple[str, ...] = ()
    """How each of those in `tried` was drawn, where several ways competed."""
    way: str | None = None
    """How the ticket was drawn, where several ways competed; None: there was one, or no ticket."""
    adversarial: Transfer | None = field(default=None, repr=False)
    """The adversarial transfer of a double-win ticket; `result` is the standard one."""
    has_fresh_seeds: bool = False
    """Whether it was one of several, and so was trained anew, with other seeds, to be confirmed."""

    def sentence(self) -> str:
        """Return the outcome in plain words."""
        if self.ticket is None or self.verdict is None:
            return f"No ticket {self.criterion.met} on validation; {len(self.tried)} were tried."
        confirmed = "confirmed" if self.verdict.matches else "NOT confirmed"
        fresh = ", with fresh seeds" if self.has_fresh_seeds else ""
        drawn = f", drawn by {self.way}" if self.way is not None else ""
        sparsity = f"{100 * self.ticket.sparsity:.4g} %{drawn}"
        outcome = f"{sparsity}; {confirmed} on test{fresh}"
        return f"{self.criterion.sparsest} on validation: {outcome}. {self.verdict.sentence()}"


def find(
    source: Source | SourceSettings | str | Path | nn.Module,
    data: Data,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    settings: FindSettings | None = None,
    draw: DrawSettings | Mapping[str, DrawSettings] | None = None,
    transfer_settings: TransferSettings | None = None,
    adversarial_settings: TransferSettings | None = None,
    verify_settings: VerifySettings | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    **changes: Any,
) -> FindResult:
    """Search for the sparsest ticket that matches dense on validation data, and confirm it once on test data.

    Contenders are tried from the sparsest down until one meets the criterion, without assuming that sparsities
    meet it in any order. All have the same seeds as dense. A ticket that standard transfer rules out
    as double-win is not transferred adversarially. Several ways of drawing compete at each sparsity: of the tickets
    that meet the criterion there, the one that gains most over dense on validation is taken.

    The best of several was also lucky in its seeds, and is as lucky on test data if they are the same. So it is
    transferred anew to be confirmed, and dense with it, with as many fresh seeds: however many tickets were tried, a
    wrong one is confirmed with about probability `verify_settings.level` at most.

    Args:
        source: the network to draw from.
        data: the target; it needs a validation part.
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        settings: criterion and ladder; `changes` are keyword changes to it, as in `rungs=10`.
        draw: how tickets are drawn, in one way or in several, by name; each is tried at the sparsities that it states,
            unless `settings` give some or a ladder.
        transfer_settings: how ticket and dense are trained.
        adversarial_settings: how they are trained adversarially for `criterion="double-win"`; by default as
            `transfer_settings` under PGD-10 in the ball of the attack that verifies.
        verify_settings: margin, level and attack (for double-win PGD-20 in L-inf 8/255 if none is given).
        seed: of the draw.
        folder: where everything is kept, including `found.json`; a second call resumes.

    Raises:
        UserError: the data have no validation part, or anything that drawing and transferring refuse.
    """
    settings = changed(settings or FindSettings(), changes)
    require_apart(folder, data)
    criterion = CRITERIA[settings.criterion](verify_settings or VerifySettings(), adversarial_settings)
    criterion.verify.require()
    source = load_source(source, weights=weights, preprocessing=preprocessing)
    transfer_settings = transfer_settings or TransferSettings()
    ways = {"": draw or DrawSettings()} if draw is None or isinstance(draw, DrawSettings) else dict(draw)
    if not ways:
        raise UserError("draw: names no way of drawing; give at least one, or leave it out")
    if (wrong := next((way for way in ways if Path(way).name != way), None)) is not None:
        raise UserError(f"draw: {wrong!r} cannot be a folder's name; name ways of drawing without / or ..")
    data, ways = kept_apart(data, ways, seed)
    splits = target_data(data, source, transfer_settings.seeds[0])
    part_of(splits, "test")
    if not splits.train.targets.selects:
        raise UserError(f"{splits.name}: find selects on validation, which is the clean picture that judges; use run")
    if not len(splits.validation):
        raise UserError(
            f"{splits.name}: find selects on validation {splits.noun} and there are none; set data.validation above 0"
        )
    classes = source.network.num_classes if transfer_settings.head == "keep" else None
    task = task_for(splits, transfer_settings.task, transfer_settings.training.objective)
    require_margin(task.metric(splits.classes), criterion.verify.margin)
    task.require_measures(splits, criterion.verify.robustness, criterion.verify.measures, classes)
    folder = Path(folder) if folder is not None else None
    criterion.require(transfer_settings)
    drawings = {
        way: settings.model_dump(mode="json", exclude={"sparsity": True, "training": {"checkpoint_seconds"}})
        for way, settings in ways.items()
    }
    # What decides the outcome of a ticket; candidates, seeds and margins may change from call to call.
    identity = {
        "verb": "find",
        **source.identity.facts,
        "data": data.model_dump(mode="json") if isinstance(data, DataSettings) else splits.digest,
        "draw": drawings.get("", drawings),
        "transfer": transfer_settings.comparable,
        "seed": seed,
    }
    step = Step(folder, identity)
    sparsities = {way: settings.candidates(stated_by(drawing)) for way, drawing in ways.items()}
    rehearse(source, ways, sparsities, seed)
    with step.claim():
        candidates = [Contenders(source, way, drawing, sparsities[way], seed, folder) for way, drawing in ways.items()]
        contest = Contest(source, data, transfer_settings, folder)
        found = search(candidates, criterion, contest)
        if folder is not None:
            record(found, folder)
    return found


def kept_apart(data: Data, ways: Mapping[str, DrawSettings], seed: int) -> tuple[Data, dict[str, DrawSettings]]:
    """Return the target, and ways of drawing of which none trains on images that tickets are selected on.

    Where tickets are drawn on the target itself, one seed chooses its validation part for all: that of the draw.

    Raises:
        UserError: a way trains on a part of the target that is held out for the selection.
    """
    if not isinstance(data, DataSettings):
        return data, dict(ways)
    on_target = {way: one.data for way, one in ways.items() if one.data is not None and one.data.name == data.name}
    if not on_target:
        return data, dict(ways)
    chosen = data.seed if data.seed is not None else seed
    for way, own in on_target.items():
        if own.validation != data.validation:
            raise UserError(
                f"{f'{way}: ' if way else ''}draw.data.validation is {own.validation:g} and data.validation "
                f"{data.validation:g}: the draw would train on what tickets are selected on; give both the same"
            )
    tied = {way: own.model_copy(update={"seed": chosen}) for way, own in on_target.items()}
    drawn = {way: one.model_copy(update={"data": tied.get(way, one.data)}) for way, one in ways.items()}
    return data.model_copy(update={"seed": chosen}), drawn


def stated_by(drawing: DrawSettings) -> list[float]:
    """Return the sparsities that a way of drawing states."""
    named = drawing.sparsities if drawing.sparsity is not None else ()
    return [sparsity for sparsity in named if sparsity is not None]


def rehearse(
    source: Source, ways: Mapping[str, DrawSettings], sparsities: Mapping[str, Sequence[float]], seed: int
) -> None:
    """Refuse draws that would otherwise be refused only when their turn comes, after others have trained.

    Raises:
        UserError: names the way, if it has a name; see `draw`.
    """
    for way, settings in ways.items():
        ends = tuple({sparsities[way][0], sparsities[way][-1]})
        try:
            rehearse_draw(source, settings.model_copy(update={"sparsity": ends}), seed)
        except UserError as error:
            raise UserError(f"{f'{way}: ' if way else ''}{error}") from None


def search(candidates: Sequence[Contenders], criterion: FindCriterion, contest: Contest) -> FindResult:
    """Try tickets from the highest sparsity down, each way of drawing at its own."""
    tried: list[tuple[str, Verdict | DoubleWinVerdict]] = []
    for sparsity in sorted({own for one in candidates for own in one.sparsities}, reverse=True):
        attempts = {
            one.way: criterion.attempt(one.ticket(sparsity), contest.of(one.way))
            for one in candidates
            if sparsity in one.sparsities
        }
        tried += [(way, attempt.verdict) for way, attempt in attempts.items()]
        meeting = {way: attempt for way, attempt in attempts.items() if attempt.verdict.matches}
        if meeting:
            way = max(meeting, key=lambda name: gained(meeting[name]))
            attempt = meeting[way]
            several = is_one_of_several(candidates, contest.folder)
            confirmed = criterion.confirm(attempt, contest.of(way) if several else None)
            return FindResult(
                criterion,
                attempt.ticket,
                confirmed.standard[0],
                confirmed.verdict,
                *told_apart(tried),
                way=way or None,
                adversarial=confirmed.adversarial[0] if confirmed.adversarial is not None else None,
                has_fresh_seeds=several,
            )
    return FindResult(criterion, None, None, None, *told_apart(tried))


def is_one_of_several(candidates: Sequence[Contenders], folder: Path | None) -> bool:
    """Return whether there was anything to choose from, now or in an earlier search in the same folder."""
    now = sum(len(one.sparsities) for one in candidates)
    kept = [] if folder is None else [place for place in transfers_below(folder) if is_drawn(place.folder)]
    return max(now, len({claim_of(place.folder).get("ticket") for place in kept})) > 1


def told_apart(
    tried: Sequence[tuple[str, Verdict | DoubleWinVerdict]],
) -> tuple[tuple[Verdict | DoubleWinVerdict, ...], tuple[str, ...]]:
    """Return verdicts, and the way of drawing of each unless there is only one, without a name."""
    return tuple(verdict for _, verdict in tried), tuple(way for way, _ in tried if way)


def gained(attempt: Attempt) -> float:
    """Return how much a ticket gains over dense, in the metric's unit; of two trainings what it gains least."""
    verdict = attempt.verdict
    verdicts = (verdict.standard, verdict.adversarial) if isinstance(verdict, DoubleWinVerdict) else (verdict,)
    return min(one.standard.gain for one in verdicts if one is not None)


def record(found: FindResult, folder: Path) -> None:
    """Write `found.json`: what was found, every verdict on the way and, of several ways of drawing, whose each is."""
    values = {
        "criterion": found.criterion.name,
        "sentence": found.sentence(),
        "sparsity": found.ticket.sparsity if found.ticket is not None else None,
        "ticket": found.ticket.digest if found.ticket is not None else None,
        "transfer": found.result.folder.relative_to(folder).as_posix()
        if found.result is not None and found.result.folder is not None
        else None,
        **({"drawing": found.way, "drawings": list(found.ways)} if found.ways else {}),
        "test": found.verdict.model_dump(mode="json") if found.verdict is not None else None,
        "validation": [verdict.model_dump(mode="json") for verdict in found.tried],
    }
    write_json(folder / "found.json", values)
