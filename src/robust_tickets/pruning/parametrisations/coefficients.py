"""A coefficient for every head and neuron, trained together with the weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import nn
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import (
    COUPLED_GROUPS,
    EARLIER_WEIGHTS,
    LEARNED_SCORES,
    READS_LEARNED_SCORES,
    SINGLE_PRUNE,
    TRAINING,
)
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection


class Coefficients(Parametrisation):
    """Each head, neuron or channel is multiplied by a coefficient c, which starts at 1; the loss pays for sum |c|.

    EarlyBERT (Chen et al., 2021, arXiv 2101.00063, section 3.1), after network slimming (Liu et al., 2017, 1708.06519):
    c of a head multiplies its attention output, c of a hidden neuron its activation; weights and coefficients train
    together. Groups rank by |c|: a coefficient may end below zero, and what it scales is no less important for that.
    """

    needs: ClassVar[frozenset[str]] = frozenset(
        {READS_LEARNED_SCORES, SINGLE_PRUNE, TRAINING, COUPLED_GROUPS, EARLIER_WEIGHTS}
    )
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES})
    learns_once: ClassVar[bool] = True
    kind: Literal["coefficients"] = "coefficients"
    penalty: float = Field(default=1e-4, ge=0, description="What the loss pays for the sum of |c| of all groups.")

    lr: float | None = Field(
        default=None,
        gt=0,
        description="Peak learning rate of the coefficients, which then do not decay; absent: as weights have them.",
    )

    def build(
        self,
        network: nn.Module,
        body: nn.Module,
        names: Collection[str],
        *,
        selection: Selection,
        sparsity: float,
        couplings: Sequence[Coupling] = (),
        is_head: Callable[[str], bool] = lambda name: False,
        seed: int = 0,
    ) -> Parametrised:
        """Wrap the network, whose parameters all train; see `Parametrisation.build`.

        Raises:
            UserError: nothing can be removed, or something is read where one number does not scale it.
        """
        parameters = dict(body.named_parameters())
        weights = {name: parameters[name].detach() for name in names}
        units = selection.group.partition(weights, None, couplings).units
        scaled = tuple(coupling for coupling in couplings if coupling.name in units)
        for coupling in scaled:
            if not coupling.readers:
                raise UserError(
                    f"parametrisation 'coefficients': {coupling.name} is read by a grouped convolution, or by none, so "
                    "that no coefficient can scale it; exempt it by name, or use parametrisation 'fixed'"
                )
        from robust_tickets.pruning.parametrisations.scaled_network import ScaledNetwork

        module = ScaledNetwork(network, body, scaled, self.penalty)
        learned = module.coefficients_by_name()
        named = {f"coefficients.{name}": values for name, values in learned.items()}
        return Parametrised(
            module,
            {**parameters, **named},
            learned,
            rank=module.ranking,
            rates=dict.fromkeys(named, self.lr) if self.lr is not None else {},
            penalty=module.penalty if self.penalty else None,
        )
