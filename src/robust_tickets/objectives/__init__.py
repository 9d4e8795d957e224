"""What is trained for: losses and attacks.

| file | noun |
|---|---|
| `threat.py` | the ball of allowed perturbations, and the search in it |
| `attack.py` | projected gradient descent, for training and evaluation alike |
| `objective.py` | what every objective offers the training loop |
| `standard.py` | the criterion on clean images |
| `pgd.py` | adversarial training with PGD |
| `fgsm_rs.py` | fast adversarial training: one step from a random start |
| `free.py` | free adversarial training: one backward pass updates weights and perturbation |
| `trades.py` | accuracy on clean images and the same answer around them |
| `smoothing.py` | training under Gaussian noise |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.objectives.fgsm_rs import FGSMRS
from robust_tickets.objectives.free import Free
from robust_tickets.objectives.objective import Objective, ObjectiveSettings
from robust_tickets.objectives.pgd import PGD
from robust_tickets.objectives.smoothing import Smoothing
from robust_tickets.objectives.standard import Standard
from robust_tickets.objectives.threat import Ball, Threat
from robust_tickets.objectives.trades import Trades

AnyObjective = Annotated[Standard | PGD | FGSMRS | Free | Trades | Smoothing, Field(discriminator="kind"), Shorthand]
"""Settings of any objective, told apart by `kind`."""

__all__ = [
    "FGSMRS",
    "PGD",
    "AnyObjective",
    "Ball",
    "Free",
    "Objective",
    "ObjectiveSettings",
    "Smoothing",
    "Standard",
    "Threat",
    "Trades",
]
