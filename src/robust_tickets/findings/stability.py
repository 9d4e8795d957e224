"""Which tickets are stable to training noise, by where in training they start, and whether those match."""

from collections.abc import Sequence
from statistics import fmean, stdev

from robust_tickets.analysis.barrier_settings import BarrierSettings
from robust_tickets.findings.tickets import COLUMNS
from robust_tickets.foundation.grouping import grouped
from robust_tickets.foundation.unit import Unit, sparsity_percent
from robust_tickets.report.notation import capitalised, shared, signed_points
from robust_tickets.report.sections import Chart, Line, Section, Table, Value
from robust_tickets.verbs.stability import Stabilities, Stability

TITLE = "Instability to training noise"
TEXT = (
    "Copies of one start, each trained under other noise (the order of examples, and augmentation where there is any), "
    "and the line between every two of them ({points} points). Instability is the highest error on the line minus the "
    "mean of its ends (Frankle et al., 2020); here its mean over pairs of seeds, ± one standard deviation over pairs. "
    "Stable: the mean is below {limit} points. On {images}; {statistics}."
)
STATISTICS = {
    "interpolated": "batch-norm statistics are interpolated as well",
    "recalibrated": "batch-norm statistics are recomputed at every point, the ends included",
}
OTHER_DATA = (
    "Seeds were trained on other choices of the training data as well, which adds to the noise; data.seed makes one "
    "choice for all."
)


def line_facts(settings: BarrierSettings, images: str, has_batch_norm: bool) -> dict[str, str]:
    """Return what a text says of how lines were walked."""
    return {
        "points": str(settings.points),
        "limit": f"{100 * settings.limit:g}",
        "images": images,
        "statistics": STATISTICS[settings.bn] if has_batch_norm else "the network has no batch norm",
    }


def stability_section(found: Stabilities, images: str) -> Section:
    """Return the instability of every start, over rewinding points where there are several."""
    if found.why_none:
        return Section(title=TITLE, text=f"Nothing to look at: {found.why_none}.")
    text = TEXT.format(**line_facts(found.settings, images, any(one.has_batch_norm for one in found.found)))
    if not all(one.same_data for one in found.found):
        text = f"{text} {OTHER_DATA}"
    text = " ".join((text, *_agreement(found.found)))
    groups = grouped(found.found, lambda one: one.group)
    tables: list[Table] = []
    charts: list[Chart] = []
    for name, group in groups.items():
        told = f", {name}" if len(groups) > 1 else ""
        tables += [*_grid(group, told), _details(group, told)]
        charts += _charts(group, told)
    if found.left_out:
        tables.append(
            Table(
                title="Left out",
                columns=("transfer", "because it has"),
                rows=tuple(found.left_out.items()),
            )
        )
    return Section(title=TITLE, text=text, tables=tuple(tables), charts=tuple(charts), is_verdict=True)


def _agreement(found: Sequence[Stability]) -> list[str]:
    """Say how often stability and matching go together, over drawn tickets on which there is a verdict."""
    decided = [
        (one.instability.are_low, one.decision.verdict == "matches")
        for one in found
        if one.is_drawn and one.sparsity and one.decision is not None and one.decision.verdict != "cannot tell"
    ]
    if not decided:
        return []
    alike = sum(stable == matches for stable, matches in decided)
    return [
        f"Of {len(decided)} drawn tickets with a verdict, {alike} are either both stable and matching or neither: "
        f"{sum(stable and matches for stable, matches in decided)} are stable and match, "
        f"{sum(not (stable or matches) for stable, matches in decided)} do neither, "
        f"{sum(stable and not matches for stable, matches in decided)} are stable alone, "
        f"{sum(matches and not stable for stable, matches in decided)} match alone."
    ]


def _kept(one: Stability) -> str:
    return sparsity_percent(1 - one.sparsity)


def _from(one: Stability) -> str:
    return one.rewind.describe() if one.rewind is not None else ""


def _reached(one: Stability) -> tuple[float, str] | None:
    return one.rewind.reached if one.rewind is not None else None


def _placed(found: Sequence[Stability]) -> list[tuple[float, Stability]]:
    """Return what starts at a point of training, the earliest first; points are in one unit, or there are none."""
    placed = [(reached, one) for one in found if (reached := _reached(one)) is not None]
    units = {unit for (_, unit), _ in placed if unit}
    return sorted(((at, one) for (at, _), one in placed), key=lambda pair: pair[0]) if len(units) == 1 else []


def _grid(group: Sequence[Stability], told: str) -> list[Table]:
    """Return weights kept by rewinding point: instability, and whether it is stable and matches."""
    placed = _placed([one for one in group if one.is_dense or one.is_drawn])
    if not placed:
        return []
    points = list(dict.fromkeys(at for at, _ in placed))
    ordered = sorted((one for _, one in placed), key=lambda one: one.sparsity)
    # A ticket says which step it is from where dense says `source`.
    names = {at: _from(one) for at, one in sorted(placed, key=lambda pair: not pair[1].is_dense)}
    cells = {(_kept(one), at): _cell(one) for at, one in reversed(placed)}
    rows = tuple(
        (kept, *(cells.get((kept, at)) for at in points)) for kept in dict.fromkeys(_kept(one) for one in ordered)
    )
    return [
        Table(
            title=f"Instability in points, by weights kept and rewinding point{told}",
            columns=("weights kept (%)", *(names[at] for at in points)),
            rows=rows,
            note="All weights kept at the source is dense." if any(one.is_dense for one in group) else "",
        )
    ]


def _score(group: Sequence[Stability]) -> str:
    return next((one.verdict.score for one in group if one.verdict is not None), "accuracy")


def _told(scores: Sequence[float], unit: Unit) -> str:
    """Write `94.3 ± 0.4`, over seeds."""
    return f"{unit.number(fmean(scores))} ± {unit.number(stdev(scores))}"


def _cell(one: Stability) -> str:
    """Write `1.2 ± 0.3, stable, matches`."""
    stable = "stable" if one.instability.are_low else "not stable"
    verdict = f", {one.decision.verdict}" if one.decision is not None and one.is_drawn else ""
    return f"{one.instability.told()}, {stable}{verdict}"


def _order(one: Stability) -> tuple[object, ...]:
    """Sort by weights kept, dense and drawn tickets before controls, the earliest first."""
    reached = _reached(one)
    return (round(one.sparsity, 6), not one.is_dense, not one.is_drawn, reached is None, reached or (0.0, ""))


def _details(group: Sequence[Stability], told: str) -> Table:
    """Return a row for each start, controls too."""
    decisions = [one.decision for one in group if one.decision is not None]
    unit = shared(decision.unit for decision in decisions)
    score = _score(group)
    rows: list[tuple[Value, ...]] = []
    for one in sorted(group, key=_order):
        pairs = len(one.instability.values)
        stable = f"{'yes' if one.instability.are_low else 'no'}, {one.instability.low} of {pairs} pairs"
        reached: tuple[Value, ...] = (None, None, None)
        if (decision := one.decision) is not None:
            difference = signed_points(decision.difference, decision.unit) if not one.is_dense else None
            verdict = decision.verdict if not one.is_dense else None
            reached = (_told([*one.scores], decision.unit), difference, verdict)
        rows.append((one.name, _kept(one), _from(one) or None, one.instability.told(), stable, *reached))
    columns = (
        *("transfer", "weights kept (%)", "rewound to", "instability (points)", "stable"),
        unit.headed(score) if unit is not None else score,
        f"difference to dense{f' ({unit.points})' if unit is not None and unit.points else ''}",
        "verdict",
    )
    return Table(title=f"Stability and verdict of every start{told}", columns=columns, rows=tuple(rows))


def _charts(group: Sequence[Stability], told: str) -> list[Chart]:
    """Return instability and the metric over rewinding points, a line for each share of weights kept."""
    placed = _placed([one for one in group if one.is_dense or one.is_drawn])
    counted = next((reached[1] for one in group if (reached := _reached(one)) and reached[1]), "")
    by_kept = grouped(sorted(placed, key=lambda pair: pair[1].sparsity), lambda pair: _kept(pair[1]))
    lines = {kept: pairs for kept, pairs in by_kept.items() if len({at for at, _ in pairs}) > 1}
    # One of the colours is the limit's.
    shown = list(lines.items())[: COLUMNS - 1]
    if not shown:
        return []
    note = f"The first {len(shown)} of {len(lines)} shares of weights." if len(shown) < len(lines) else ""
    x_label = f"rewinding point, {counted}"
    places = [at for _, pairs in shown for at, _ in pairs]
    limit = 100 * group[0].instability.limit
    charts = [
        Chart(
            title=f"Instability by rewinding point{told}",
            x_label=x_label,
            y_label="instability, points",
            lines=(
                *(_line(kept, [(at, *_points(one)) for at, one in pairs]) for kept, pairs in shown),
                Line(name="limit", x=(min(places), max(places)), y=(limit, limit)),
            ),
            note=note,
        )
    ]
    if all(one.verdict is not None for _, pairs in shown for _, one in pairs):
        score, unit = _score(group), next(one.verdict.standard.unit for one in group if one.verdict is not None)
        charts.append(
            Chart(
                title=f"{capitalised(score)} by rewinding point{told}",
                x_label=x_label,
                y_label=unit.headed(score),
                lines=tuple(
                    _line(
                        kept,
                        [(at, unit.scaled(fmean(one.scores)), unit.scaled(stdev(one.scores))) for at, one in pairs],
                    )
                    for kept, pairs in shown
                ),
                note=note,
            )
        )
    return charts


def _points(one: Stability) -> tuple[float, float]:
    return 100 * one.instability.mean, 100 * (one.instability.spread or 0.0)


def _line(kept: str, points: Sequence[tuple[float, float, float]]) -> Line:
    """Return a line; of several starts at one point the first counts."""
    by_place = {at: (y, std) for at, y, std in reversed(points)}
    places = sorted(by_place)
    stds = tuple(by_place[at][1] for at in places)
    return Line(
        name=f"{kept} % kept",
        x=tuple(places),
        y=tuple(by_place[at][0] for at in places),
        std=stds if any(stds) else None,
    )
