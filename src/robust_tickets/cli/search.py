"""`tickets search`: a smaller network and its ticket out of one training."""

import shlex
import sys
from typing import Annotated

import typer

from robust_tickets.cli.options import (
    DataName,
    Out,
    PreprocessingOption,
    Seed,
    SourceName,
    WeightsOption,
    data_settings,
    given,
    overrides,
    source_settings,
)
from robust_tickets.foundation.ownership import require_apart


def search(
    source: SourceName,
    data: DataName,
    out: Out,
    sparsity: Annotated[
        float | None,
        typer.Option(help="Fraction of prunable weights removed in the end, in [0, 1); default: 0.8."),
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(help="Epochs of training; default: 30, or more where these are fewer than 1,000 steps."),
    ] = None,
    weights: WeightsOption = None,
    preprocessing: PreprocessingOption = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="pull, penalty, training.*, shrink.* and others; data.* or source.*=value."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Find a smaller network and its ticket in one training."""
    require_apart(out, data)
    from robust_tickets.foundation.settings import changed
    from robust_tickets.models.names import require_for_images
    from robust_tickets.verbs.search_settings import SearchSettings

    values, parts = overrides(settings, ("source", "data"))
    chosen = changed(SearchSettings(), given(sparsity=sparsity, epochs=epochs), *values)
    network = source_settings(source, weights, preprocessing, parts["source"])
    require_for_images(network.name)
    images = data_settings(data, parts["data"])
    from robust_tickets.findings.searched_network import further, searched_summary
    from robust_tickets.report.html import write_report
    from robust_tickets.verbs.search import NETWORK, TICKET, search

    found = search(network, images, settings=chosen, seed=seed, folder=out)
    command = shlex.join(["tickets", *sys.argv[1:]])
    page = write_report(searched_summary(found, command), out)
    for sentence in found.sentences():
        print(sentence)
    for line in further(found):
        print(line)
    print(f"{out / NETWORK}: the smaller network, which rt.load opens; {out / TICKET}: its ticket")
    print(f"report: {page}")
