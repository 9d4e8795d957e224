"""`tickets draw`: a source in, a ticket out."""

from typing import Annotated

import typer

from robust_tickets.cli.options import (
    Out,
    Override,
    PreprocessingOption,
    Seed,
    SourceName,
    WeightsOption,
    data_settings,
    given,
    overrides,
    percent,
    source_settings,
)
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_apart


def draw(
    source: SourceName,
    out: Out,
    sparsity: Annotated[
        float | None, typer.Option(help="Fraction of prunable weights removed, in [0, 1); default: 0.9.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="element, row, kernel, filter, block, n-m, channel, neuron, head or several.")
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            help="magnitude, random, random-within-layer, learned, or zeros (removes weights that are already zero)."
        ),
    ] = None,
    weights: WeightsOption = None,
    preprocessing: PreprocessingOption = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="Data to train on, if the draw trains.")] = None,
    recalibrate: Annotated[
        str | None,
        typer.Option(help="Data for computing batch-norm statistics, so that the ticket can be used untrained."),
    ] = None,
    settings: Override = None,
    seed: Seed = 0,
) -> None:
    """Draw a ticket; by default one-shot global magnitude at 90 %."""
    for read in (data, recalibrate):
        require_apart(out, read)
    from robust_tickets.foundation.settings import changed
    from robust_tickets.verbs.draw_settings import DrawSettings

    values, parts = overrides(settings, ("source", "data"))
    if parts["data"] and data is None:
        raise UserError("--set data: no data are given to change; give --data")
    options = given(sparsity=sparsity, group=group, score=score)
    if recalibrate is not None:
        options["recalibrate"] = {"name": recalibrate}
    chosen = changed(DrawSettings(), options, *values)
    network = source_settings(source, weights, preprocessing, parts["source"])
    images = data_settings(data, parts["data"]) if data is not None else None
    from robust_tickets.verbs.draw import draw

    ticket = draw(network, settings=chosen, data=images, seed=seed, folder=out)
    for line in ticket.description:
        print(line)
    layers = f"of the weights in {len(ticket.prunable)} layers removed"
    target, removed = percent(ticket.target), percent(ticket.sparsity)
    asked = f" (asked for: {target} of the groups)" if target != removed else ""
    print(f"{out}: {removed} {layers}{asked}; ticket {ticket.digest}")
