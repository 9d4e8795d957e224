"""What happens when, from the source to the trained ticket: the timelines of a recipe in tables and lanes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.pruning.actions import Action
from robust_tickets.pruning.plans import Event, Plan
from robust_tickets.report.sections import Lane, Lanes, Section, Table, Value

MOST_ROWS = 16
"""More events of one kind in a row are told together."""

WIDTH = 48
"""Characters of a course that is written in one line."""

BARS = "·▁▂▃▄▅▆▇█"

TEXT = (
    "An epoch counts as {steps} steps where a timeline is written in steps. Sparsity is that of the masks in force; a "
    "higher bar is sparser."
)

NOTE = "A variant with the timeline of one above it is left out."


@dataclass(frozen=True)
class Course:
    """One way of drawing, from its first step to its ticket."""

    recipe: str
    """What the recipe is called."""
    way: str | None
    """Of the recipe's variants, which one; None: `draw` itself."""
    parts: str
    """The choice on every axis, in words."""
    plan: Plan
    steps_per_epoch: int
    targets: tuple[float | None, ...]
    """All sparsities asked for, the plan's own last; None: the weights say it."""
    learns: bool
    """Whether the draw learns masks while it trains."""
    is_open: bool
    """Whether weights or training decide the sparsity, so that the plan's is a stand-in."""
    before: str
    """What is trained before the draw begins."""
    after: str
    """What is trained from its tickets."""

    @property
    def name(self) -> str:
        """What readers call it."""
        return self.recipe if self.way is None else f"{self.recipe}: {self.way}"

    @property
    def epochs(self) -> float:
        """How long the draw trains."""
        return self.plan.steps / self.steps_per_epoch

    @property
    def finds(self) -> int:
        """How many tickets the plan gives."""
        return sum(event.ticket for event in self.plan.events)


def in_epochs(number: float) -> str:
    """Write a number of epochs: `1 epoch`, `0.5 epochs`."""
    return f"{number:g} epoch{'' if number == 1 else 's'}"


def course_sections(courses: Sequence[Course]) -> list[Section]:
    """Return what all courses are, then the events of each."""
    steps = courses[0].steps_per_epoch
    rows = tuple((one.name, one.parts, f"{one.epochs:.4g}", one.finds, strip(one)) for one in courses)
    overview = Table(
        title="Ways of drawing",
        columns=("drawing", "parts", "epochs", "tickets", "sparsity from start to end"),
        rows=rows,
    )
    drawn = unlike(courses)
    note = NOTE if len(drawn) < len(courses) else ""
    lanes = Lanes(title="Sparsity while a ticket is drawn", lanes=drawn, note=note)
    return [
        Section(title="Timelines", text=TEXT.format(steps=steps), tables=(overview,), lanes=(lanes,)),
        *map(section, courses),
    ]


def section(course: Course) -> Section:
    """Return the events of a course."""
    table = Table(
        title=f"Events of {course.name}",
        columns=("epoch", "what happens", "sparsity then (%)", "ticket"),
        rows=tuple(row for group in alike(course.plan.events) for row in rows_of(group, course)),
    )
    text = " ".join(sentence for sentence in (course.before, told_targets(course), course.after) if sentence)
    return Section(title=course.name, text=text, tables=(table,))


def told_targets(course: Course) -> str:
    """Say how the sparsities asked for other than the last are reached, or that none was asked for."""
    *others, last = course.targets
    if course.is_open:
        return (
            f"How sparse it becomes is not asked for: weights or training decide. "
            f"{sparsity_percent(course.plan.events[-1].sparsity)} % stands in for it."
        )
    if not others:
        return ""
    passed = {sparsity_percent(event.sparsity) for event in course.plan.events if event.ticket}
    lower = [sparsity_percent(other) for other in others if other is not None]
    named = ", ".join(f"{one} %" for one in lower)
    assert last is not None
    if passed >= set(lower):
        return f"{named} are tickets on the way to {sparsity_percent(last)} %."
    return f"Shown is the draw to {sparsity_percent(last)} %; {named} are drawn in the same way, each by itself."


def alike(events: Sequence[Event]) -> list[list[Event]]:
    """Return events in order, those of one kind that follow each other together."""
    return [list(group) for _, group in groupby(events, key=kind_of)]


def kind_of(event: Event) -> tuple[object, ...]:
    """Return what makes two events of one kind."""
    return event.ticket, tuple(map(type, event.actions))


def rows_of(events: Sequence[Event], course: Course) -> list[tuple[Value, ...]]:
    """Return a row for each event, or one for all if they are many."""
    if len(events) > MOST_ROWS:
        first, last = events[0], events[-1]
        when = span(epoch(first, course), epoch(last, course))
        return [(f"{when} ({len(events)} times)", told(first, last), sparsities(first, last), kept(first))]
    return [(epoch(one, course), told(one, one), sparsities(one, one), kept(one)) for one in events]


def epoch(event: Event, course: Course) -> str:
    """Write when an event happens, in epochs."""
    return f"{event.step / course.steps_per_epoch:.4g}"


def span(first: str, last: str) -> str:
    """Write the first and the last of several values, or the one that both are."""
    return first if first == last else f"{first} to {last}"


def sparsities(first: Event, last: Event) -> str:
    """Write the sparsity after events."""
    return span(sparsity_percent(first.sparsity), sparsity_percent(last.sparsity))


def kept(event: Event) -> str | None:
    """Say whether a ticket is kept."""
    return "yes" if event.ticket else None


def told(first: Event, last: Event) -> str:
    """Write what happens at events of one kind."""
    said = groupby(told_action(*pair) for pair in zip(first.actions, last.actions, strict=True))
    counted = ((action, len(list(times))) for action, times in said)
    return ", then ".join(action if times == 1 else f"{action} {times} times" for action, times in counted) or (
        "training ends"
    )


def told_action(first: Action, last: Action) -> str:
    """Write what is done, with the first and the last of its amounts."""
    if first.amount is None or last.amount is None:
        return first.verb
    return f"{first.verb} {span(f'{100 * first.amount:.3g}', f'{100 * last.amount:.3g}')} %"


def sparsity_over_time(course: Course) -> list[tuple[float, float]]:
    """Return (share of the draw, sparsity from then on), each share in [0, 1]; a draw without training ends at once."""
    total = course.plan.steps
    return [(0.0, 0.0), *((event.step / total if total else 0.0, event.sparsity) for event in course.plan.events)]


def strip(course: Course) -> str:
    """Write the sparsity in force over the draw as bars, in one line."""
    places = sparsity_over_time(course)
    return "".join(
        BARS[math.ceil(sparsity_at(places, (place + 0.5) / WIDTH) * (len(BARS) - 1))] for place in range(WIDTH)
    )


def sparsity_at(places: Sequence[tuple[float, float]], share: float) -> float:
    """Return the sparsity in force at a share of the draw."""
    return [sparsity for start, sparsity in places if start <= share][-1]


def unlike(courses: Sequence[Course]) -> tuple[Lane, ...]:
    """Return the lane of each course, without variants that look like another of their recipe."""
    seen: dict[tuple[str, str], Lane] = {}
    for course in courses:
        shown = lane(course)
        seen.setdefault((course.recipe, shown.model_copy(update={"name": ""}).model_dump_json()), shown)
    return tuple(seen.values())


def lane(course: Course) -> Lane:
    """Return a course as one lane of a figure: sparsity in force over the share of the draw."""
    places, total = sparsity_over_time(course), course.plan.steps
    marks = [
        (event.step / total if total else 0.0, mark)
        for event in course.plan.events
        for mark in (*(action.mark for action in event.actions if action.mark), *(("ticket",) if event.ticket else ()))
    ]
    return Lane(
        name=course.name,
        note=in_epochs(course.epochs) if total else "no training",
        x=tuple(place for place, _ in places),
        y=tuple(sparsity for _, sparsity in places),
        marks=tuple(dict.fromkeys(marks)),
        is_learned=course.learns,
        is_open=course.is_open,
    )
