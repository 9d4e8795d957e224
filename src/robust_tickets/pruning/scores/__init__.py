"""What ranks groups; one file each, joined in `AnyScore` on the field `kind`.

| file | kind |
|---|---|
| `score.py` | what every score can do |
| `magnitude.py` | `magnitude`: the size of the weights |
| `random.py` | `random`: pure chance |
| `random_within_layer.py` | `random-within-layer`: magnitude shuffled inside each layer |
| `learned.py` | `learned`: scores that training has learned |
| `second_order.py` | `second-order`: Optimal Brain Surgeon by the empirical Fisher matrix |
| `least_squares.py` | `least-squares`: Optimal Brain Surgeon layer by layer, from inputs |
| `wanda.py` | `wanda`: weights times their inputs |
| `snip.py` | `snip`: how much the loss depends on a weight |
| `grasp.py` | `grasp`: how much the gradient loses without it |
| `synflow.py` | `synflow`: how much of all that flows passes it |
| `zeros.py` | `zeros`: weights that are already zero |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.pruning.scores.grasp import Grasp
from robust_tickets.pruning.scores.learned import Learned
from robust_tickets.pruning.scores.least_squares import LeastSquares
from robust_tickets.pruning.scores.magnitude import Magnitude
from robust_tickets.pruning.scores.random import Random
from robust_tickets.pruning.scores.random_within_layer import RandomWithinLayer
from robust_tickets.pruning.scores.score import Score
from robust_tickets.pruning.scores.second_order import SecondOrder
from robust_tickets.pruning.scores.snip import Snip
from robust_tickets.pruning.scores.synflow import Synflow
from robust_tickets.pruning.scores.wanda import Wanda
from robust_tickets.pruning.scores.zeros import Zeros

AnyScore = Annotated[
    Magnitude
    | Random
    | RandomWithinLayer
    | Learned
    | SecondOrder
    | LeastSquares
    | Wanda
    | Snip
    | Grasp
    | Synflow
    | Zeros,
    Field(discriminator="kind"),
    Shorthand,
]

__all__ = [
    "AnyScore",
    "Grasp",
    "Learned",
    "LeastSquares",
    "Magnitude",
    "Random",
    "RandomWithinLayer",
    "Score",
    "SecondOrder",
    "Snip",
    "Synflow",
    "Wanda",
    "Zeros",
]
