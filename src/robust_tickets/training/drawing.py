"""What the events of a timeline need to know to select and to rewind."""

from dataclasses import dataclass, field

from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.parametrisations import Fixed, Parametrisation
from robust_tickets.pruning.rewinds import PretrainedRewind, RewindPoint
from robust_tickets.pruning.select import Selection


@dataclass(frozen=True)
class Drawing:
    """How masks are selected during a training, and to which weights it is rewound."""

    selection: Selection = field(default_factory=Selection)
    couplings: tuple[Coupling, ...] = ()
    parametrisation: Parametrisation = field(default_factory=Fixed)
    rewind: RewindPoint = field(default_factory=PretrainedRewind)
    sparsity: float | None = 0.0
    """The final target, at which a learned mask trains; None: training decides."""
