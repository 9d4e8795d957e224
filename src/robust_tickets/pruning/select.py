"""The one selection: weights in, masks out.

Score, group and scope are independent: the group divides the weights, the score ranks the groups, the scope
says which groups compete and how many of them go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.groups import AnyGroup, Element
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.needs import COUPLED_GROUPS
from robust_tickets.pruning.ranking import keep_highest
from robust_tickets.pruning.scopes import AnyScope, GlobalScope
from robust_tickets.pruning.scores import AnyScore, Magnitude
from robust_tickets.pruning.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor

SAME_SPARSITY = 1e-3
"""How far a sparsity asked for may be from one that a group fixes, as .67 is from 1 - 1/3."""


class Selection(Settings):
    """What is selected: groups, by a score, within a scope."""

    score: AnyScore = Field(default=Magnitude(), description="What ranks groups.")
    group: AnyGroup = Field(default=Element(), description="The unit of removal.")
    scope: AnyScope = Field(default=GlobalScope(), description="Where scores compete: global, layer, erk or each.")

    @model_validator(mode="after")
    def _is_possible(self) -> Selection:
        if self.scope.kind not in self.group.scopes:
            allowed = " or ".join(repr(kind) for kind in self.group.scopes)
            raise ValueError(
                f"group {self.group.kind!r} works with scope {allowed}, not {self.scope.kind!r}; set scope"
            )
        for axis, part, allowed in (
            ("group", self.group, self.score.groups),
            ("scope", self.scope, self.score.scopes),
        ):
            if allowed is not None and part.kind not in allowed:
                known, score = " or ".join(repr(kind) for kind in allowed), self.score.kind
                raise ValueError(f"score {score!r} works with {axis} {known}, not {part.kind!r}; set {axis}")
        if self.scope.weighs_cost and COUPLED_GROUPS in self.group.provides:
            raise ValueError(f"scope.cost is of groups within a layer, and group {self.group.kind!r} joins several")
        if self.scope.weighs_cost and not self.score.has_a_price:
            raise ValueError(f"score {self.score.kind!r} has no loss that scope.cost could weigh; leave that out")
        return self

    def own_sparsity(self, weights: Mapping[str, Tensor]) -> float | None:
        """Return the fraction of groups that the score itself says is removed; None if any will do.

        Raises:
            UserError: these weights say none.
        """
        if not self.score.says_sparsity:
            return None
        return self.score.own_sparsity(weights, self.group.partition(weights, None, ()))

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
        """Return masks that remove exactly floor(s G + 1/2) of the G groups of each pool of the scope.

        Scopes that divide by layer leave each layer a `minimum` of groups, and remove fewer if that is more.

        Args:
            weights: prunable weights by parameter name: [out, in, *kernel] or [out, in].
            sparsity: fraction of groups removed afterwards, in [0, 1). Of the weights it is the same fraction
                where groups are of one size.
            masks: present masks; what they have removed stays removed. None keeps everything.
            couplings: channels that live and die together, for coupled groups.
            statistics: provider for data-dependent scores.
            seed: of the draw; ties and random scores have their own streams under it.

        Returns:
            A mask for every weight and, for coupled groups, for every follower, on the weights' devices.

        Raises:
            UserError: the weights cannot be divided into such groups, or the exact count cannot be reached.
            ValueError: the sparsity is below what `masks` have already removed.
        """
        sparsity = self.allowed(sparsity, self.own_sparsity(weights))
        partition = self.group.partition(weights, masks, couplings)
        scores = self.score.group_scores(weights, partition, statistics, seed)
        for name, score in scores.items():
            if not bool(score.max().isfinite()):
                raise UserError(f"scores of {name} are not finite: training diverged; lower its learning rate")
        scores = partition.contest(self.scope.weighed(scores, statistics), seed)
        kept: dict[str, Tensor] = {}
        for pool in self.scope.pools(partition.units, sparsity):
            units = [partition.units[name] for name in pool.units]
            gone = sum(unit.groups - unit.remaining for unit in units)
            if pool.removed < gone:
                raise ValueError(
                    f"sparsity {sparsity:g} is below the current one: it removes {pool.removed} groups of "
                    f"{pool.units[0]} and its competitors, but {gone} are already removed"
                )
            ties = generator(seed, "ties", pool.units[0])
            kept |= keep_highest({name: scores[name] for name in pool.units}, pool.removed, ties)
        return partition.expand(kept)

    def allowed(self, sparsity: float, own: float | None = None) -> float:
        """Return the sparsity, or the one that group or score fix if that is what is meant.

        Args:
            sparsity: what is asked for.
            own: see `own_sparsity`.

        Raises:
            UserError: it is none, or another one.
        """
        if not 0.0 <= sparsity < 1.0:
            raise UserError(f"sparsity {sparsity:g} is not in [0, 1); it is the fraction removed, such as 0.9")
        fixed, part = self.group.fixed_sparsity, f"group {self.group.kind!r}"
        if own is not None:
            fixed, part = own, f"score {self.score.kind!r}"
        if fixed is None:
            return sparsity
        if abs(sparsity - fixed) > SAME_SPARSITY:
            raise UserError(f"{part} fixes sparsity at {fixed:.4g}; {sparsity:g} was asked for; leave it out")
        return fixed


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
    """Select by parts given as settings or by their short names; see `Selection.select`."""
    selection = Selection.model_validate({"score": score, "group": group, "scope": scope})
    return selection.select(
        weights, sparsity=sparsity, masks=masks, couplings=couplings, statistics=statistics, seed=seed
    )
