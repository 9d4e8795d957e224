"""The scales of norms as gains of channels, trained with the weights under a penalty by cost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import nn
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import (
    CHANNEL_GAINS,
    COUPLED_GROUPS,
    LEARNED_SCORES,
    READS_LEARNED_SCORES,
    TRAINING,
)
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection


class PenalisedGains(Parametrisation):
    """A channel's gain is |gamma| of the norm behind it; the loss pays for gains, most where a channel costs most.

    Network slimming (Liu et al., 2017, arXiv 1708.06519), with the costs of SuperTickets (You et al., 2022, arXiv
    2207.03677): the loss gains rho times the sum over channels of c |gamma|. c is the multiply-adds that go with the
    channel, over the mean of the channels that there are; rho rises linearly over the first `warmup` of the training.
    Channels rank by |gamma|, of several norms by their sum; those without a norm are never removed.
    """

    needs: ClassVar[frozenset[str]] = frozenset({READS_LEARNED_SCORES, TRAINING, COUPLED_GROUPS})
    provides: ClassVar[frozenset[str]] = frozenset({LEARNED_SCORES, CHANNEL_GAINS})
    is_coupled: ClassVar[bool] = True
    changes_weights: ClassVar[bool] = False
    kind: Literal["gains"] = "gains"
    penalty: float = Field(default=1e-4, ge=0, description="rho: what the loss pays for the sum of c |gamma|.")
    warmup: float = Field(
        default=0.1, ge=0, le=1, description="Share of the training in which rho rises linearly, in [0, 1]."
    )
    by_cost: bool = Field(
        default=True, description="Whether channels that take more multiply-adds pay more; otherwise all pay alike."
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
        """Find the norms behind all channels; see `Parametrisation.build`.

        Raises:
            UserError: no channel has a norm.
        """
        from robust_tickets.pruning.parametrisations.channel_gains import ChannelGains

        chosen = [one for one in couplings if not one.are_heads]
        if selection.group.is_coupled:
            weights = {name: body.get_parameter(name).detach() for name in names}
            units = selection.group.partition(weights, None, couplings).units
            chosen = [one for one in couplings if one.name in units]
        gains = ChannelGains(body, chosen, self.penalty, self.warmup)
        if not gains.has_any:
            raise UserError(
                "parametrisation 'gains': no channel has a norm behind it, whose scale is its gain; use a network with "
                "batch norm, or parametrisation 'coefficients'"
            )
        return Parametrised(
            network,
            dict(body.named_parameters()),
            rank=gains.ranking,
            before_step=gains.before_step,
            penalty=gains.penalty if self.penalty else None,
            weigh=gains.weigh if self.by_cost else None,
            gains=gains.all,
        )
