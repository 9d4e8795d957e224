"""Stability: which tickets are stable to training noise, from where in training on, and whether those match dense."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from robust_tickets.analysis.barrier_settings import BarrierSettings
from robust_tickets.analysis.barriers import Barriers
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.matching import Decision
from robust_tickets.pruning.rewinds import AnyRewind, PretrainedRewind, RewindPoint
from robust_tickets.pruning.timelines import AnyTimeline
from robust_tickets.pruning.timelines.timeline import Timeline
from robust_tickets.training.batch_norm import has_batch_norm
from robust_tickets.verbs.analyse_settings import AnalyseSettings
from robust_tickets.verbs.dense import counterpart, taken
from robust_tickets.verbs.reopen import settings_of
from robust_tickets.verbs.run_pairs import look_between, pairs_of_seeds
from robust_tickets.verbs.transfer import Transfer
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify import Verdict, compared, verify
from robust_tickets.verbs.verify_settings import VerifySettings

OWN_LOOP = "a start that nobody knows: it was trained in your own loop"

REWIND: TypeAdapter[RewindPoint] = TypeAdapter(AnyRewind)
TIMELINE: TypeAdapter[Timeline] = TypeAdapter(AnyTimeline)


@dataclass(frozen=True)
class Stability:
    """Whether one start, of a ticket or of dense, is stable to training noise, and whether it matches."""

    name: str
    """As tables call its transfer."""
    group: str
    """Source, data and training: starts are compared within these."""
    is_dense: bool
    is_drawn: bool
    """Whether it is a drawn ticket; neither dense nor drawn is a control."""
    sparsity: float
    rewind: RewindPoint | None
    """Where in training it starts; None: a control, or nobody knows."""
    instability: Barriers
    """Between every two seeds."""
    same_data: bool
    """Whether all copies were trained on the same examples; if not, their choice is part of the noise."""
    has_batch_norm: bool
    verdict: Verdict | None
    """Whether it matches dense, by the metric alone; None: dense was not transferred."""

    @property
    def decision(self) -> Decision | None:
        """Return the decision on the metric."""
        return self.verdict.standard if self.verdict is not None else None

    @property
    def scores(self) -> tuple[float, ...]:
        """Return the metric of every seed, in its own unit; nothing without dense."""
        return tuple(run.standard for run in self.verdict.ticket_runs) if self.verdict is not None else ()


@dataclass(frozen=True)
class Stabilities:
    """The stability of all starts that could be looked at."""

    settings: BarrierSettings
    found: tuple[Stability, ...]
    left_out: Mapping[str, str]
    """Transfers whose barriers would say nothing, and why."""

    @property
    def why_none(self) -> str:
        """Why there is nothing, for messages; empty if there is something."""
        if self.found:
            return ""
        return next((f"{name} has {reason}" for name, reason in self.left_out.items()), "there is no transfer")


def stabilities(transfers: Mapping[str, Transfer], settings: AnalyseSettings, asked: BarrierSettings) -> Stabilities:
    """Measure the barriers between all seeds of every transfer whose seeds share their start.

    Args:
        transfers: by the name that tables show; dense ones among them are what tickets are compared with.
        settings: the part whose examples are used.
        asked: how lines are walked, and what counts as stable.
    """
    reasons = {
        name: unfit(transfer.settings, len(transfer.runs)) if transfer.described is None else OWN_LOOP
        for name, transfer in transfers.items()
    }
    left_out = {name: reason for name, reason in reasons.items() if reason is not None}
    fit = {name: transfer for name, transfer in transfers.items() if name not in left_out}
    looked_at, groups = settings.model_copy(update={"images": asked.images}), groups_of(fit)
    found = []
    for name, transfer in fit.items():
        pairs = pairs_of_seeds(name, transfer)
        barriers = tuple(look_between(pair, looked_at, asked.line).path.barrier for pair in pairs)
        found.append(
            Stability(
                name,
                groups[name],
                transfer.ticket is None,
                transfer.ticket is not None and not transfer.ticket.is_control,
                transfer.sparsity,
                rewind_of(transfer),
                Barriers(barriers, asked.limit),
                len({run.data.digest for run in transfer.runs}) == 1,
                has_batch_norm(transfer.source.network.body),
                verdict_on(transfer, transfers.values(), settings),
            )
        )
    return Stabilities(asked, tuple(found), left_out)


def unfit(settings: TransferSettings, seeds: int) -> str | None:
    """Return why seeds of a transfer say nothing about instability; None: they do."""
    if settings.is_linear:
        return "a frozen body, of which there are no copies; transfer with mode: full"
    if settings.head != "keep":
        return "a fresh head for every seed, so that its seeds do not share their start; transfer with head: keep"
    if seeds < 2:
        return "a single seed, but instability is between two copies; transfer with seeds: [0, 1, 2]"
    return None


def require_unstable(transfers: Mapping[str, TransferSettings]) -> None:
    """Refuse, before anything is trained, to look for instability where no transfer could show it.

    Args:
        transfers: ways of training, by name.

    Raises:
        UserError: none of them has two seeds that share their start.
    """
    reasons = [
        f"transfers.{name} has {reason}"
        for name, settings in transfers.items()
        if (reason := unfit(settings, len(settings.seeds))) is not None
    ]
    if len(reasons) == len(transfers):
        raise UserError(f"analyse.instability: {reasons[0]}")


def groups_of(transfers: Mapping[str, Transfer]) -> dict[str, str]:
    """Return, by name, what must be equal for starts to be compared, in words that tell such groups apart."""
    words: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for name, transfer in transfers.items():
        told = f"{transfer.source.identity.name}, {transfer.runs[0].data.name}, {transfer.describe()}"
        alike = words.setdefault(told, [])
        key = json.dumps(compared(transfer), sort_keys=True)
        if key not in alike:
            alike.append(key)
        found[name] = told if alike[0] == key else f"{told} ({alike.index(key) + 1})"
    return found


def rewind_of(transfer: Transfer) -> RewindPoint | None:
    """Return where in training a transfer starts; None if nobody knows, and of controls, which have another start."""
    if transfer.ticket is None:
        return PretrainedRewind()
    draw = transfer.ticket.recipe.get("draw", {})
    if transfer.ticket.is_control or "rewind" not in draw or "timeline" not in draw:
        return None
    # Of a timeline that never rewinds the setting says nothing: its tickets keep the weights that they trained.
    plan = TIMELINE.validate_python(draw["timeline"]).plan(transfer.sparsity or 0.5, 1000)
    return REWIND.validate_python(draw["rewind"]) if any(event.rewinds for event in plan.events) else None


def verdict_on(transfer: Transfer, others: Iterable[Transfer], settings: AnalyseSettings) -> Verdict | None:
    """Return whether a transfer matches its dense counterpart, on what was measured; None without one.

    Margin and level are those of the run that the transfer lies in. Nothing is trained.
    """
    dense = dense_of(transfer, others)
    if dense is None:
        return None
    rule = settings_of(transfer.folder) if transfer.folder is not None else VerifySettings()
    alone = rule.model_copy(update={"robustness": None, "measures": ()})
    return verify(transfer, dense, settings=alone, part=settings.part)


def dense_of(transfer: Transfer, others: Iterable[Transfer]) -> Transfer | None:
    """Return the dense counterpart of a transfer: itself, one of others, or one on disk; None: it was never made."""
    if transfer.ticket is None:
        return transfer
    wanted = compared(transfer)
    for other in others:
        if other.ticket is None and compared(other) == wanted:
            return other
    place = counterpart(transfer)
    return taken(transfer, place) if place is not None else None
