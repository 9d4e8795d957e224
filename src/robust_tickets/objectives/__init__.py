"""What training aims for: losses of a batch, clean or attacked.

| file | noun |
|---|---|
| `objective.py` | what every objective has in common, and what it becomes in training |
| `standard.py` | the criterion on the inputs as they are |
| `pgd_training.py` | adversarial training with PGD |
| `fgsm_rs.py` | fast adversarial training: one step from a random start |
| `free_lb.py` | adversarial training whose every step of the attack gives a gradient of the weights |
| `free.py` | free adversarial training: one backward pass updates weights and perturbation |
| `trades.py` | accuracy on clean images and the same answer around them |
| `smoothing.py` | training under Gaussian noise |
| `soft_labels.py` | how far probabilities are from a teacher's |
| `distillation.py` | learning from a dense teacher, by soft labels and hidden states |
| `hidden_states.py` | naming, catching and comparing the outputs of layers |
| `repellence.py` | away from another solution, or towards it |
| `teacher.py` | a network that others learn from, or are kept away from |
| `views.py` | several views of one image, made by lightly's transforms |
| `from_views.py` | what objectives that learn from them have in common |
| `simclr.py` | without labels: each view's partner among the views of the batch |
| `moco.py` | without labels: the same among the views of a queue |
| `dino.py` | without labels: self-distillation over prototypes |
| `momentum.py` | a copy of the network that follows it, and gives it its targets |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.objectives.dino import DINO
from robust_tickets.objectives.distillation import Distillation
from robust_tickets.objectives.fgsm_rs import FGSMRS
from robust_tickets.objectives.free import Free
from robust_tickets.objectives.free_lb import FreeLB
from robust_tickets.objectives.moco import MoCo
from robust_tickets.objectives.objective import Objective, Running
from robust_tickets.objectives.pgd_training import PGDTraining
from robust_tickets.objectives.repellence import Repellence
from robust_tickets.objectives.simclr import SimCLR
from robust_tickets.objectives.smoothing import Smoothing
from robust_tickets.objectives.standard import Standard
from robust_tickets.objectives.trades import Trades

AnyObjective = Annotated[
    Standard
    | PGDTraining
    | FreeLB
    | FGSMRS
    | Free
    | Trades
    | Smoothing
    | Distillation
    | Repellence
    | SimCLR
    | MoCo
    | DINO,
    Field(discriminator="kind"),
    Shorthand,
]
"""Settings of any objective, distinguished by `kind`."""

__all__ = [
    "DINO",
    "FGSMRS",
    "AnyObjective",
    "Distillation",
    "Free",
    "FreeLB",
    "MoCo",
    "Objective",
    "PGDTraining",
    "Repellence",
    "Running",
    "SimCLR",
    "Smoothing",
    "Standard",
    "Trades",
]
