"""Run: a whole recipe, from sources to the report; what is finished is not done again."""

from pathlib import Path

from robust_tickets.foundation.files import write_text
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.evaluation import require_attack
from robust_tickets.models.sources import Source, load_source
from robust_tickets.pipeline_summary import Cell, summarise
from robust_tickets.recipe import Recipe, dump_recipe
from robust_tickets.report.html import write_report
from robust_tickets.report.summary import Summary, TicketKind, save_summary
from robust_tickets.shrinking.shrink import ShrinkReport
from robust_tickets.ticket import Ticket
from robust_tickets.verbs.controls import control
from robust_tickets.verbs.draw import check_draw, draw_all, label
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.pretrain import pretrain
from robust_tickets.verbs.shrink import shrink
from robust_tickets.verbs.target import fit_head, target_data
from robust_tickets.verbs.transfer import transfer
from robust_tickets.verbs.verify import verify


def run(recipe: Recipe, folder: Path | str, *, command: str = "") -> Summary:
    """Do everything a recipe says, inside `folder`, and write `report.html`.

    Args:
        recipe: what to do.
        folder: the run folder; a second call with the same recipe goes on where the first was cut off.
        command: the command that makes this run again, for the report.

    Raises:
        UserError: the folder holds another recipe's run, or anything that the steps refuse.
    """
    folder = Path(folder)
    step = Step(folder, {"verb": "run", "recipe": recipe.model_dump(mode="json")})
    if step.result is None:
        rehearse(recipe)
    with step.claim():
        write_text(folder / "recipe.yaml", dump_recipe(recipe))
        sources = {name: make_source(recipe, name, folder) for name in recipe.sources}
        cells = [cell for name, source in sources.items() for cell in grid(recipe, name, source, folder)]
        exports = shrink_best(recipe, cells, folder) if recipe.shrink is not None else []
        summary = summarise(recipe, sources, cells, exports, command)
        save_summary(summary, folder / "summary.json")
        write_report(summary, folder)
        step.finish({"report": "report.html"})
    return summary


def rehearse(recipe: Recipe) -> None:
    """Find now what the steps of a recipe would refuse later, after hours of training.

    Raises:
        UserError: networks, data, heads or ways of drawing that do not fit each other.
    """
    if recipe.verify.robustness is not None:
        require_attack(recipe.verify.robustness)
    for entry in recipe.sources.values():
        source = load_source(entry.source)
        if entry.pretrain is not None:
            splits = target_data(entry.pretrain.data, source, recipe.seed)
            source.classifier.reset_head(len(splits.classes), seed=0)
        for settings in recipe.draws().values():
            check_draw(source, settings, recipe.seed)
        for settings in recipe.transfers.values():
            splits = target_data(recipe.data, source, settings.seeds[0])
            if settings.head == "keep":
                fit_head(source.classifier, splits, "keep", 0)


def make_source(recipe: Recipe, name: str, folder: Path) -> Source:
    """Load a source, pretraining it first where the recipe says so."""
    entry = recipe.sources[name]
    if entry.pretrain is None:
        return load_source(entry.source)
    place = folder / "sources" / name
    return pretrain(entry.source, entry.pretrain.data, training=entry.pretrain.training, seed=recipe.seed, folder=place)


def grid(recipe: Recipe, series: str, source: Source, folder: Path) -> list[Cell]:
    """Draw and transfer everything of one source, and decide what matches."""
    drawn: list[tuple[str, TicketKind, DrawSettings, Ticket]] = []
    for way, settings in recipe.draws().items():
        place = folder / "tickets" / series / way
        for ticket in draw_all(source, settings=settings, seed=recipe.seed, folder=place):
            drawn.append((way, "drawn", settings, ticket))
            for kind in recipe.controls if way == "draw" else ():
                drawn.append((way, kind, settings, control(kind, ticket, source, settings, recipe.seed)))
    cells = []
    for name, settings in recipe.transfers.items():
        place = folder / "transfers" / series / name
        dense = transfer(source, recipe.data, settings=settings, folder=place / "dense")
        verdict = verify(dense, dense, settings=recipe.verify)
        cells.append(Cell(series, "dense", "dense", recipe.draw, dense, dense, verdict))
        for way, kind, draw, ticket in drawn:
            at = place / way / f"{kind}-{label(ticket.target)}"
            result = transfer(ticket, recipe.data, settings=settings, folder=at)
            verdict = verify(result, dense, settings=recipe.verify)
            cells.append(Cell(series, way, kind, draw, result, dense, verdict))
    return cells


def shrink_best(recipe: Recipe, cells: list[Cell], folder: Path) -> list[tuple[Cell, ShrinkReport]]:
    """Export, for each way of drawing, the sparsest ticket that matches, or else the most accurate one.

    Both are decided on validation; on test where the data have no validation part, which the notes then say.
    """
    exports = []
    for way in recipe.draws():
        drawn = [cell for cell in cells if cell.way == way and cell.kind == "drawn"]
        verdicts = {
            id(cell): verify(cell.result, cell.dense, settings=recipe.verify, part=cell.selected_on) for cell in drawn
        }
        matching = [cell for cell in drawn if verdicts[id(cell)].matches]
        if matching:
            best = max(matching, key=lambda cell: cell.result.sparsity)
        else:
            best = max(drawn, key=lambda cell: verdicts[id(cell)].standard.ticket)
        out = folder / f"{way}.onnx"
        place = folder / "shrink" / way
        exports.append((best, shrink(best.result, out, dense=best.dense, settings=recipe.shrink, folder=place)))
    return exports
