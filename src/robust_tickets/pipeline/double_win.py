"""Which tickets of a run are double-win, where each is transferred standardly and adversarially."""

from collections.abc import Sequence
from dataclasses import replace

from robust_tickets.pipeline.grid import Cell
from robust_tickets.recipe import Recipe
from robust_tickets.report.notation import signed_points, sparsity_percent
from robust_tickets.report.sections import Section, Table
from robust_tickets.verbs.double_win import DoubleWinVerdict, Pair, verify_double_win

TEXT = (
    "A ticket is double-win if it matches dense in accuracy (SA) after standard and after adversarial transfer, and in "
    "accuracy under {attack} (RA) after adversarial transfer; after standard transfer only where dense keeps more than "
    "the margin of {margin:g} points there."
)
NOTE = (
    "Ticket minus dense in points of test accuracy, means over seeds; in brackets what is not required. To select a "
    "sparsity, tickets find --criterion double-win looks at validation data."
)
SAID = {"matches": "double win", "does not match": "no double win", "cannot tell": "cannot tell"}


def double_win_section(recipe: Recipe, cells: Sequence[Cell]) -> list[Section]:
    """Return a verdict on every drawn ticket; nothing where the recipe has no pair of transfers, or no attack.

    A standard and an adversarial transfer are a pair if they train the same part of the network (`mode`).
    """
    if recipe.verify.robustness is None:
        return []
    drawn = {cell.place: cell for cell in cells if cell.place.is_drawn}
    adversarial = [name for name, way in recipe.transfers.items() if way.training.objective.is_adversarial]
    tables: list[Table] = []
    judged: list[DoubleWinVerdict] = []
    for second in adversarial:
        mode = recipe.transfers[second].mode
        for first in (n for n, way in recipe.transfers.items() if n not in adversarial and way.mode == mode):
            for target in recipe.data_sets():
                rows = []
                for place, cell in drawn.items():
                    other = drawn.get(replace(place, transfer=second))
                    if (place.transfer, place.target) != (first, target) or other is None:
                        continue
                    verdict = verify_double_win(pair(cell), pair(other), settings=recipe.verify)
                    judged.append(verdict)
                    sparsity = sparsity_percent(verdict.sparsity)
                    rows.append((place.series, place.way, sparsity, *told(verdict), SAID[verdict.joint.verdict]))
                if rows:
                    columns = ("source", "drawing", "sparsity (%)", *judged[-1].joint.decisions(), "verdict")
                    title = f"{target}: {first} and {second} transfer"
                    tables.append(Table(title=title, columns=columns, rows=tuple(rows), note=NOTE))
    if not judged:
        return []
    margin = 100 * recipe.verify.margin
    won = [verdict.sparsity for verdict in judged if verdict.matches]
    outcome = f"{len(won)} of {len(judged)} demonstrably are, up to {sparsity_percent(max(won, default=0))} % sparsity."
    text = TEXT.format(attack=recipe.verify.robustness.describe(), margin=margin)
    text += f" {outcome}" if won else f" None of {len(judged)} demonstrably is."
    return [Section(title="Double win", text=text, tables=tuple(tables), is_verdict=True)]


def pair(cell: Cell) -> Pair:
    """Return the ticket's transfer beside dense's."""
    return cell.result, cell.dense


def told(verdict: DoubleWinVerdict) -> list[str]:
    """Return the four differences, in points."""
    required = verdict.joint.required()
    points = {name: signed_points(one.difference) for name, one in verdict.joint.decisions().items() if one is not None}
    return [text if name in required else f"({text})" for name, text in points.items()]
