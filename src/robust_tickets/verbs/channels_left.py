"""What is left of the channels of each layer: of a ticket's, and of the network that was written without them."""

from dataclasses import dataclass

from robust_tickets.models.compact import masked_channels
from robust_tickets.models.couplings import trace_channels
from robust_tickets.models.network import Network
from robust_tickets.models.sources import Source
from robust_tickets.pruning.parametrisations.channel_gains import is_scale
from robust_tickets.ticket.ticket import Ticket


@dataclass(frozen=True)
class ChannelsLeft:
    """Channels that live and die together, in one layer or in several."""

    layers: tuple[str, ...]
    """The layers that make them."""
    channels: int
    """In the source."""
    left: int
    """That the ticket does not remove."""
    written: int
    """In the smaller network, which may keep some as zeros."""
    reason: str = ""
    """Why none of them can be removed; empty: they can."""


def channels_left(source: Source, ticket: Ticket, smaller: Network) -> tuple[ChannelsLeft, ...]:
    """Count the channels of every layer, in the order of the network; those that cannot be traced come last.

    Args:
        source: the network that the ticket was drawn from.
        ticket: its masks.
        smaller: the network without its zero channels, with the same names.
    """
    body = source.network.body
    trace = trace_channels(body, source.network.interface.example(1), ticket.prunable)
    found = []
    for coupling in trace.couplings:
        made = coupling.producers[0]
        whole, small = (one.get_parameter(made.parameter).shape[made.dim] for one in (body, smaller.body))
        found.append(
            ChannelsLeft(
                layers=tuple(member.parameter.removesuffix(".weight") for member in coupling.producers),
                channels=coupling.channels,
                left=coupling.channels - int(masked_channels(coupling, ticket.masks).sum()),
                written=coupling.channels - (whole - small) // made.index.shape[1],
                reason="" if any(is_scale(body, member) for member in coupling.followers) else "no norm behind it",
            )
        )
    for refusal in trace.refusals:
        kept = refusal.channels
        layer = refusal.name.removesuffix(".weight")
        found.append(ChannelsLeft((layer,), kept, kept, kept, refusal.reason))
    return tuple(found)
