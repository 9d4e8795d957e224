"""How masks are applied to weights in the forward pass, and what trains; joined in `AnyParametrisation`.

| file | kind |
|---|---|
| `parametrisation.py` | what every parametrisation can do |
| `parametrised.py` | the result of building one |
| `freezing.py` | what trains besides learned masks |
| `scored_network.py` | the wrapper around a network whose weights have scores that train |
| `selecting_network.py` | the same where a selection reads the scores |
| `fixed.py` | `fixed`: weights train under a fixed mask |
| `straight_through.py` | `straight-through`: masks are learned over frozen weights (edge-popup, HYDRA) |
| `masked_network.py` | the module that `straight-through` trains |
| `hard_concrete.py` | `hard-concrete`: noisy gates are learned over frozen weights (Louizos, Robust Lottery Tickets) |
| `gated_network.py` | the module that `hard-concrete` trains |
| `thresholded.py` | `thresholded`: masks over frozen weights by scores above a threshold (TAMT) |
| `thresholded_network.py` | the module that `thresholded` trains |
| `bernoulli.py` | `bernoulli`: frozen weights kept with probabilities that are learned (Optimal Eye Surgeon) |
| `sampled_network.py` | the module that `bernoulli` trains |
| `movement.py` | `movement`: weights and masks train together (movement pruning) |
| `movement_network.py` | the module that `movement` trains |
| `soft_movement.py` | `soft-movement`: the same with a threshold and a penalty |
| `soft_movement_network.py` | the module that `soft-movement` trains |
| `soft_threshold.py` | `soft-threshold`: weights train through a soft threshold of each layer (STR) |
| `soft_threshold_network.py` | the module that `soft-threshold` trains |
| `coefficients.py` | `coefficients`: weights train, and a coefficient for each head and neuron (EarlyBERT) |
| `scaled_network.py` | the module that `coefficients` trains |
| `gains.py` | `gains`: weights train, and channels pay for the scales of their norms (network slimming, SuperTickets) |
| `channel_gains.py` | what `gains` ranks and pays by |
| `seen_through.py` | a mask through which gradients pass unchanged |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.pruning.parametrisations.bernoulli import Bernoulli
from robust_tickets.pruning.parametrisations.coefficients import Coefficients
from robust_tickets.pruning.parametrisations.fixed import Fixed
from robust_tickets.pruning.parametrisations.gains import PenalisedGains
from robust_tickets.pruning.parametrisations.hard_concrete import HardConcrete
from robust_tickets.pruning.parametrisations.movement import Movement
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.parametrisations.soft_movement import SoftMovement
from robust_tickets.pruning.parametrisations.soft_threshold import SoftThreshold
from robust_tickets.pruning.parametrisations.straight_through import StraightThrough
from robust_tickets.pruning.parametrisations.thresholded import Thresholded

AnyParametrisation = Annotated[
    Fixed
    | StraightThrough
    | HardConcrete
    | Bernoulli
    | Thresholded
    | Movement
    | SoftMovement
    | SoftThreshold
    | Coefficients
    | PenalisedGains,
    Field(discriminator="kind"),
    Shorthand,
]

__all__ = [
    "AnyParametrisation",
    "Bernoulli",
    "Coefficients",
    "Fixed",
    "HardConcrete",
    "Movement",
    "Parametrisation",
    "Parametrised",
    "PenalisedGains",
    "SoftMovement",
    "SoftThreshold",
    "StraightThrough",
    "Thresholded",
]
