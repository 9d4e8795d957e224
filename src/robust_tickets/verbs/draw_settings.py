"""How a ticket is drawn: one choice on every axis."""

from typing import Literal

from pydantic import Field, model_validator

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.settings import Settings, Sparsity, later_field
from robust_tickets.models.prunable import Prunable
from robust_tickets.pruning.groups import AnyGroup, Element
from robust_tickets.pruning.parametrisations import AnyParametrisation, Fixed
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.rewinds import AnyRewind, PretrainedRewind
from robust_tickets.pruning.scopes import AnyScope
from robust_tickets.pruning.scores import AnyScore, Magnitude
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import AnyTimeline, OneShot, says_sparsity
from robust_tickets.tasks.kinds import AnyTask
from robust_tickets.training.settings import Training

DEFAULT_SPARSITY = 0.9
"""The sparsity that is drawn by default."""


class DrawSettings(Settings):
    """How a ticket is drawn; every method of the literature is a choice of these parts."""

    sparsity: Sparsity | tuple[Sparsity, ...] | None = Field(
        default=None,
        description="Target, or several; absent: the sparsity that the timeline (rounds), the group (n-m) the score "
        "(zeros) or training (soft-threshold) implies, or else 0.9.",
    )
    score: AnyScore = Field(default=Magnitude(), description="What ranks weights.")
    group: AnyGroup = Field(default=Element(), description="The unit of removal.")
    scope: AnyScope | None = Field(
        default=None,
        description="Where scores compete; absent: global for element, otherwise per layer, as the papers rank "
        "structured groups (globally, a few layers would lose nearly all their groups).",
    )
    prunable: Prunable = Field(default=Prunable(), description="Which weights take part.")
    timeline: AnyTimeline = Field(default=OneShot(), description="What happens when.")
    parametrisation: AnyParametrisation = Field(
        default=Fixed(), description="How masks are applied to weights, and what trains."
    )
    rewind: AnyRewind = Field(default=PretrainedRewind(), description="Which weights the ticket restarts from.")
    head: Literal["keep", "fresh", "as-transferred"] = Field(
        default="keep",
        description="Head during the draw's own training: the source's, or a fresh one for its data; as-transferred: "
        "what the transfers do, in a recipe that draws on its target.",
    )
    task: AnyTask | None = later_field(
        None,
        description="What the draw trains its network to do, under which head, as in transfers; absent: the task that "
        "`data` imply, or with head: as-transferred what the transfers do.",
    )
    data: DataSettings | None = Field(
        default=None, description="Data to train on, if the timeline trains; in a recipe, `target` is its own target."
    )
    recalibrate: DataSettings | None = Field(
        default=None,
        description="Data whose training images give batch-norm statistics under the masks, for tickets used without "
        "training; absent: `data` if nothing trains on them, otherwise none; in a recipe, `target` is its own target.",
    )
    finetune: Training | None = later_field(
        None,
        description="Training of the dense network on `data` before the draw: it starts from the finetuned "
        "weights, a teacher `source` is the finetuned network, and rewind `pretrained` returns to the source; absent: "
        "none.",
    )
    training: Training = Field(default=Training(), description="How the draw trains between events.")

    @property
    def selection(self) -> Selection:
        """Return score, group and scope as one."""
        usual = self.score.scopes[0] if self.score.scopes is not None else self.group.usual_scope
        return Selection.model_validate({"score": self.score, "group": self.group, "scope": self.scope or usual})

    @property
    def sparsities(self) -> tuple[float | None, ...]:
        """Return the targets in ascending order; None is one that timeline or score say."""
        if isinstance(self.sparsity, tuple):
            targets = self.sparsity
        elif self.sparsity is None and not (self.says_sparsity or says_sparsity(self.timeline)):
            targets = (DEFAULT_SPARSITY if self.group.fixed_sparsity is None else self.group.fixed_sparsity,)
        else:
            targets = (self.sparsity,)
        return tuple(sorted(targets, key=lambda target: target or 0.0))

    @property
    def says_sparsity(self) -> bool:
        """Return whether weights or training say how much is removed if no target is given."""
        return self.score.says_sparsity or self.parametrisation.says_sparsity

    def is_open(self, sparsity: float | None) -> bool:
        """Return whether, at this target, training decides how much is removed."""
        return sparsity is None and self.parametrisation.says_sparsity and not says_sparsity(self.timeline)

    def draws_together(self, sparsity: float) -> bool:
        """Return whether sparsities below this one come for free: nothing trains, or one training has all."""
        plan = self.timeline.plan(sparsity, 1000)
        tickets = sum(event.ticket for event in plan.events)
        return not plan.steps or self.parametrisation.learns_once or tickets > 1

    def with_rungs(self, plan: Plan) -> Plan:
        """Return a plan that gives all lower targets too, if what it learns does not depend on them."""
        if not self.parametrisation.learns_once:
            return plan
        return plan.with_rungs(sparsity for sparsity in self.sparsities if sparsity is not None)

    @model_validator(mode="after")
    def _parts_fit(self) -> "DrawSettings":
        scope = self.selection.scope.kind
        if scope != "global" and any(map(self.is_open, self.sparsities)):
            raise ValueError(
                f"parametrisation {self.parametrisation.kind!r} decides by itself how sparse each layer becomes: leave "
                f"scope {scope!r} out, or give a sparsity"
            )
        return self
