"""How figures are written: per cent, points, counts. Values inside are fractions; only text is per cent."""

from collections.abc import Iterable

from robust_tickets.report.points import Spread
from robust_tickets.report.summary import VerdictRow

ABSENT = "–"
"""Stands where nothing was measured."""


def shortened(name: str, most: int = 36) -> str:
    """Return a name on one line of at most `most` characters; the middle of a longer one gives way to `…`."""
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most // 2 - 1]}…{line[-most // 2 :]}"


def scores_of(names: Iterable[str]) -> str:
    """Write what figures are, each name once: `accuracy`, `mIoU`, `accuracy or mIoU`; `accuracy` of no figures."""
    return " or ".join(dict.fromkeys(names)) or "accuracy"


def capitalised(text: str) -> str:
    """Write a text with a capital in front, but for the name of mIoU."""
    return text if text.startswith("mIoU") else text[:1].upper() + text[1:]


def percent(fraction: float, decimals: int = 1) -> str:
    """Write a fraction in per cent without the sign: 0.943 is `94.3`."""
    return f"{100 * fraction:.{decimals}f}"


def sparsity_percent(sparsity: float) -> str:
    """Write a sparsity in per cent, with the decimals that tell 99 % from 99.9 %: `90`, `89.26`, `99.9`."""
    return f"{100 * sparsity:.2f}".rstrip("0").rstrip(".")


def signed_points(difference: float) -> str:
    """Write a difference of accuracies in percentage points with its sign: -0.006 is `−0.6`."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def mean_and_std(spread: Spread | None) -> str:
    """Write `94.3 ± 0.4` in per cent; the mean alone for one seed, a dash where nothing was measured."""
    if spread is None:
        return ABSENT
    return percent(spread.mean) if spread.std is None else f"{percent(spread.mean)} ± {percent(spread.std)}"


def interval(row: VerdictRow) -> str:
    """Write the interval of a difference in points, `−0.9 to +0.2`, or a dash with one seed."""
    if row.low is None or row.high is None:
        return ABSENT
    return f"{signed_points(row.low)} to {signed_points(row.high)}"


def magnitude(number: int, unit: str = "") -> str:
    """Write a count with three digits and a decimal prefix: 11173962 is `11.2 M`."""
    for power, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * power:
            return f"{f'{number / power:#.3g}'.rstrip('.')} {prefix}{unit}"
    return f"{number} {unit}".rstrip()
