"""A network's score in each of its forms, on the same examples: shrunken, recalibrated, in 8 bits."""

from collections.abc import Sequence

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.foundation.unit import PERCENT, Unit


class FormScore(Settings):
    """One form of the network on validation images, compared with the form it was made from."""

    form: str = Field(description="`ticket` as it was transferred, or the name of the file.")
    score: str = Field(description="The metric's name: `accuracy`, `mIoU`.")
    unit: Unit = Field(default=PERCENT, description="How it is written.")
    value: float = Field(description="The metric, in its own unit.")
    agreement: float | None = Field(
        description="Fraction of answers that equal those of the previous form, in [0, 1]; null where they are numbers."
    )
    images: int = Field(description="How many images, or texts.")
    noun: str = Field(default="images", description="What they are.")


def told(checks: Sequence[FormScore]) -> str:
    """Return one sentence on how the score changes from form to form; empty without forms."""
    if not checks:
        return ""
    first, *rest = checks
    parts = [f"{first.form} {_value(first)}"]
    parts += [f"{one.form} {_value(one)}{_agreement(one)}" for one in rest]
    return f" {first.score.capitalize()} on {first.images} validation {first.noun}: {', '.join(parts)}."


def _agreement(score: FormScore) -> str:
    return f" ({100 * score.agreement:.4g} % equal answers)" if score.agreement is not None else ""


def _value(score: FormScore) -> str:
    return f"{score.unit.scaled(score.value):.4g} {score.unit.sign}".rstrip()
