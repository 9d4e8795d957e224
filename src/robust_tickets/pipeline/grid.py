"""The grid of a recipe: every ticket, and dense, transferred in every way to every target."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from robust_tickets.data.settings import DataSettings
from robust_tickets.models.sources import Source, load_source
from robust_tickets.pipeline.places import DATA, DRAW, CellPlace, ControlPlace, DensePlace, DrawnPlace
from robust_tickets.recipe import Recipe
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.draw import draw_all
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.pretrain import pretrain
from robust_tickets.verbs.transfer import Transfer, transfer
from robust_tickets.verbs.verify import Verdict, verify


@dataclass(frozen=True)
class Cell:
    """One ticket, or dense, transferred in one way to one target."""

    place: CellPlace
    data: DataSettings
    draw: DrawSettings
    result: Transfer
    dense: Transfer
    verdict: Verdict
    """On test data."""


class Grid:
    """The cells of a recipe in a run folder; sources and tickets are made when a cell first needs them."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        self.sources: dict[str, Source] = {}
        self.tickets: dict[tuple[str, str], tuple[Ticket, ...]] = {}

    @cached_property
    def places(self) -> list[CellPlace]:
        """Return every cell's place, in the order of filling.

        What the recipe names first comes first, of transfers and of targets alike, so that a grid that is not full
        has every way of training on its first target; sources are side by side, so that they can be compared.
        """
        recipe = self.recipe
        tickets: list[Callable[[str, str, str], CellPlace]] = [DensePlace]
        for way, settings in recipe.draws().items():
            for sparsity in settings.sparsities:
                tickets.append(partial(DrawnPlace, way=way, sparsity=sparsity))
                controls = recipe.controls if way == DRAW else ()
                tickets.extend(partial(ControlPlace, way=way, sparsity=sparsity, control=name) for name in controls)
        facets = [
            (one + other, name, target)
            for one, name in enumerate(recipe.transfers)
            for other, target in enumerate(recipe.data_sets())
        ]
        return [
            place(target, name, series)
            for _, name, target in sorted(facets, key=lambda facet: facet[0])
            for place in tickets
            for series, entry in recipe.sources.items()
            if entry.tickets or place is DensePlace
        ]

    def name_of(self, target: str) -> str:
        """Return a target's name for readers: its name in the recipe, or for the recipe's own its data set's."""
        return Path(self.recipe.data.name).name if target == DATA else target

    def source(self, series: str) -> Source:
        """Return a source, pretrained first if the recipe says so."""
        if series not in self.sources:
            entry = self.recipe.sources[series]
            if entry.pretrain is None:
                self.sources[series] = load_source(entry.source)
            else:
                data, training = entry.pretrain.data, entry.pretrain.training
                place = self.folder / "sources" / series
                made = pretrain(entry.source, data, training=training, seed=self.recipe.seed, folder=place)
                self.sources[series] = made
        return self.sources[series]

    def drawn(self, series: str, way: str) -> tuple[Ticket, ...]:
        """Return the tickets of one source drawn in one way, ascending in sparsity as the recipe asks for them."""
        if (series, way) not in self.tickets:
            settings, folder = self.recipe.draws(series)[way], self.folder / "tickets" / series / way
            self.tickets[series, way] = draw_all(
                self.source(series), settings=settings, seed=self.recipe.seed, folder=folder
            )
        return self.tickets[series, way]

    def fill(self, place: CellPlace) -> Cell:
        """Do, or resume, everything that one cell needs."""
        data, settings = self.recipe.data_sets()[place.target], self.recipe.trained(place.transfer, place.target)
        subject = place.ticket(self) or self.source(place.series)
        result = transfer(subject, data, settings=settings, folder=place.folder(self.folder))
        dense = result.dense(place.dense.folder(self.folder))
        verdict = verify(result, dense, settings=self.recipe.verify)
        return Cell(place, data, place.draw(self.recipe), result, dense, verdict)

    def is_filled(self, place: CellPlace) -> bool:
        """Say whether a cell's runs are all finished, so that resuming it costs at most their measures."""
        seeds = self.recipe.transfers[place.transfer].seeds
        return all((place.folder(self.folder) / f"seed-{seed}" / "result.json").exists() for seed in seeds)

    def cells(self, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> Iterator[Cell]:
        """Yield the cells in order; after this many seconds no new one is started, and only finished ones follow."""
        end = None if seconds is None else clock() + seconds
        for place in self.places:
            if end is None or clock() < end or self.is_filled(place):
                yield self.fill(place)
