"""The command line: thin over the public API.

A user's mistake is one line on standard error and exit code 2; nothing heavier than typer is imported before a
command runs.
"""

import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from robust_tickets.cli_analyse import analyse
from robust_tickets.cli_gap import gap
from robust_tickets.cli_options import (
    PARTS,
    DataName,
    Normalisation,
    Out,
    Override,
    Seed,
    SourceName,
    SourcePlace,
    Weights,
    data_settings,
    given,
    overrides,
    percent,
    source_settings,
    source_values,
)
from robust_tickets.foundation.errors import UserError

app = typer.Typer(
    name="tickets",
    help="Draw the smallest subnetwork of a pretrained network that still matches it on your data, prove it, ship it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("robust_tickets").setLevel(logging.INFO)
    yield_when_busy()
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None


def yield_when_busy() -> None:
    """On a machine with more to do than cores, let waiting threads sleep instead of spin.

    OpenMP's threads spin while they wait for each other, which made small steps up to 25 times slower where
    another program held a core; sleeping costs a few per cent where none does. The variable has to be set before
    torch is loaded, and never changes a result.
    """
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1):
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@app.command()
def pretrain(
    out: Out,
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="An architecture, as in draw; in place of the recipe's.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="What it is trained on, as in transfer; in place of the recipe's."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", "-r", help="RECIPE:SOURCE, as in sources:fgsm-rs; --set changes it.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="What it starts from, as in draw; random without this.")] = None,
    preprocessing: Normalisation = None,
    settings: Override = None,
    seed: Seed = 0,
) -> None:
    """Make a source: train a network, natural or robust.

    Robust with --set objective=pgd, fgsm-rs, free, trades or smoothing, or as a recipe has it: -r sources:pgd-linf.
    """
    from robust_tickets.models.folders import is_saved
    from robust_tickets.recipe import load_pretraining
    from robust_tickets.training import Training
    from robust_tickets.verbs.pretrain import pretrain
    from robust_tickets.verbs.target import changed

    values, parts = overrides(settings, ("source", "data"))
    network, pretraining = load_pretraining(recipe) if recipe is not None else (None, None)
    if source is not None:
        if weights is None and not is_saved(Path(source)):
            weights = "random"
        network = source_settings(source, weights, preprocessing, parts["source"])
    elif weights is not None or preprocessing is not None or parts["source"]:
        raise UserError("--weights, --preprocessing and --set source belong to --source; give it too")
    images = data_settings(data, parts["data"]) if data is not None else pretraining and pretraining.data
    if network is None or images is None:
        raise UserError("give --source and --data, or --recipe RECIPE:SOURCE, as in sources:fgsm-rs")
    made = pretrain(
        network,
        images if data is not None else changed(images, parts["data"], "data"),
        training=changed(pretraining.training if pretraining is not None else Training(), values),
        seed=seed,
        folder=out,
    )
    print(f"{out}: {made.identity.name}, {made.identity.weights}, {made.identity.digest}")


@app.command()
def draw(
    source: SourceName,
    out: Out,
    sparsity: Annotated[
        float | None, typer.Option(help="Fraction of prunable weights removed, in [0, 1); 0.9 without this.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="element, row, kernel, filter, block, n-m, channel or neuron.")
    ] = None,
    weights: Weights = None,
    preprocessing: Normalisation = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="What the draw trains on, where it trains.")] = None,
    settings: Override = None,
    seed: Seed = 0,
) -> None:
    """Draw a ticket: one-shot global magnitude at 90 %, or as you say."""
    from robust_tickets.verbs.draw import draw
    from robust_tickets.verbs.draw_settings import DrawSettings
    from robust_tickets.verbs.target import changed, merged

    values, parts = overrides(settings, ("source", "data"))
    if parts["data"] and data is None:
        raise UserError("--set data: there are no data to set; give --data")
    ticket = draw(
        source_settings(source, weights, preprocessing, parts["source"]),
        settings=changed(DrawSettings(), merged(given(sparsity=sparsity, group=group), values)),
        data=data_settings(data, parts["data"]) if data is not None else None,
        seed=seed,
        folder=out,
    )
    layers = f"of the weights in {len(ticket.prunable)} layers removed"
    print(f"{out}: {percent(ticket.sparsity)} {layers}; ticket {ticket.digest}")


@app.command()
def transfer(
    subject: Annotated[str, typer.Argument(help="A ticket's folder, or a source to be transferred dense.")],
    data: DataName,
    out: Out,
    mode: Annotated[str | None, typer.Option(help="full or linear; full without this.")] = None,
    source: SourcePlace = None,
    weights: Weights = None,
    preprocessing: Normalisation = None,
    settings: Override = None,
) -> None:
    """Train a ticket, or a dense network, on your data, once a seed."""
    from robust_tickets.ticket import is_ticket
    from robust_tickets.verbs.target import changed, merged
    from robust_tickets.verbs.transfer import TransferSettings, transfer

    values, parts = overrides(settings, ("source", "data"))
    whole: Any = subject
    if weights is not None or preprocessing is not None or parts["source"]:
        if is_ticket(subject):
            raise UserError(f"{subject}: a ticket brings its weights and preprocessing; leave them out")
        whole = source_settings(subject, weights, preprocessing, parts["source"])
    result = transfer(
        whole,
        data_settings(data, parts["data"]),
        settings=changed(TransferSettings(), merged(given(mode=mode), values)),
        source=source,
        folder=out,
    )
    for run in result.runs:
        score = f"{percent(run.validation)} on validation" if run.validation is not None else "no validation part"
        print(f"{run.folder}: {score}")


@app.command()
def verify(
    runs: Annotated[Path, typer.Argument(help="The folder of a transfer.")],
    source: SourcePlace = None,
    exported: Annotated[
        Path | None, typer.Option(help="The ONNX file that shrink made of these runs, measured beside them.")
    ] = None,
    settings: Override = None,
) -> None:
    """Measure on test data, once, and decide whether it matches dense."""
    from robust_tickets.foundation.files import write_json
    from robust_tickets.report.terminal import show_sections
    from robust_tickets.shrinking.artefact import load_artefact
    from robust_tickets.verbs.target import changed
    from robust_tickets.verbs.transfer import load_transfer
    from robust_tickets.verbs.verify import VerifySettings, verify

    chosen = changed(VerifySettings(), overrides(settings)[0])
    file = load_artefact(exported) if exported is not None else None
    verdict = verify(load_transfer(runs, source=source), settings=chosen, exported=file)
    write_json(runs / "verdict.json", verdict.model_dump(mode="json"))
    print(verdict.sentence())
    show_sections(verdict.sections())


@app.command()
def find(
    source: SourceName,
    data: DataName,
    out: Out,
    weights: Weights = None,
    preprocessing: Normalisation = None,
    criterion: Annotated[
        str | None,
        typer.Option(help="match; or double-win: after standard and adversarial transfer, in accuracy and robustness."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="find.*, draw.*, transfer.*, adversarial.*, verify.*, data.* or source.*=value."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Find the sparsest ticket that matches; confirm it once on test."""
    from robust_tickets.verbs.double_win import adversarial_counterpart
    from robust_tickets.verbs.draw_settings import DrawSettings
    from robust_tickets.verbs.find import FindSettings, find
    from robust_tickets.verbs.target import changed
    from robust_tickets.verbs.transfer import TransferSettings
    from robust_tickets.verbs.verify import VerifySettings

    unknown, parts = overrides(settings, tuple(PARTS))
    if unknown:
        raise UserError(f"--set {next(iter(unknown))}: no such step; known: {', '.join(PARTS)}")
    transfer_settings = changed(TransferSettings(), parts["transfer"], "transfer")
    verify_settings = changed(VerifySettings(), parts["verify"], "verify")
    adversarial = adversarial_counterpart(transfer_settings, verify_settings)
    found = find(
        source_settings(source, weights, preprocessing, parts["source"]),
        data_settings(data, parts["data"]),
        settings=changed(FindSettings(), {**given(criterion=criterion), **parts["find"]}, "find"),
        draw=changed(DrawSettings(), parts["draw"], "draw"),
        transfer_settings=transfer_settings,
        adversarial_settings=changed(adversarial, parts["adversarial"], "adversarial")
        if parts["adversarial"]
        else None,
        verify_settings=verify_settings,
        seed=seed,
        folder=out,
    )
    for verdict in found.tried:
        print(f"validation: {verdict.sentence()}")
    print(found.sentence())
    if found.result is not None:
        print(f"{found.result.folder}: the transfer found, for tickets shrink")
    if found.adversarial is not None:
        print(f"{found.adversarial.folder}: its adversarial transfer")


@app.command()
def shrink(
    runs: Annotated[Path, typer.Argument(help="The folder of a transfer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The ONNX file to write.")],
    source: SourcePlace = None,
    settings: Override = None,
) -> None:
    """Remove zero channels, export to ONNX, time it beside dense."""
    from robust_tickets.shrinking.settings import ShrinkSettings
    from robust_tickets.verbs.shrink import shrink
    from robust_tickets.verbs.target import changed
    from robust_tickets.verbs.transfer import load_transfer

    chosen = changed(ShrinkSettings(), overrides(settings)[0])
    report = shrink(load_transfer(runs, source=source), out, settings=chosen, folder=runs / "shrink")
    print(f"{out}: {report.sentence}")


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or a recipe that ships with the package.")] = "default",
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="Network, in place of the recipe's sources.")
    ] = None,
    weights: Weights = None,
    preprocessing: Normalisation = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="Target, in place of the recipe's.")] = None,
    sparsity: Annotated[float | None, typer.Option(help="In place of the recipe's draw.sparsity.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder; the same command goes on there.")] = Path(
        "runs/run"
    ),
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin nothing new after so long; the same command goes on.")
    ] = None,
    settings: Override = None,
) -> None:
    """Do everything: draw, transfer, verify, shrink, report."""
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
    if recipe == "default" and not {"sources", "data"} <= values.keys():
        raise UserError("give --source and --data, or a recipe that names both; tickets demo shows a run")
    finish(load_recipe(recipe, settings or (), values), out, minutes)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder.")] = Path("runs/demo"),
    settings: Override = None,
) -> None:
    """Run on built-in data: letters to handwritten digits."""
    from robust_tickets.recipe import load_recipe

    finish(load_recipe("demo", settings or ()), out)


def finish(recipe: Any, out: Path, minutes: float | None = None) -> None:
    """Do a run and show its tables and the path of its report."""
    from robust_tickets.pipeline import run
    from robust_tickets.report.terminal import show

    show(run(recipe, out, command=shlex.join(["tickets", *sys.argv[1:]]), minutes=minutes), out)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A run folder.")],
) -> None:
    """Show the tables of a finished run; write its page again."""
    from robust_tickets.report.html import write_report
    from robust_tickets.report.summary import load_summary
    from robust_tickets.report.terminal import show

    if not (folder / "summary.json").is_file():
        raise UserError(f"{folder}: holds no finished run (no summary.json in it); tickets run makes one")
    summary = load_summary(folder / "summary.json")
    write_report(summary, folder)
    show(summary, folder)


app.command()(analyse)
app.command()(gap)


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    import json

    from robust_tickets.recipe import recipe_schema

    print(json.dumps(recipe_schema(), indent=2))


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A legacy checkpoint that is a pickle with code in it.")],
    out: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Take the tensors of a pickle that names code; nothing in it is run.")
    ] = False,
) -> None:
    """Turn a legacy pickle into safetensors; nothing in it is run."""
    from robust_tickets.models.convert import convert

    made = convert(file, out, allow_pickle=allow_pickle)
    print(f"{out}: {made.tensors} tensors, {made.format}, {made.digest}")
    if made.ignored:
        print(f"not run: {', '.join(made.ignored)}")


@app.command()
def doctor() -> None:
    """Say what this machine offers."""
    from robust_tickets.doctor import examine

    for name, value in examine():
        print(f"{name:<14} {value}")
