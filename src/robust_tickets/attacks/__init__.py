"""How a network is attacked: one PGD, one APGD and one Square, for both training and evaluation.

| file | noun |
|---|---|
| `threat.py` | the ball of allowed perturbations, and the search in it |
| `aim.py` | what an attack aims for: all that it knows about a task |
| `losses.py` | losses of class logits: cross-entropy, the difference-of-logits ratio |
| `predict.py` | a network as inputs in, outputs out |
| `perturbable.py` | what an attack may move: pixels, or word embeddings |
| `projection.py` | the geometry of a ball |
| `attack.py` | what every attack has in common |
| `attack_log.py` | what an attack reports: its progress, and where it saw no gradient |
| `persistence.py` | what a gradient attack does when it sees no gradient |
| `image_streams.py` | an image's own randomness, whatever batch it comes in |
| `pgd.py` | `pgd`: projected gradient descent, the search that training uses too |
| `apgd.py` | `apgd`: PGD that adapts its step (Croce and Hein 2020) |
| `square.py` | `square`: random search without gradients (Andriushchenko et al. 2020) |
| `square_shapes.py` | the squares that this search adds |
| `autoattack.py` | `autoattack`: the field's standard ensemble (extra `robust`) |

Attacks are joined in `AnyAttack` on the field `kind`.
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.attacks.aim import Aim, Misclassification
from robust_tickets.attacks.apgd import APGD
from robust_tickets.attacks.attack import Attack
from robust_tickets.attacks.attack_log import AttackLog, GradientCounts
from robust_tickets.attacks.autoattack import AutoAttack
from robust_tickets.attacks.pgd import PGD
from robust_tickets.attacks.square import Square
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.kinds import Shorthand

AnyAttack = Annotated[PGD | APGD | Square | AutoAttack, Field(discriminator="kind"), Shorthand]
"""Settings of any attack, distinguished by `kind`."""

__all__ = [
    "APGD",
    "PGD",
    "Aim",
    "AnyAttack",
    "Attack",
    "AttackLog",
    "AutoAttack",
    "Ball",
    "GradientCounts",
    "Misclassification",
    "Square",
    "Threat",
]
