"""Run: a whole recipe, from sources to the report; finished work is not repeated."""

from pathlib import Path

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_text
from robust_tickets.foundation.ownership import require_apart
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.figure import require_margin
from robust_tickets.models.sources import load_source
from robust_tickets.pipeline.exports import shrink_best
from robust_tickets.pipeline.grid import Grid
from robust_tickets.pipeline.measured import measured_files
from robust_tickets.pipeline.places import DATA
from robust_tickets.pipeline.summary import summarise
from robust_tickets.recipe import Recipe, dump_recipe
from robust_tickets.report.html import write_report
from robust_tickets.report.summary import Summary, save_summary
from robust_tickets.shrinking.forms import ONNX
from robust_tickets.tasks.kinds import task_for
from robust_tickets.verbs.analyse import require_analysable
from robust_tickets.verbs.controls import require_control
from robust_tickets.verbs.draw import rehearse_draw
from robust_tickets.verbs.measure import part_of
from robust_tickets.verbs.pretrain import rehearse_pretrain
from robust_tickets.verbs.shrink import require_shrinkable
from robust_tickets.verbs.stability import require_unstable
from robust_tickets.verbs.succession import require_rounds
from robust_tickets.verbs.transfer import rehearse_transfer, require_named_statistics


def run(recipe: Recipe, folder: Path | str, *, command: str = "", minutes: float | None = None) -> Summary:
    """Do everything a recipe says, inside `folder`, and write `report.html`.

    Args:
        recipe: what to do.
        folder: the run folder; a second call resumes. A recipe that has grown in the meantime (targets, sparsities,
            seeds, measures) keeps what is done; if finished parts would now come out differently, they refuse it.
        command: the command that repeats this run, for the report.
        minutes: start no new cell of the grid after this long; cells that are empty then are reported as not filled.

    Raises:
        UserError: the folder contains other work, no cell could be filled in time, or anything that the steps refuse.
    """
    folder = Path(folder)
    for data in recipe.all_data():
        require_apart(folder, data)
    step = Step(folder, {"verb": "run"})
    if step.result is None or step.result["recipe"] != recipe.model_dump(mode="json"):
        rehearse(recipe)
    with step.claim():
        if not (folder / "recipe.yaml").exists():
            write_text(folder / "recipe.yaml", dump_recipe(recipe))
        grid = Grid(recipe, folder)
        cells = list(grid.cells(None if minutes is None else 60 * minutes))
        # A recipe that its finished parts refuse never gets here, and leaves that of the run in place.
        write_text(folder / "recipe.yaml", dump_recipe(recipe))
        if not cells:
            raise UserError(
                f"{folder}: no cell was filled in {minutes:g} minutes; allow more, or rerun the same command"
            )
        is_whole = len(cells) == len(grid.places)
        exports = shrink_best(recipe, cells, folder) if recipe.shrink is not None and is_whole else []
        files = measured_files(recipe, exports)
        summary = summarise(recipe, grid, cells, exports, files, command)
        save_summary(summary, folder / "summary.json")
        write_report(summary, folder)
        if is_whole:
            step.finish({"report": "report.html", "recipe": recipe.model_dump(mode="json")})
    return summary


def rehearse(recipe: Recipe) -> None:
    """Find now what the steps of a recipe would otherwise refuse later, after hours of training.

    Raises:
        UserError: networks, data, heads or ways of drawing that do not fit each other.
    """
    recipe.verify.require()
    if recipe.analyse is not None and recipe.analyse.instability is not None:
        require_unstable(recipe.transfers)
    if recipe.analyse is not None and recipe.analyse.rounds is not None:
        require_rounds(recipe.draws(), recipe.transfers)
    for name, entry in recipe.sources.items():
        source = load_source(entry.source)
        if entry.pretrain is not None:
            source = rehearse_pretrain(source, entry.pretrain, recipe.seed)
        for settings in recipe.draws(name).values() if entry.tickets else ():
            rehearse_draw(source, settings, recipe.seed)
            for way in recipe.transfers.values() if settings.recalibrate is not None else ():
                require_named_statistics(way)
        for kind in recipe.controls if entry.tickets else ():
            require_control(kind, recipe.draws(name)["draw"])
        for trained in recipe.transfers:
            for target, data in recipe.data_sets().items():
                settings = recipe.trained(trained, target)
                network, splits = rehearse_transfer(source, data, settings)
                part_of(splits, "test")
                classes = source.network.num_classes if settings.head == "keep" else None
                task, verify = task_for(splits, settings.task, settings.training.objective), recipe.verify
                require_margin(task.metric(splits.classes), verify.margin)
                task.require_measures(splits, verify.robustness, verify.measures, classes)
                if recipe.shrink is not None and target == DATA:
                    require_shrinkable(recipe.shrink, ONNX, network, splits)
                if recipe.analyse is not None and target == DATA:
                    require_analysable(task, splits, recipe.analyse)
