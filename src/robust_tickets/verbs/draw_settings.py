"""How a ticket is drawn: one choice on every axis."""

from typing import Literal

from pydantic import Field, model_validator

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.settings import Settings, Sparsity
from robust_tickets.models.prunable import Prunable
from robust_tickets.pruning.groups import AnyGroup, Element
from robust_tickets.pruning.parametrisations import AnyParametrisation, Fixed
from robust_tickets.pruning.rewinds import AnyRewind, PretrainedRewind
from robust_tickets.pruning.scopes import AnyScope
from robust_tickets.pruning.scores import AnyScore, Magnitude
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import AnyTimeline, OneShot, says_sparsity
from robust_tickets.training.settings import Training

DEFAULT_SPARSITY = 0.9
"""What is drawn where nothing says how much."""


class DrawSettings(Settings):
    """How a ticket is drawn; every method of the literature is a choice of these parts."""

    sparsity: Sparsity | tuple[Sparsity, ...] | None = Field(
        default=None,
        description="Target, or several; absent: what the timeline (rounds), the group (n-m) or the score (zeros) says "
        "itself, and 0.9 where none does.",
    )
    score: AnyScore = Field(default=Magnitude(), description="What ranks weights.")
    group: AnyGroup = Field(default=Element(), description="What is removed as one.")
    scope: AnyScope | None = Field(
        default=None,
        description="Where scores compete; absent: global for element, else per layer, as structured groups are "
        "ranked in the papers (globally, a few layers would lose nearly all of theirs).",
    )
    prunable: Prunable = Field(default=Prunable(), description="Which weights take part.")
    timeline: AnyTimeline = Field(default=OneShot(), description="When what happens.")
    parametrisation: AnyParametrisation = Field(
        default=Fixed(), description="How mask and weight meet, and what trains."
    )
    rewind: AnyRewind = Field(default=PretrainedRewind(), description="Which weights the ticket restarts from.")
    head: Literal["keep", "fresh"] = Field(
        default="keep",
        description="Head during the draw's own training: the source's, or a fresh one for its data.",
    )
    data: DataSettings | None = Field(default=None, description="What the draw trains on, where its timeline trains.")
    recalibrate: DataSettings | None = Field(
        default=None,
        description="On whose training images batch-norm statistics are computed under the masks, for tickets that are "
        "used without training; absent: on `data` where nothing trains on them, else not.",
    )
    training: Training = Field(default=Training(), description="How it trains between events.")

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
        elif self.sparsity is None and not (self.score.says_sparsity or says_sparsity(self.timeline)):
            targets = (DEFAULT_SPARSITY if self.group.fixed_sparsity is None else self.group.fixed_sparsity,)
        else:
            targets = (self.sparsity,)
        return tuple(sorted(targets, key=lambda target: target or 0.0))

    @model_validator(mode="after")
    def _parts_fit(self) -> "DrawSettings":
        _ = self.selection
        return self
