"""Which choices on different axes contradict each other: parts declare `needs` and `provides`, this compares them."""

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.needs import (
    CHANNEL_GAINS,
    COUPLED_GROUPS,
    EARLIER_WEIGHTS,
    LAST_TICKET,
    LAST_WEIGHTS,
    LEARNED_SCORES,
    NO_TRAINING,
    NOTHING,
    RANKS_WEIGHTS,
    READS_LEARNED_SCORES,
    SHRUNKEN_WEIGHTS,
    SINGLE_PRUNE,
    SINGLE_WEIGHTS,
    TRAINING,
)
from robust_tickets.pruning.parametrisations import AnyParametrisation
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.rewinds import AnyRewind, PretrainedRewind
from robust_tickets.pruning.select import SAME_SPARSITY, Selection

COMPLAINTS = {
    CHANNEL_GAINS: "this timeline removes channels whose gains training has brought to zero: use parametrisation "
    "'gains', not {parametrisation!r}",
    RANKS_WEIGHTS: "score {score!r} would be the gain of a whole channel, and this timeline prunes single weights too: "
    "use score 'magnitude', or another of weights",
    READS_LEARNED_SCORES: "parametrisation {parametrisation!r} needs score 'learned', not {score!r}",
    LEARNED_SCORES: "score {score!r} needs parametrisation 'straight-through' or another that learns scores, not "
    "{parametrisation!r}",
    NO_TRAINING: "score {score!r} ranks weights as they are before training: use timeline 'one-shot'",
    SINGLE_PRUNE: "this draw decides masks once, at one sparsity, by parametrisation {parametrisation!r} or score "
    "{score!r}: use timeline 'one-shot', with one round",
    LAST_TICKET: "parametrisation {parametrisation!r} lets removed weights come back until its one ticket, at the end: "
    "use timeline 'gradual' or 'one-shot'",
    TRAINING: "parametrisation {parametrisation!r} starts with scores that say nothing: set timeline.epochs",
    SINGLE_WEIGHTS: "this draw moves single weights, by its timeline or parametrisation {parametrisation!r}: use group "
    "'element', not {group!r}",
    COUPLED_GROUPS: "parametrisation {parametrisation!r} has one number for each head, neuron or channel: use group "
    "'several', 'head', 'neuron' or 'channel', not {group!r}",
    LAST_WEIGHTS: "score {score!r} moves the weights that stay, which rewind {rewind!r} undoes: use rewind 'none', or "
    "set score.compensate: false",
    SHRUNKEN_WEIGHTS: "parametrisation {parametrisation!r} learns thresholds for the weights that it trains, which "
    "rewind {rewind!r} would take back: use rewind 'none'",
    EARLIER_WEIGHTS: "parametrisation {parametrisation!r} trains weights together with coefficients, which a ticket "
    "does not keep: use rewind 'pretrained', not {rewind!r}",
}
"""The complaint for each unmet need, with what would meet it; only the first one is reported."""


def require_composable(
    selection: Selection, parametrisation: AnyParametrisation, plan: Plan, rewind: AnyRewind | None = None
) -> None:
    """Refuse what cannot work, before anything is trained.

    Raises:
        UserError: learned scores without anything that learns them, or the reverse; a mask learned at one
            sparsity but pruned at another; connections moved in groups; a sparsity the group does not allow; weights
            kept that trained together with what is not kept.
    """
    score, group = selection.score, selection.group
    rewind = rewind or PretrainedRewind()
    kinds = {
        "score": score.kind,
        "group": group.kind,
        "parametrisation": parametrisation.kind,
        "rewind": rewind.kind,
    }
    moves = frozenset({LAST_WEIGHTS}) if score.compensates else NOTHING
    unmet = (score.needs | moves | parametrisation.needs | plan.needs) - (
        score.provides | group.provides | parametrisation.provides | plan.provides | rewind.provides
    )
    for need, complaint in COMPLAINTS.items():
        if need in unmet:
            raise UserError(complaint.format(**kinds))
    fixed = group.fixed_sparsity
    others = [sparsity for sparsity in plan.targets if fixed is not None and abs(sparsity - fixed) > SAME_SPARSITY]
    if fixed is not None and others:
        arrives = len(others) < len(plan.targets)
        way = "use timeline 'one-shot', with one round" if arrives else f"set sparsity: {fixed:g}"
        raise UserError(
            f"group {group.kind!r} fixes sparsity at {fixed:g}, but this timeline prunes to {others[-1]:.4g}; {way}"
        )
