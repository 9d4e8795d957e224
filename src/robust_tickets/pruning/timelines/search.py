"""A search: channels go for good while the network trains, and single weights for a while."""

from typing import Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.actions import Action, Prune, Reactivate, RemoveIdle
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.pruning.timelines.timeline import lengthened, min_steps_field, require_sparsity


class Search(Settings):
    """Architecture and ticket from one training (SuperTickets, You et al., 2022, arXiv 2207.03677, section 3).

    Every `remove_every` epochs, channels whose gain is at most `threshold` leave the network, if that frees enough
    multiply-adds. At the n-th multiple of `prune_every` epochs, weights are pruned to min(n * `ladder`, target); after
    `sparse` of that time they come back, with the values that they had, so that weights of the smaller network compete
    anew. The prune at `final` stays. Sparsity counts from the dense network and includes what went with channels,
    which never takes more than the target. Defaults are in the proportions of the paper's 350 epochs on ImageNet.
    """

    kind: Literal["search"] = "search"
    threshold: float = Field(default=1e-3, gt=0, description="Largest gain of a channel that is removed.")
    remove_every: float = Field(default=1.0, gt=0, description="Epochs between removals of channels.")
    frees: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="Share of the dense network's multiply-adds that a removal has to free; otherwise it waits.",
    )
    prune_every: float | None = Field(
        default=2.5, gt=0, description="Epochs between prunes of single weights; null: only the one at `final`."
    )
    ladder: float = Field(default=0.1, gt=0, lt=1, description="By how much every prune goes further than the last.")
    sparse: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Share of the time between prunes in which pruned weights stay away; 1: they never come back.",
    )
    final: float = Field(default=30.0, gt=0, description="Epoch of the last removal and the last prune.")
    epochs: float = Field(default=35.0, gt=0, description="Total epochs of training.")
    min_steps: int = min_steps_field()

    @model_validator(mode="after")
    def _is_in_order(self) -> "Search":
        if self.final > self.epochs:
            raise ValueError(f"timeline 'search' needs final <= epochs, not {self.final:g}, {self.epochs:g}")
        return self

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return removals, prunes and reactivations, the last prune, and the ticket at the end of training."""
        target = require_sparsity(sparsity, self.kind)
        per_epoch = lengthened(steps_per_epoch, self.epochs, self.min_steps)
        final, steps = (steps_of(epoch, per_epoch) for epoch in (self.final, self.epochs))
        removals = {steps_of(epoch, per_epoch) for epoch in multiples(self.remove_every, self.final)}
        prunes: dict[int, Prune] = {}
        returns: dict[int, int] = {}
        for count, epoch in enumerate(multiples(self.prune_every, self.final), start=1):
            assert self.prune_every is not None
            # Of several prunes at one step the last counts; what is pruned stays away for a step at least.
            step = steps_of(epoch, per_epoch)
            returns[step] = max(step + 1, steps_of(epoch + self.sparse * self.prune_every, per_epoch))
            comes_back = self.sparse < 1 and returns[step] < final
            prunes[step] = Prune(min(count * self.ladder, target), for_now=comes_back)
        ends = {returns[step] for step, prune in prunes.items() if prune.for_now}
        events: list[Event] = []
        present = 0.0
        for step in sorted(step for step in removals | ends | prunes.keys() if step < final):
            actions: list[Action] = [Reactivate()] if step in ends else []
            present = 0.0 if step in ends else present
            if step in removals:
                actions.append(RemoveIdle(self.threshold, self.frees, target))
            if step in prunes:
                actions, present = [*actions, prunes[step]], prunes[step].sparsity
            events.append(Event(step, tuple(actions), sparsity=present))
        last = Event(final, (RemoveIdle(self.threshold, 0.0, target), Prune(target)), sparsity=target)
        return Plan(steps, (*events, last, Event(steps, (), sparsity=target, ticket=True)))


def multiples(period: float | None, end: float) -> list[float]:
    """Return the multiples of a number of epochs that lie before `end`, none of no number."""
    if period is None:
        return []
    return [count * period for count in range(1, int(end / period) + 1) if count * period < end]
