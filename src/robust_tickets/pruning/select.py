"""The one selection: weights in, masks out.

Score, group and scope are independent: the group divides the weights, the score ranks the groups, the scope says
which groups compete and how many of them go.
"""

from collections.abc import Mapping, Sequence

from pydantic import Field
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups import AnyGroup, Element
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.ranking import keep_highest
from robust_tickets.pruning.scopes import AnyScope, GlobalScope
from robust_tickets.pruning.scores import AnyScore, Magnitude
from robust_tickets.pruning.statistics import Statistics


class Selection(Settings):
    """What is selected: groups, by a score, within a scope."""

    score: AnyScore = Field(Magnitude(), description="What ranks groups.")
    group: AnyGroup = Field(Element(), description="What is removed as one.")
    scope: AnyScope = Field(GlobalScope(), description="Where scores compete: global, layer or erk.")

    def select(
        self,
        weights: Mapping[str, Tensor],
        *,
        sparsity: float,
        masks: Mapping[str, Tensor] | None = None,
        couplings: Sequence[Coupling] = (),
        statistics: Statistics | None = None,
        seed: int = 0,
    ) -> Masks:
        """Return masks of exactly this sparsity, counted in groups.

        Args:
            weights: every prunable weight by parameter name; convolutions [out, in, h, w], linear [out, in].
            sparsity: fraction of groups to be removed, in [0, 1).
            masks: present masks; what they have removed stays removed (masks are nested). None keeps everything.
            couplings: channels that live and die together, for coupled groups.
            statistics: provider for data-dependent scores.
            seed: of the draw; ties and random scores have streams of their own under it.

        Returns:
            A mask for every weight and, for coupled groups, for every follower, on the weights' devices.

        Raises:
            UserError: the weights cannot be divided into such groups, or the exact count cannot be reached.
            ValueError: `sparsity` is below what `masks` have already removed.
        """
        partition = self.group.partition(weights, masks, couplings)
        scores = self.score.group_scores(weights, partition, statistics, seed)
        for name, score in scores.items():
            if not bool(score.max().isfinite()):
                raise UserError(
                    f"scores of {name} are not finite: training has diverged; lower its learning rate"
                )
        scores = partition.contest(scores, seed)
        kept: dict[str, Tensor] = {}
        for pool in self.scope.pools(partition.units, sparsity):
            units = [partition.units[name] for name in pool.units]
            present = sum(unit.groups - unit.remaining for unit in units)
            if pool.removed < present:
                raise ValueError(
                    f"sparsity {sparsity:g} removes {pool.removed} groups of {pool.units[0]} and its pool, "
                    f"of which {present} are removed already"
                )
            ties = generator(seed, "ties", *pool.units[:1])
            kept |= keep_highest({name: scores[name] for name in pool.units}, pool.removed, ties)
        return partition.expand(kept)


def select(
    weights: Mapping[str, Tensor],
    *,
    score: AnyScore | str,
    group: AnyGroup | str,
    scope: AnyScope | str,
    sparsity: float,
    masks: Mapping[str, Tensor] | None = None,
    couplings: Sequence[Coupling] = (),
    statistics: Statistics | None = None,
    seed: int = 0,
) -> Masks:
    """Select by parts given as settings or as their short names; see `Selection.select`."""
    selection = Selection.model_validate({"score": score, "group": group, "scope": scope})
    return selection.select(
        weights, sparsity=sparsity, masks=masks, couplings=couplings, statistics=statistics, seed=seed
    )
