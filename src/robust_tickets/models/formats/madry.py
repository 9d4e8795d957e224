"""The `robustness` library (Engstrom et al., 2019): a network, its normaliser, both again in an attacker."""

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.formats.layout import State, Unwrapped, strip


def madry(state: State) -> Unwrapped | None:
    """Return the network and the normaliser's mean and std; None if the names are not the library's.

    They are `model.*`, `normalizer.new_mean` and `new_std`, copies in `attacker.*`; perhaps behind `module.`.

    Raises:
        UserError: the attacker's copy of the network differs from the network.
    """
    for outer in ("module.", ""):
        if f"{outer}normalizer.new_mean" in state and any(name.startswith(f"{outer}model.") for name in state):
            break
    else:
        return None
    network = strip(state, f"{outer}model.")
    _require_equal_copy(network, strip(state, f"{outer}attacker.model."))
    known = tuple(f"{outer}{part}." for part in ("model", "normalizer", "attacker"))
    inner = "model."
    # What is not the library's own architecture sits in a wrapper that has it as its only child, `model`.
    if all(name.startswith("model.") for name in network):
        network, inner = strip(network, "model."), "model.model."
    network |= {name: tensor for name, tensor in state.items() if not name.startswith(known)}
    return Unwrapped(
        network,
        f"Madry robustness ({outer}{inner}*)",
        mean=_values(state[f"{outer}normalizer.new_mean"]),
        std=_values(state[f"{outer}normalizer.new_std"]),
        duplicates=frozenset(name for name in state if name.startswith(f"{outer}attacker.")),
    )


def _require_equal_copy(network: State, copy: State) -> None:
    for name in copy:
        if name not in network or not torch.equal(network[name], copy[name]):
            raise UserError(
                f"the checkpoint's attacker contains a different network from its model: {name} differs; the "
                "robustness library does not write such checkpoints"
            )


def _values(tensor: Tensor) -> tuple[float, ...]:
    # six decimals: these are literals such as 0.485 that went through float32
    return tuple(round(value, 6) for value in tensor.flatten().tolist())
