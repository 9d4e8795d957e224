"""Other findings of a run, all in the same form: tables, charts and maps under a heading."""

import re
from collections import Counter
from collections.abc import Sequence

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Settings, later_field

Value = str | int | float | None
"""A cell: text as it is, numbers to four digits, None as a dash."""


class Table(Settings):
    """Rows under named columns."""

    title: str = Field(description="What it shows.")
    columns: tuple[str, ...] = Field(min_length=1, description="Headings, with units.")
    rows: tuple[tuple[Value, ...], ...] = Field(description="As many values per row as there are columns.")
    note: str = Field(default="", description="A sentence for below the table.")

    @model_validator(mode="after")
    def _is_rectangular(self) -> "Table":
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.title!r}: every row needs {len(self.columns)} values")
        return self


class Line(Settings):
    """One line of a chart."""

    name: str = Field(description="As in the legend.")
    x: tuple[float, ...] = Field(description="Ascending.")
    y: tuple[float, ...] = Field(description="One value for each x.")
    std: tuple[float, ...] | None = Field(default=None, description="Standard deviation of each y over seeds.")


class Chart(Settings):
    """Lines over one horizontal axis."""

    title: str = Field(description="What it shows.")
    x_label: str = Field(description="With unit.")
    y_label: str = Field(description="With unit.")
    lines: tuple[Line, ...] = Field(min_length=1, description="Colours distinguish at most six.")
    note: str = Field(default="", description="A sentence for below the chart.")


class Map(Settings):
    """A value over two axes: a similarity matrix, a loss landscape."""

    title: str = Field(description="What it shows.")
    x: tuple[float | str, ...] = Field(description="Places, or names, along the horizontal axis.")
    y: tuple[float | str, ...] = Field(description="Places, or names, along the vertical axis.")
    values: tuple[tuple[float, ...], ...] = Field(description="One row per y, with one value per x.")
    x_label: str = Field(default="", description="With unit.")
    y_label: str = Field(default="", description="With unit.")
    value_label: str = Field(description="What the colour means.")
    marks: tuple[tuple[float, float, str], ...] = Field(default=(), description="Named points, as (x, y, name).")
    note: str = Field(default="", description="A sentence for below the map.")


class Lane(Settings):
    """One way of drawing over its own time: the sparsity in force, and what happens."""

    name: str = Field(description="As beside the lane.")
    note: str = Field(default="", description="How long it is.")
    x: tuple[float, ...] = Field(description="Ascending shares of the time, in [0, 1].")
    y: tuple[float, ...] = Field(description="Sparsity in force from each x on, in [0, 1].")
    marks: tuple[tuple[float, str], ...] = Field(default=(), description="What happens, as (share, what).")
    is_learned: bool = Field(default=False, description="Whether masks are learned meanwhile.")
    is_open: bool = Field(
        default=False, description="Whether the sparsity at the end is a stand-in: nobody asks for it."
    )


class Lanes(Settings):
    """Several ways of drawing, one below the other, each over its own time."""

    title: str = Field(description="What it shows.")
    lanes: tuple[Lane, ...] = Field(min_length=1, description="From top to bottom.")
    note: str = Field(default="", description="A sentence for below the lanes.")


class Picture(Settings):
    """An image."""

    name: str = Field(description="As above it.")
    png: str = Field(description="The file, in base64.")


class Gallery(Settings):
    """Pictures side by side."""

    title: str = Field(description="What they show.")
    pictures: tuple[Picture, ...] = Field(min_length=1, description="From left to right, in rows of four.")
    note: str = Field(default="", description="A sentence for below the pictures.")


Drawn = Chart | Map | Lanes | Gallery
"""Everything that becomes a figure."""


class Section(Settings):
    """A heading, a text, and what belongs under it."""

    title: str
    text: str = Field(default="", description="What the reader should take away.")
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    maps: tuple[Map, ...] = ()
    lanes: tuple[Lanes, ...] = later_field(())
    galleries: tuple[Gallery, ...] = later_field(())
    is_verdict: bool = Field(
        default=False, description="Whether a run prints it in the terminal, too, and not only in its report."
    )

    @property
    def figures(self) -> tuple[Drawn, ...]:
        """Return everything that is drawn, in order."""
        return (*self.charts, *self.maps, *self.lanes, *self.galleries)


def figure_names(sections: Sequence[Section]) -> list[list[str]]:
    """Return a file name without suffix for everything that sections draw, no two of them alike."""
    seen: Counter[str] = Counter()
    names: list[list[str]] = []
    for section in sections:
        names.append([])
        for figure in section.figures:
            name = re.sub(r"[^a-z0-9.]+", "-", f"{section.title} {figure.title}".lower()).strip("-.")
            seen[name] += 1
            names[-1].append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


MOST_LINES = 6
"""A chart tells no more lines apart."""


def first_lines(lines: Sequence[Line], noun: str) -> tuple[tuple[Line, ...], str]:
    """Return as many lines as a chart tells apart, and a note on those that are left out; `noun` is what lines are."""
    note = f"The first {MOST_LINES} of {len(lines)} {noun}." if len(lines) > MOST_LINES else ""
    return tuple(lines[:MOST_LINES]), note
