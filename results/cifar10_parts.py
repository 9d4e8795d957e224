"""Divide CIFAR-10's test images: the first 2,000 choose among tickets, the other 8,000 confirm the choice.

    python results/cifar10_parts.py --data DATA     # reads DATA/cifar10, writes DATA/cifar10-parts

A published network knows the training images, so that none of them can choose.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

CHOOSING = 2000


def main() -> None:
    """Write the folder: the training files as they are, and two parts of the test file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that contains cifar10/")
    data: Path = parser.parse_args().data
    source, folder = data / "cifar10", data / "cifar10-parts"
    folder.mkdir(exist_ok=True)
    for path in sorted(source.glob("cifar10_train_*.npz")):
        shutil.copy(path, folder / path.name)
    with np.load(source / "cifar10_test.npz", allow_pickle=False) as archive:
        images, offsets, labels = (archive[key] for key in ("webp", "offset", "label"))
    for part, chosen in (("val", slice(0, CHOOSING)), ("test", slice(CHOOSING, len(labels)))):
        first, last = offsets[chosen.start], offsets[chosen.stop]
        own = offsets[chosen.start : chosen.stop + 1] - first
        np.savez(folder / f"cifar10_{part}.npz", webp=images[first:last], offset=own, label=labels[chosen])
        print(f"{folder / f'cifar10_{part}.npz'}: {len(labels[chosen]):,} images")


if __name__ == "__main__":
    main()
