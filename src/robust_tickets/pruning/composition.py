"""Which choices on different axes contradict each other."""

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.actions import DropAndGrow, Prune
from robust_tickets.pruning.parametrisations import Parametrisation
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.scores import OwnSparsity
from robust_tickets.pruning.select import SAME_SPARSITY, Selection


def check_composition(selection: Selection, parametrisation: Parametrisation, plan: Plan) -> None:
    """Refuse what cannot work, before anything is trained.

    Raises:
        UserError: learned scores without anything that learns them, or the reverse; a mask learned at one
            sparsity but pruned at another; connections moved in groups; a sparsity the group does not allow.
    """
    score, group = selection.score.kind, selection.group.kind
    actions = [action for event in plan.events for action in event.actions]
    prunes = [action.sparsity for action in actions if isinstance(action, Prune)]
    moves = any(isinstance(action, DropAndGrow) for action in actions)
    learns = parametrisation.kind == "straight-through"
    if learns and score != "learned":
        raise UserError(f"parametrisation {parametrisation.kind!r} needs score 'learned', not {score!r}")
    if score == "learned" and not learns:
        raise UserError(f"score {score!r} needs parametrisation 'straight-through', not {parametrisation.kind!r}")
    if learns and (moves or len(prunes) != 1):
        raise UserError(
            f"parametrisation {parametrisation.kind!r} learns masks at one sparsity: use timeline 'one-shot'"
        )
    if isinstance(selection.score, OwnSparsity) and plan.steps:
        raise UserError(f"score {score!r} looks at weights that are there before training: use timeline 'one-shot'")
    if moves and group != "element":
        raise UserError(f"timeline 'drop-and-grow' moves single weights: use group 'element', not {group!r}")
    fixed = selection.group.fixed_sparsity
    if fixed is not None and any(abs(sparsity - fixed) > SAME_SPARSITY for sparsity in prunes):
        raise UserError(
            f"group {group!r} fixes sparsity at {fixed:g}, but this timeline prunes to {max(prunes):g}; "
            f"set sparsity: {fixed:g}"
        )
