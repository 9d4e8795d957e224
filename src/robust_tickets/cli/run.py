"""`tickets run`: a whole recipe; `tickets study`: one that compares; `tickets demo`: the one on built-in data."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from robust_tickets.cli.options import Override, PreprocessingOption, WeightsOption, ours_or_free, source_values
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_apart

RecipeName = Annotated[str, typer.Argument(help="A YAML file, or a recipe that ships with the package.")]
RunPlace = Annotated[
    Path, typer.Option("--out", "-o", help="Run folder; rerun the same command to resume.", callback=ours_or_free)
]
Minutes = Annotated[
    float | None,
    typer.Option(min=0, help="Start nothing new after this many minutes; rerun the same command to resume."),
]


def run(
    recipe: RecipeName = "default",
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="Network; replaces the recipe's sources.")
    ] = None,
    weights: WeightsOption = None,
    preprocessing: PreprocessingOption = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="Target; replaces the recipe's.")] = None,
    sparsity: Annotated[float | None, typer.Option(help="Replaces the recipe's draw.sparsity.")] = None,
    out: RunPlace = Path("runs/run"),
    minutes: Minutes = None,
    settings: Override = None,
) -> None:
    """Do everything: draw, transfer, verify, shrink, report."""
    require_apart(out, data)
    from robust_tickets.recipe import load_recipe

    values: dict[str, Any] = {}
    if source is not None:
        name = Path(source).name.split(":")[-1]
        values["sources"] = {name: {"source": source_values(source, weights, preprocessing)}}
    elif weights is not None or preprocessing is not None:
        raise UserError("--weights and --preprocessing belong to --source; give it too")
    if data is not None:
        values["data"] = {"name": data}
    if sparsity is not None:
        values["draw"] = {"sparsity": sparsity}
    finish(load_recipe(recipe, settings or (), values), out, minutes)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder.", callback=ours_or_free)] = Path("runs/demo"),
    settings: Override = None,
) -> None:
    """Run on built-in data: letters to handwritten digits."""
    from robust_tickets.recipe import load_recipe

    finish(load_recipe("demo", settings or ()), out)


def study(
    recipe: RecipeName = "study",
    out: RunPlace = Path("runs/study"),
    minutes: Minutes = None,
    settings: Override = None,
) -> None:
    """Compare ways of drawing over several targets."""
    from robust_tickets.recipe import load_recipe

    read = load_recipe(recipe, settings or ())
    if not read.variants:
        raise UserError(f"{recipe}: a study compares ways of drawing; name some under `variants`")
    finish(read, out, minutes)


def finish(recipe: Any, out: Path, minutes: float | None = None) -> None:
    """Do a run and show its tables and the path of its report."""
    from robust_tickets.data.names import require_data
    from robust_tickets.models.names import require_network, require_weights

    for entry in recipe.sources.values():
        require_network(entry.source.name)
        require_weights(entry.source.weights, entry.source.name)
    for images in recipe.all_data():
        require_data(images.name)
    from robust_tickets.pipeline.run import run
    from robust_tickets.report.terminal import show

    show(run(recipe, out, command=shlex.join(["tickets", *sys.argv[1:]]), minutes=minutes), out)
