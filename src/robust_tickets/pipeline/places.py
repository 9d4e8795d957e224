"""A cell's place in the grid: dense, a drawn ticket, or a control of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.recipe import Recipe
from robust_tickets.report.summary import TicketKind
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.control_settings import ControlName
from robust_tickets.verbs.controls import CONTROLS, control
from robust_tickets.verbs.draw import label
from robust_tickets.verbs.draw_settings import DrawSettings

if TYPE_CHECKING:
    from robust_tickets.pipeline.grid import Grid

DRAW, DATA = "draw", "data"
"""Names of the recipe's own way of drawing and of its own target, besides its variants and further targets."""


@dataclass(frozen=True)
class CellPlace(ABC):
    """A cell's place in the grid."""

    target: str
    """Name of the target."""
    transfer: str
    """Name of the way of training."""
    series: str
    """Name of the source."""
    way: str = "dense"
    """Name of the way of drawing, `dense` for none."""
    sparsity: float | None = None
    """As asked for; None if the timeline says it, and for dense."""

    is_dense: ClassVar[bool] = False
    is_drawn: ClassVar[bool] = False
    """Whether it is a drawn ticket, which is what is decided on, compared and shipped."""

    @property
    def shows_triviality(self) -> bool:
        """Whether a sparsity at which it matches is trivial; only of controls."""
        return False

    @property
    @abstractmethod
    def kind(self) -> TicketKind:
        """Its name in rows of the report."""

    @property
    def drawing(self) -> str | None:
        """Name of the way of drawing; None for dense."""
        return self.way

    @property
    def is_charted(self) -> bool:
        """Say whether it has a line in charts of measures: dense, or a ticket that the recipe's own way drew."""
        return False

    @property
    def dense(self) -> DensePlace:
        """The place that it is compared with."""
        return DensePlace(self.target, self.transfer, self.series)

    def folder(self, run: Path) -> Path:
        """Return where its runs are kept."""
        return run / "transfers" / self.target / self.series / self.transfer / self.subfolder

    @property
    @abstractmethod
    def subfolder(self) -> str:
        """Where its runs are kept, inside the folder of all that is transferred like it."""

    @abstractmethod
    def draw(self, recipe: Recipe) -> DrawSettings:
        """Return how it was drawn; for dense, what the recipe draws with it."""

    @abstractmethod
    def ticket(self, grid: Grid) -> Ticket | None:
        """Return its ticket, made when it is first needed; None for dense."""

    @abstractmethod
    def name(self, sparsity: float) -> str:
        """Return what analyses call it, at a sparsity in [0, 1]."""

    def line(self, sparsity: str) -> str:
        """Return what charts of measures call it, at a sparsity in per cent."""
        return f"{sparsity} %"


@dataclass(frozen=True)
class DensePlace(CellPlace):
    """The source as it is, without a ticket."""

    is_dense: ClassVar[bool] = True

    @property
    def kind(self) -> TicketKind:
        """Return `dense`."""
        return "dense"

    @property
    def drawing(self) -> None:
        """Return None."""
        return None

    @property
    def is_charted(self) -> bool:
        """Return True."""
        return True

    @property
    def subfolder(self) -> str:
        """Return `dense`."""
        return "dense"

    def draw(self, recipe: Recipe) -> DrawSettings:
        """Return the recipe's own way of drawing."""
        return recipe.draw

    def ticket(self, grid: Grid) -> None:
        """Return None."""

    def name(self, sparsity: float) -> str:
        """Return `dense`."""
        return "dense"

    def line(self, sparsity: str) -> str:
        """Return `dense`."""
        return "dense"


@dataclass(frozen=True)
class TicketPlace(CellPlace):
    """A ticket, drawn or made from a drawn one."""

    @property
    def subfolder(self) -> str:
        """Return a folder name such as `draw/drawn-sparsity-0.9`."""
        return f"{self.way}/{self.kind}-{label(self.sparsity)}"

    def draw(self, recipe: Recipe) -> DrawSettings:
        """Return the settings of its way of drawing."""
        return recipe.draws(self.series)[self.way]

    def ticket(self, grid: Grid) -> Ticket:
        """Return the drawn ticket."""
        place = self.draw(grid.recipe).sparsities.index(self.sparsity)
        return grid.drawn(self.series, self.way)[place]

    def name(self, sparsity: float) -> str:
        """Return the way of drawing, if it is not the recipe's own, and the sparsity."""
        way = f"{self.way} " if self.way != DRAW else ""
        asked = self.sparsity if self.sparsity is not None else sparsity
        return f"{way}{100 * asked:.4g} %"


@dataclass(frozen=True)
class DrawnPlace(TicketPlace):
    """A drawn ticket."""

    is_drawn: ClassVar[bool] = True

    @property
    def kind(self) -> TicketKind:
        """Return `drawn`."""
        return "drawn"

    @property
    def is_charted(self) -> bool:
        """Say whether the recipe's own way drew it."""
        return self.way == DRAW


@dataclass(frozen=True)
class ControlPlace(TicketPlace):
    """A control of a drawn ticket."""

    control: ControlName = field(kw_only=True)

    @property
    def shows_triviality(self) -> bool:
        """Say whether it lacks the ticket's masks, or its weights."""
        return CONTROLS[self.control].shows_triviality

    @property
    def kind(self) -> TicketKind:
        """Return the control's name."""
        return self.control

    def ticket(self, grid: Grid) -> Ticket:
        """Return the control of the drawn ticket."""
        recipe, drawn = grid.recipe, super().ticket(grid)
        return control(self.control, drawn, grid.source(self.series), self.draw(recipe), recipe.seed, recipe.flip)

    def name(self, sparsity: float) -> str:
        """Return the drawn ticket's name behind the control's."""
        return f"{CONTROLS[self.control].prefix}{super().name(sparsity)}"
