"""Trained networks for the rows of global magnitude: `python -m benchmarks.trained`.

Ranking all weights together takes away from layers what training left small there, so that random weights say nothing
of the speed of such a ticket. Give weights with `--source resnet18=FILE`; without them the networks are trained here,
briefly.
"""

import argparse
import os
from pathlib import Path

from benchmarks.inference.cases import NETWORKS
from benchmarks.inference.networks import TRAINED
from benchmarks.inference.team import ROOT
from benchmarks.scale import FULL
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.files import read_json, write_json
from robust_tickets.models.folders import save_source
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from robust_tickets.training.settings import Training
from robust_tickets.verbs.pretrain import pretrain

SIZE = 64
"""Height and width in pixels that small images are enlarged to for a short training."""


def folder_of(name: str) -> Path:
    """Return where the full benchmark looks for a trained network."""
    assert FULL.inference.trained is not None
    return ROOT / FULL.inference.trained / name


def given(name: str, weights: str, folder: Path, like: str | None = None) -> None:
    """Keep a network whose weights someone else trained.

    Args:
        name: `resnet18` or `resnet50`.
        weights: a file of weights, as a source takes it.
        folder: where it is kept.
        like: the architecture; torchvision's of that name if not given.
    """
    source = load_source(SourceSettings(name=like or f"torchvision/{name}", weights=weights))
    save_source(source.network, source.identity, folder)
    write_json(folder / TRAINED, {"told": f"weights of {Path(weights).name}", "digest": source.identity.digest})


def train(
    name: str, data: DataSettings, epochs: float, folder: Path, like: str | None = None, size: int = SIZE
) -> None:
    """Train a network from random weights with the product's own loop and keep it; begun work goes on.

    Args:
        name: `resnet18` or `resnet50`.
        data: what it is trained on.
        epochs: passes over the data.
        folder: where it is kept.
        like: the architecture; torchvision's of that name if not given.
        size: height and width of its images, pixels.
    """
    settings = {"name": like or f"torchvision/{name}", "weights": "random", "preprocessing": {"size": (size, size)}}
    # Enough of a schedule for few steps: a warm-up, then down to 0.
    training = Training(epochs=epochs, warmup=epochs / 10, keep="last")
    source = pretrain(SourceSettings.model_validate(settings), data, training=training, folder=folder)
    result = read_json(folder / "result.json")
    told = (
        f"trained for {result['steps']} steps only, on {Path(data.name).name} at {size} x {size} pixels "
        f"(validation accuracy {result['validation']:.0%})"
    )
    write_json(folder / TRAINED, {"told": told, "digest": source.identity.digest, "epochs": epochs})


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trained", description=__doc__)
    parser.add_argument("--source", nargs="+", default=[], metavar="NETWORK=FILE", help="weights to use")
    parser.add_argument("--data", help="data to train on; default: cifar10 in the folder ROBUST_TICKETS_DATA")
    parser.add_argument("--epochs", type=float, default=2.0, help="passes over the data (default: 2)")
    parser.add_argument("--only", choices=NETWORKS, nargs="+", default=NETWORKS, help="networks (default: all)")
    arguments = parser.parse_args()
    sources = dict(pair.split("=", 1) for pair in arguments.source)
    if unknown := sources.keys() - set(NETWORKS):
        parser.error(f"--source: no network {', '.join(sorted(unknown))}; known: {', '.join(NETWORKS)}")
    root = os.environ.get("ROBUST_TICKETS_DATA")
    if sources.keys() != set(arguments.only) and arguments.data is None and root is None:
        parser.error("set ROBUST_TICKETS_DATA to a folder with cifar10, or give --data, or weights with --source")
    for name in arguments.only:
        if name in sources:
            given(name, sources[name], folder_of(name))
        else:
            data = DataSettings(name=arguments.data or str(Path(root or "", "cifar10")), size=(SIZE, SIZE))
            train(name, data, arguments.epochs, folder_of(name))


if __name__ == "__main__":
    main()
