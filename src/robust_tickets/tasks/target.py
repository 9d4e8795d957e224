"""Data as a network takes them: what every verb begins with."""

from typing import Any

from robust_tickets.data.load import load_data
from robust_tickets.data.splits import DataSplits
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.sources import Source

Data = Any
"""A name, a path, `DataSettings`, `DataSplits`, a torch `Dataset` or `DataLoader`, or a dict of such parts."""


def target_data(data: Data, source: Source, seed: int) -> DataSplits:
    """Load data at the size, interpolation and channel count of a source's preprocessing.

    Raises:
        UserError: the data cannot be read, or have another channel count than the network.
    """
    return fitted_data(data, source.network.interface, source.identity.name, seed)


def fitted_data(data: Data, preprocessing: Pixels, asker: str, seed: int, *, trains: bool = True) -> DataSplits:
    """Load data as a network with this preprocessing takes them; `asker` names it in a complaint.

    Images become grey or RGB as the network takes them; the notes of the data say how many.

    Args:
        data: settings, a name, a path, or objects in memory.
        preprocessing: size, interpolation and channels.
        asker: the network.
        seed: decides which images make the fraction and the validation part.
        trains: whether a training follows; see `load_data`.

    Raises:
        UserError: the data cannot be read, or their settings ask for another channel count than the network's.
    """
    splits = load_data(
        data,
        size=preprocessing.size,
        channels=preprocessing.channels,
        interpolation=preprocessing.interpolation,
        crop_fraction=preprocessing.crop_fraction,
        seed=seed,
        trains=trains,
    )
    splits.require_channels(preprocessing.channels, asker)
    return splits


def as_evaluated(preprocessing: Pixels, splits: DataSplits) -> Pixels:
    """Return how the images of these data were prepared, which is what a network trained on them is shipped with.

    The data's own size wins over the network's, and arrays are resized whole: no centre is cut out of them.
    """
    crop_fraction = 1.0 if splits.test.images.resized_whole else preprocessing.crop_fraction
    return preprocessing.model_copy(update={"size": splits.size, "crop_fraction": crop_fraction})
