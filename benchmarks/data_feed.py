"""How fast images are loaded from files: beside torchvision's ImageFolder in a DataLoader, with the same transforms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benchmarks.device import CPU, training_on
from benchmarks.image_folder import image_folder
from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.timing import in_turns, ratios, repeated, spread, typical
from robust_tickets.data.augmentation import Augmentation, FlipCrop, RandomResizedCrop
from robust_tickets.data.batches import batches
from robust_tickets.data.examples import Examples
from robust_tickets.data.load import load_data

TARGET = 0.9
BATCH = 128
WORKERS = 2


class Case(NamedTuple):
    """Files of one size, and what training does to them."""

    side: int
    """Of the files, pixels."""
    size: int
    """Of the network's input, pixels."""
    ours: Augmentation
    theirs: Callable[[int], v2.Transform]


CASES = {
    "small images, flip-crop": Case(64, 64, FlipCrop(), lambda size: v2.RandomCrop(size, padding=4)),
    "small images, random-resized-crop": Case(64, 64, RandomResizedCrop(), v2.RandomResizedCrop),
    "photographs, random-resized-crop": Case(320, 224, RandomResizedCrop(), v2.RandomResizedCrop),
}


def measure(scale: Scale) -> Row:
    """Load an epoch of each case in turns; the ratio is that of the case in which it is lowest."""
    details: dict[str, Any] = {}
    over_rounds: dict[str, list[float]] = {}
    for name, case in CASES.items():
        with image_folder(scale.fed, case.side) as folder, training_on(CPU):
            count, contestants = both(case, folder / "train", scale.fed)
            seconds = in_turns({one: repeated(epoch) for one, epoch in contestants.items()}, scale.rounds)
        over_rounds[name] = ratios(seconds["torchvision"], seconds["ours"])
        details[name] = {
            "images": count,
            "images_per_second": {one: round(count / typical(values)) for one, values in seconds.items()},
            "ratio": spread(over_rounds[name]),
        }
    lowest = min(over_rounds, key=lambda name: typical(over_rounds[name]))
    told = "; ".join(
        f"{name} {typical(over_rounds[name]):.2f} ({facts['images_per_second']['ours']:,} images/s)"
        for name, facts in details.items()
    )
    low, high = details[lowest]["ratio"]["quartiles"]
    reason = f"the middle half of rounds of {lowest} lies between {low:.3f} and {high:.3f}"
    details = {"summary": told, "workers": WORKERS, "batch_size": BATCH, **details}
    return Row.judged("data_feed", typical(over_rounds[lowest]), TARGET, details, reason)


def both(case: Case, folder: Path, most: int) -> tuple[int, dict[str, Callable[[], object]]]:
    """Return how many images an epoch has, and what loads one: ours and torchvision's."""
    listed = load_data(folder, size=case.size, channels=3, trains=False).test
    chosen = torch.arange(min(most, len(listed)))
    # As if they did not fit into memory: what is held there is not loaded by workers.
    part = Examples(listed.listing.subset(chosen), listed.fit, keep=False)
    usual = [v2.RandomHorizontalFlip(), v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]
    plain = Subset(ImageFolder(folder, v2.Compose([case.theirs(case.size), *usual])), chosen.tolist())

    def ours() -> int:
        epoch = batches(part, batch_size=BATCH, seed=0, augment=case.ours, workers=WORKERS)
        return sum(batch.count for batch in epoch)

    def torchvision() -> int:
        return sum(len(labels) for _, labels in DataLoader(plain, BATCH, shuffle=True, num_workers=WORKERS))

    return len(chosen), {"torchvision": torchvision, "ours": ours}
