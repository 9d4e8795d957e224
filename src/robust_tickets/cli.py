"""The command line: thin over the public API.

A user's mistake is one line on standard error and exit code 2; nothing heavier than typer is imported before a
command runs.
"""

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robust_tickets.foundation.errors import UserError

if TYPE_CHECKING:
    from robust_tickets.report.summary import Summary

app = typer.Typer(
    name="tickets",
    help="Draw the smallest subnetwork of a pretrained network that still matches it on your data, prove it, ship it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

SourceName = Annotated[
    str,
    typer.Option(
        "--source",
        "-s",
        help="timm/resnet18, torchvision/resnet50, cifar/resnet20, module:function, or a folder.",
    ),
]
Weights = Annotated[str, typer.Option(help="default (the library's), a tag, a file, or random.")]
Normalisation = Annotated[
    str | None,
    typer.Option("--preprocessing", help="What differs, as YAML: '{mean: [0.5], std: [0.5], size: [32, 32]}'."),
]
DataName = Annotated[
    str, typer.Option("--data", "-d", help="A folder of images, .npz, torchvision/NAME, glyphs or digits.")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Where the result is kept; the same command goes on there.")]
Override = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of this step, key=value; may be repeated.")
]
Seed = Annotated[int, typer.Option(help="Seed.")]


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("robust_tickets").setLevel(logging.INFO)
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None


def overrides(settings: list[str] | None) -> dict[str, Any]:
    """Return `--set` options as nested values."""
    from robust_tickets.recipe import parse_override
    from robust_tickets.verbs.target import merged

    values: dict[str, Any] = {}
    for text in settings or []:
        values = merged(values, parse_override(text))
    return values


def source_values(name: str, weights: str, preprocessing: str | None) -> dict[str, Any]:
    """Return source settings as plain values."""
    import yaml

    values: dict[str, Any] = {"name": name, "weights": weights}
    if preprocessing is not None:
        try:
            values["preprocessing"] = yaml.safe_load(preprocessing)
        except yaml.YAMLError as error:
            raise UserError(f"--preprocessing: is not YAML ({error})") from None
    return values


def source_settings(name: str, weights: str, preprocessing: str | None) -> Any:
    """Return validated source settings."""
    from robust_tickets.foundation.settings import parse
    from robust_tickets.models.sources import SourceSettings

    return parse(SourceSettings, source_values(name, weights, preprocessing), "source")


def data_settings(name: str, values: dict[str, Any]) -> Any:
    """Return validated data settings; `values` are those given as --set data.key=value."""
    from robust_tickets.data import DataSettings
    from robust_tickets.foundation.settings import parse

    return parse(DataSettings, {"name": name, **values}, "data")


@app.command()
def pretrain(
    source: SourceName,
    data: DataName,
    out: Out,
    weights: Weights = "random",
    preprocessing: Normalisation = None,
    settings: Override = None,
    seed: Seed = 0,
) -> None:
    """Make a source: train a whole network, natural or robust (--set objective=pgd)."""
    from robust_tickets.models.sources import load_source
    from robust_tickets.verbs.pretrain import pretrain

    values = overrides(settings)
    target = data_settings(data, values.pop("data", {}))
    made = pretrain(
        load_source(source_settings(source, weights, preprocessing)), target, seed=seed, folder=out, **values
    )
    print(f"{made.identity.name}: {made.identity.weights}\n{out}: {made.identity.digest}")


@app.command()
def draw(
    source: SourceName,
    out: Out,
    sparsity: Annotated[float | None, typer.Option(help="Fraction of prunable weights removed, in [0, 1).")] = None,
    group: Annotated[
        str | None, typer.Option(help="element, row, kernel, filter, block, n-m, channel or neuron.")
    ] = None,
    weights: Weights = "default",
    preprocessing: Normalisation = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="What the draw trains on, where it trains.")] = None,
    settings: Override = None,
    seed: Seed = 0,
) -> None:
    """Draw a ticket from a source; one-shot global magnitude unless told otherwise."""
    from robust_tickets.verbs.draw import draw

    values = overrides(settings)
    values |= {key: value for key, value in {"sparsity": sparsity, "group": group}.items() if value is not None}
    inner = values.pop("data", {})
    target = data_settings(data, inner) if data is not None else None
    ticket = draw(source_settings(source, weights, preprocessing), data=target, seed=seed, folder=out, **values)
    print(f"{out}: {ticket.sparsity:.2%} of {len(ticket.prunable)} weight tensors removed, digest {ticket.digest}")


@app.command()
def transfer(
    subject: Annotated[str, typer.Argument(help="A ticket's folder, or a source to be transferred dense.")],
    data: DataName,
    out: Out,
    mode: Annotated[str, typer.Option(help="full or linear.")] = "full",
    settings: Override = None,
) -> None:
    """Train a ticket on your data, once for each seed."""
    from robust_tickets.verbs.transfer import transfer

    values = overrides(settings)
    target = data_settings(data, values.pop("data", {}))
    result = transfer(subject, target, folder=out, mode=mode, **values)
    for run in result.runs:
        score = f"{run.validation:.2%} on validation" if run.validation is not None else "no validation part"
        print(f"{run.folder}: {score}")


@app.command()
def verify(
    runs: Annotated[Path, typer.Argument(help="The folder of a transfer.")],
    settings: Override = None,
) -> None:
    """Measure a transfer on test data and decide whether it matches dense."""
    from robust_tickets.foundation.files import write_json
    from robust_tickets.verbs.transfer import load_transfer
    from robust_tickets.verbs.verify import verify

    verdict = verify(load_transfer(runs), **overrides(settings))
    write_json(runs / "verdict.json", verdict.model_dump(mode="json"))
    print(verdict.sentence())


@app.command()
def find(
    source: SourceName,
    data: DataName,
    out: Out,
    weights: Weights = "default",
    preprocessing: Normalisation = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="find.*, draw.*, transfer.*, verify.* or data.* = value."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Search for the sparsest ticket that matches dense on validation, and confirm it once on test."""
    from robust_tickets.verbs.draw import DrawSettings
    from robust_tickets.verbs.find import find
    from robust_tickets.verbs.target import changed
    from robust_tickets.verbs.transfer import TransferSettings
    from robust_tickets.verbs.verify import VerifySettings

    values = overrides(settings)
    known = {"find", "draw", "transfer", "verify", "data"}
    if unknown := set(values) - known:
        raise UserError(f"--set {sorted(unknown)[0]}: no such step; known: {', '.join(sorted(known))}")
    found = find(
        source_settings(source, weights, preprocessing),
        data_settings(data, values.get("data", {})),
        draw=changed(DrawSettings(), values.get("draw", {})),
        transfer_settings=changed(TransferSettings(), values.get("transfer", {})),
        verify_settings=changed(VerifySettings(), values.get("verify", {})),
        seed=seed,
        folder=out,
        **values.get("find", {}),
    )
    for verdict in found.tried:
        print(f"validation: {verdict.sentence()}")
    print(found.sentence())


@app.command()
def shrink(
    runs: Annotated[Path, typer.Argument(help="The folder of a transfer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The ONNX file to write.")],
    settings: Override = None,
) -> None:
    """Remove zero channels, export to ONNX, and time it beside dense."""
    from robust_tickets.verbs.shrink import shrink
    from robust_tickets.verbs.transfer import load_transfer

    report = shrink(load_transfer(runs), out, folder=runs / "shrink", **overrides(settings))
    print(f"{out}: {report.sentence}")


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or a recipe that ships with the package.")] = "default",
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="Network, in place of the recipe's sources.")
    ] = None,
    weights: Weights = "default",
    preprocessing: Normalisation = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="Target, in place of the recipe's.")] = None,
    sparsity: Annotated[float | None, typer.Option(help="In place of the recipe's draw.sparsity.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder; the same command goes on there.")] = Path(
        "runs/run"
    ),
    settings: Override = None,
) -> None:
    """Do everything: draw, transfer, verify, shrink, report; as a recipe says."""
    from robust_tickets.recipe import load_recipe

    values: dict[str, Any] = {}
    if source is not None:
        name = Path(source).name.split(":")[-1]
        values["sources"] = {name: {"source": source_values(source, weights, preprocessing)}}
    if data is not None:
        values["data"] = {"name": data}
    if sparsity is not None:
        values["draw"] = {"sparsity": sparsity}
    finish(load_recipe(recipe, settings or (), values), out)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder.")] = Path("runs/demo"),
    settings: Override = None,
) -> None:
    """Run the main job on built-in data: letters to handwritten digits, natural against robust."""
    from robust_tickets.recipe import load_recipe

    finish(load_recipe("demo", settings or ()), out)


def finish(recipe: Any, out: Path) -> None:
    """Do a run and show its tables and the path of its report."""
    from robust_tickets.pipeline import run

    show(run(recipe, out, command="tickets " + " ".join(sys.argv[1:])), out)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A run folder.")],
) -> None:
    """Write the report of a finished run again and show its tables."""
    from robust_tickets.report.html import write_report
    from robust_tickets.report.summary import load_summary

    summary = load_summary(folder / "summary.json")
    write_report(summary, folder)
    show(summary, folder)


def show(summary: "Summary", folder: Path) -> None:
    """Print a summary's tables and the path of its report."""
    from rich.console import Console

    from robust_tickets.report.cells import accuracy_cells, shrink_cells, verdict_cells
    from robust_tickets.report.headline import headlines
    from robust_tickets.report.table import terminal_table

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(terminal_table(accuracy_cells(summary.rows)))
    if summary.verdicts:
        console.print(terminal_table(verdict_cells(summary.verdicts)))
    if summary.shrink:
        console.print(terminal_table(shrink_cells(summary.shrink)))
    for headline in headlines(summary):
        console.print(headline.claim, style="bold", markup=False, highlight=False, soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    import json

    from robust_tickets.recipe import Recipe

    print(json.dumps(Recipe.model_json_schema(), indent=2))


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A legacy checkpoint that is a pickle with code in it.")],
    out: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Take the tensors of a pickle that names code; nothing in it is run.")
    ] = False,
) -> None:
    """Turn a legacy pickle into safetensors; only on explicit consent, and without running what it names."""
    from robust_tickets.models.convert import convert

    print(convert(file, out, allow_pickle=allow_pickle))


@app.command()
def doctor() -> None:
    """Say what this machine offers: versions, devices, precision, extras, disk."""
    from robust_tickets.doctor import examine

    for name, value in examine():
        print(f"{name:<14} {value}")
