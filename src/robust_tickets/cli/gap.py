"""The command `tickets gap`: how far a target lies from a source's own data."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import (
    DataName,
    Override,
    PreprocessingOption,
    WeightsOption,
    data_settings,
    overrides,
    source_settings,
)
from robust_tickets.foundation.errors import UserError


def gap(
    data: DataName,
    source_data: Annotated[
        str, typer.Option("--source-data", help="The data the source was trained on, in the same form as --data.")
    ],
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="The network whose features are compared, as in draw.")
    ] = None,
    weights: WeightsOption = None,
    preprocessing: PreprocessingOption = None,
    inception: Annotated[
        Path | None, typer.Option(help="A file with torchvision's inception_v3 weights: compare its features instead.")
    ] = None,
    limit: Annotated[int, typer.Option(min=2, help="At most this many images or texts from each set.")] = 10_000,
    settings: Override = None,
) -> None:
    """Measure how far a target is from a source's data, in features."""
    unknown, parts = overrides(settings, ("source", "data"))
    if unknown:
        raise UserError(f"--set {next(iter(unknown[0]))}: no such part; known: source, data")
    if source is None and (weights is not None or preprocessing is not None or parts["source"]):
        raise UserError("--weights, --preprocessing and --set source.* belong to --source; give it too")
    network = source_settings(source, weights, preprocessing, parts["source"]) if source is not None else None
    target = data_settings(data, parts["data"])
    data_settings(source_data, [])
    if inception is not None and not inception.is_file():
        raise UserError(f"--inception: {inception}: no such file")
    from robust_tickets.verbs.gap import gap

    print(gap(network, source_data, target, inception=inception, limit=limit).sentence())
