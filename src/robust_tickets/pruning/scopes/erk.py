"""Erdos-Renyi-kernel allocation."""

import math
from collections.abc import Mapping
from typing import Literal

from robust_tickets.pruning.partitions import PruningUnit
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.scopes.scope import Minimum, PruningPool, Scope, least_kept


class ErkScope(Scope):
    """A pool per layer, of density proportional to (in + out + kh + kw) / (in * out * kh * kw).

    Densities are capped at 1, or at what the present masks keep; the rest is scaled up to compensate. Counts
    are rounded by largest remainder: all layers together lose exactly floor(s G + 1/2) of the G groups
    (Evci et al., 2020, arXiv 1911.11134), fewer only if each layer is down to `minimum`.
    """

    kind: Literal["erk"] = "erk"
    minimum: Minimum = None

    def pools(self, units: Mapping[str, PruningUnit], sparsity: float) -> list[PruningPool]:
        """Return one pool per unit."""
        total = sum(unit.groups for unit in units.values())
        quotas = {
            name: (unit.groups * sum(unit.shape) / math.prod(unit.shape), unit.remaining)
            for name, unit in units.items()
        }
        least = {name: least_kept(unit, self.minimum) for name, unit in units.items()}
        most = sum(unit.remaining for unit in units.values())
        kept = apportioned(quotas, least, max(min(total - exact_count(sparsity, total), most), sum(least.values())))
        return [PruningPool((name,), unit.groups - kept[name]) for name, unit in units.items()]


def apportioned(quotas: Mapping[str, tuple[float, int]], least: Mapping[str, int], total: int) -> dict[str, int]:
    """Divide `total` as `largest_remainder` does, but give each name its least; those add up to `total` at most."""
    counts = largest_remainder(quotas, total)
    short = {name: least[name] for name, count in counts.items() if count < least[name]}
    if not short:
        return counts
    rest = {name: quota for name, quota in quotas.items() if name not in short}
    return short | apportioned(rest, least, total - sum(short.values()))


def largest_remainder(quotas: Mapping[str, tuple[float, int]], total: int) -> dict[str, int]:
    """Divide `total` in proportion to shares, each capped, to whole numbers that add up to it exactly.

    Args:
        quotas: for each name its share (any positive scale) and its cap; the caps add up to `total` at least.
        total: what is divided.
    """
    ideal: dict[str, float] = {}
    free = dict(quotas)
    while True:
        left = total - sum(ideal.values())
        shares = sum(share for share, _ in free.values())
        capped = {name: cap for name, (share, cap) in free.items() if share * left >= cap * shares}
        if not capped:
            break
        ideal |= {name: float(cap) for name, cap in capped.items()}
        free = {name: quota for name, quota in free.items() if name not in capped}
    ideal |= {name: share * left / shares for name, (share, _) in free.items()}
    counts = {name: math.floor(ideal[name]) for name in quotas}
    spare = total - sum(counts.values())
    by_remainder = sorted(free, key=lambda name: counts[name] - ideal[name])
    for name in by_remainder[:spare]:
        counts[name] += 1
    return counts
