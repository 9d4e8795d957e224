"""Attacks under which a network is evaluated; one file each, joined in `AnyAttack` on the field `kind`.

| file | kind |
|---|---|
| `attack.py` | what every attack has in common |
| `attack_log.py` | what an attack tells of itself: how far it is, where it saw no gradient |
| `logits_ratio.py` | the difference-of-logits ratio, a loss without the logits' scale |
| `persistence.py` | what a gradient attack does where it sees no gradient |
| `image_streams.py` | chance of an image's own, whatever batch it comes in |
| `pgd.py` | `pgd`: projected gradient descent, as in training |
| `apgd.py` | `apgd`: PGD that adapts its step (Croce and Hein 2020) |
| `square.py` | `square`: random search without gradients (Andriushchenko et al. 2020) |
| `square_shapes.py` | the squares that this search adds |
| `autoattack.py` | `autoattack`: the field's standard ensemble (extra `robust`) |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.measures.attacks.apgd import APGD
from robust_tickets.measures.attacks.attack import Attack
from robust_tickets.measures.attacks.attack_log import AttackLog, GradientCounts
from robust_tickets.measures.attacks.autoattack import AutoAttack
from robust_tickets.measures.attacks.pgd import PGD
from robust_tickets.measures.attacks.square import Square

AnyAttack = Annotated[PGD | APGD | Square | AutoAttack, Field(discriminator="kind"), Shorthand]
"""Settings of any attack, told apart by `kind`."""

__all__ = ["APGD", "PGD", "AnyAttack", "Attack", "AttackLog", "AutoAttack", "GradientCounts", "Square"]
