"""The base of every configuration type, and the number types that configurations share."""

from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Settings(BaseModel):
    """Frozen and strict: unknown keys are refused, values are validated, instances never change.

    Each component's settings live beside the component and say unit and range in their descriptions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


def parse_ratio(value: Any) -> Any:
    """Turn `"8/255"` into 8/255; leave anything but a string alone."""
    if isinstance(value, str):
        try:
            return float(Fraction(value.replace(" ", "")))
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"{value!r} is not a number; write 0.031 or a ratio such as 8/255") from None
    return value


Ratio = Annotated[float, BeforeValidator(parse_ratio)]
"""A float that may be written as a ratio, as in `8/255`."""

Sparsity = Annotated[
    float,
    BeforeValidator(parse_ratio),
    Field(ge=0.0, lt=1.0, description="Fraction of prunable weights removed, in [0, 1)."),
]
"""Fraction of prunable weights removed, in [0, 1). Density is 1 - sparsity."""
