"""How figures are written: values in their unit, points, counts. Values inside are fractions; only text is per cent."""

from collections.abc import Iterable, Sequence

from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.report.points import Spread
from robust_tickets.report.summary import VerdictRow

ABSENT = "–"
"""Written if nothing was measured."""


def shortened(name: str, most: int = 36) -> str:
    """Return a name on one line of at most `most` characters; the middle of a longer one gives way to `…`."""
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most // 2 - 1]}…{line[-most // 2 :]}"


def told_apart(names: Sequence[str], most: int = 36) -> list[str]:
    """Return names of parameters as they are; if one is too long, each without what all of them begin or end with.

    Of `bert.encoder.layer.0.output.dense.weight` and others of its kind, `0.output.dense` is left.
    """
    if len(names) < 2 or all(len(name) <= most for name in names):
        return [shortened(name, most) for name in names]
    parts = [name.split(".") for name in names]
    shortest = min(map(len, parts))
    front = next((at for at in range(shortest) if len({part[at] for part in parts}) > 1), shortest - 1)
    back = next((at for at in range(shortest - front) if len({part[-1 - at] for part in parts}) > 1), 0)
    return [shortened(".".join(part[front : len(part) - back]), most) for part in parts]


def scores_of(names: Iterable[str]) -> str:
    """Write what figures are, each name once: `accuracy`, `mIoU`, `accuracy or mIoU`; `accuracy` of no figures."""
    return " or ".join(dict.fromkeys(names)) or "accuracy"


def capitalised(text: str) -> str:
    """Write a text with a capital in front, unless it begins with a name that has capitals elsewhere: mIoU."""
    first = text.partition(" ")[0]
    return text if first[1:] != first[1:].lower() else text[:1].upper() + text[1:]


def percent(fraction: float, decimals: int = 1) -> str:
    """Write a fraction in per cent without the sign: 0.943 is `94.3`."""
    return f"{100 * fraction:.{decimals}f}"


def signed_points(difference: float, unit: Unit = PERCENT, decimals: int | None = None) -> str:
    """Write a difference with its sign: -0.006 is `−0.6` in percentage points. See `Unit.signed`."""
    return unit.signed(difference, decimals).replace("-", "−")


def mean_and_std(spread: Spread | None, unit: Unit = PERCENT) -> str:
    """Write `94.3 ± 0.4` in the figure's unit; the mean alone for one seed, a dash if nothing was measured."""
    if spread is None:
        return ABSENT
    if spread.std is None:
        return unit.number(spread.mean)
    spread_out = f"{unit.scaled(spread.std):.2g}" if unit.decimals is None else unit.number(spread.std)
    return f"{unit.number(spread.mean)} ± {spread_out}"


def interval(row: VerdictRow) -> str:
    """Write the interval of a difference, in points `−0.9 to +0.2`, or a dash with one seed."""
    if row.low is None or row.high is None:
        return ABSENT
    return f"{signed_points(row.low, row.unit)} to {signed_points(row.high, row.unit)}"


def shared(units: Iterable[Unit]) -> Unit | None:
    """Return the unit that all figures of a column share, so that its heading can give it; None: they have several."""
    found = [*units] or [PERCENT]
    return found[0] if all(one == found[0] for one in found) else None


def headed(name: str, unit: Unit | None) -> str:
    """Write a heading with the unit that a column shares: `accuracy (%)`; without one where it has several."""
    return name if unit is None else unit.headed(name)


def in_points(name: str, unit: Unit | None) -> str:
    """Write the heading of differences with their unit, if a column shares it: `margin (points)`."""
    return f"{name} ({unit.points})" if unit is not None and unit.points else name


def beside(text: str, unit: Unit, heading: Unit | None) -> str:
    """Write a number with its sign, unless the heading of the column has it."""
    return text if heading is not None or text == ABSENT else f"{text} {unit.sign}".rstrip()


def magnitude(number: int, unit: str = "") -> str:
    """Write a count with three digits and a decimal prefix: 11173962 is `11.2 M`."""
    for power, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * power:
            return f"{f'{number / power:#.3g}'.rstrip('.')} {prefix}{unit}"
    return f"{number} {unit}".rstrip()
