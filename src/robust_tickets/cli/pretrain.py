"""`tickets pretrain`: a network and data in, a source out."""

from typing import Annotated

import typer

from robust_tickets.cli.options import (
    Out,
    Override,
    PreprocessingOption,
    Seed,
    data_settings,
    holds,
    overrides,
    source_settings,
)
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_apart


def pretrain(
    out: Out,
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="An architecture, as in draw; replaces the recipe's.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="Data to train on, as in transfer; replaces the recipe's."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", "-r", help="RECIPE:SOURCE, such as sources:fgsm-rs; --set changes it.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="The weights to start from, as in draw; default: random.")] = None,
    preprocessing: PreprocessingOption = None,
    settings: Override = None,
    seed: Seed = 0,
) -> None:
    """Make a source: train a network, natural or robust.

    Robust with --set objective=pgd, fgsm-rs, free, trades or smoothing, or from a recipe: -r sources:pgd-linf. Of
    images without labels with --set objective=simclr, moco or dino.
    """
    require_apart(out, data)
    from robust_tickets.foundation.settings import changed
    from robust_tickets.recipe import load_pretraining
    from robust_tickets.training.settings import Training

    values, parts = overrides(settings, ("source", "data"))
    network, pretraining = load_pretraining(recipe) if recipe is not None else (None, None)
    if source is not None:
        if weights is None and not holds(source, "source.json"):
            weights = "random"
        network = source_settings(source, weights, preprocessing, parts["source"])
    elif weights is not None or preprocessing is not None or parts["source"]:
        raise UserError("--weights, --preprocessing and --set source belong to --source; give it too")
    images = data_settings(data, parts["data"]) if data is not None else pretraining and pretraining.data
    if network is None or images is None:
        raise UserError("give --source and --data, or --recipe RECIPE:SOURCE, such as sources:fgsm-rs")
    training = changed(pretraining.training if pretraining is not None else Training(), *values)
    images = images if data is not None else changed(images, *parts["data"], where="data")
    from robust_tickets.verbs.pretrain import pretrain

    made = pretrain(network, images, training=training, seed=seed, folder=out)
    print(f"{out}: {made.identity.name}, {made.identity.weights}, {made.identity.digest}")
