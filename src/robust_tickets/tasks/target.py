"""Data as a network takes them: what every verb begins with."""

from typing import Any

from robust_tickets.data.load import load_data
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.forward_trace import trace_forward
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network
from robust_tickets.models.sources import Source

Data = Any
"""A name, a path, `DataSettings`, `DataSplits`, a torch `Dataset` or `DataLoader`, or a dict of such parts."""


def target_data(data: Data, source: Source, seed: int) -> DataSplits:
    """Load data as a source's network takes them: images at its size, texts in its tokens.

    Raises:
        UserError: the data cannot be read, or are not what the network takes.
    """
    return fitted_data(data, source.network.interface, source.identity.name, seed)


def fitted_data(data: Data, interface: Interface, asker: str, seed: int, *, trains: bool = True) -> DataSplits:
    """Load data as a network with this interface takes them; `asker` names it in a complaint.

    Images become grey or RGB as the network takes them; the notes of the data say how many.

    Args:
        data: settings, a name, a path, or objects in memory.
        interface: of images size, interpolation and channels; of texts the tokenizer and the longest text.
        asker: the network.
        seed: decides which examples make the fraction and the validation part.
        trains: whether a training follows; see `load_data`.

    Raises:
        UserError: the data cannot be read, or are not what the network takes.
    """
    splits = load_data(data, **interface.wanted(), seed=seed, trains=trains)
    if interface.channels is not None:
        splits.require_channels(interface.channels, asker)
    return splits


def require_size(network: Network, splits: DataSplits, name: str) -> None:
    """Refuse images of another size than the network's where it cannot take them, as one forward pass shows.

    Raises:
        UserError: says how the pass fails.
    """
    given = as_evaluated(network.interface, splits)
    if given.shape_words == network.interface.shape_words:
        return
    try:
        trace_forward(network.body, given, name)
    except UserError as error:
        own = network.interface.shape_words
        raise UserError(f"{splits.name}: {error}; leave out the data's `size`: the network takes {own}") from None


def as_evaluated(interface: Interface, splits: DataSplits) -> Interface:
    """Return how the inputs of these data were prepared, which is what a network trained on them is shipped with.

    The data's own size wins over the network's, and arrays are resized whole: no centre is cut out of them.
    """
    return interface.model_copy(update=splits.test.inputs.shipped_with(splits.fit))
