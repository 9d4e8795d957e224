"""Units: how figures and their differences are written. Inside, values are in the metric's own unit; only text scales.

An accuracy is kept as a fraction in [0, 1] and written in per cent, its differences in points; a signal-to-noise ratio
is kept and written in dB; a perplexity or a correlation has no unit.
"""

from typing import final

from pydantic import Field

from robust_tickets.foundation.settings import Settings


@final
class Unit(Settings):
    """How the figures of one metric are written."""

    scale: float = Field(default=1.0, gt=0, description="Factor by which a value is multiplied when it is written.")
    sign: str = Field(default="", description="Follows a value: `%`, `dB`; empty: none.")
    points: str = Field(default="", description="Follows a difference of two values: `points`, `dB`.")
    decimals: int | None = Field(
        default=None,
        ge=0,
        description="Decimals of values in tables; sentences have one more. null: four significant digits.",
    )

    @property
    def exact(self) -> int | None:
        """Decimals of values in sentences, where a single value stands for much."""
        return None if self.decimals is None else self.decimals + 1

    def scaled(self, value: float) -> float:
        """Return a value as it is written and charted."""
        return self.scale * value

    def number(self, value: float, decimals: int | None = None) -> str:
        """Write a value without its sign: 0.943 is `94.3`.

        Args:
            value: in the metric's own unit.
            decimals: the unit's own by default.
        """
        decimals = self.decimals if decimals is None else decimals
        return f"{self.scaled(value):.4g}" if decimals is None else f"{self.scaled(value):.{decimals}f}"

    def signed(self, difference: float, decimals: int | None = None) -> str:
        """Write a difference with + or - and without its unit: -0.006 is `-0.6`."""
        decimals = self.decimals if decimals is None else decimals
        return f"{self.scaled(difference):+.4g}" if decimals is None else f"{self.scaled(difference):+.{decimals}f}"

    def table(self, value: float) -> str:
        """Write a value as tables have it, with its sign: 0.943 is `94.3 %`."""
        return f"{self.number(value)} {self.sign}".rstrip()

    def told(self, value: float) -> str:
        """Write a value as sentences on decisions have it, one decimal finer: 0.943 is `94.30 %`."""
        return f"{self.number(value, self.exact)} {self.sign}".rstrip()

    def difference(self, value: float) -> str:
        """Write a difference as sentences have it: -0.006 is `-0.60 points`."""
        return f"{self.signed(value, self.exact)} {self.points}".rstrip()

    def headed(self, name: str) -> str:
        """Return a heading or the label of an axis: `accuracy (%)`, `perplexity`."""
        return f"{name} ({self.sign})" if self.sign else name


PERCENT = Unit(scale=100.0, sign="%", points="points", decimals=1)
"""Of fractions in [0, 1]: accuracy, mIoU, mAP, F1."""

PLAIN = Unit()
"""Of numbers without a unit: perplexity, correlation, calibration errors."""

NATS = Unit(sign="nats", points="nats")
"""Of losses and log-likelihoods."""

DECIBEL = Unit(sign="dB", points="dB", decimals=2)
"""Of signal-to-noise ratios."""


def sparsity_percent(sparsity: float) -> str:
    """Write a sparsity in per cent, with the decimals that tell 99 % from 99.9 %: `90`, `89.26`, `99.9`."""
    return f"{100 * sparsity:.2f}".rstrip("0").rstrip(".")
