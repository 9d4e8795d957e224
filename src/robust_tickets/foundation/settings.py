"""The base of every configuration type, and the number types that configurations share."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from robust_tickets.foundation.complaints import explain
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.merging import Values, layered, merged

LONGEST_REPR = 200
"""Characters: what is shown of an object is one line that can be read."""


class Settings(BaseModel):
    """Frozen and strict: unknown keys are refused, values are validated, instances never change.

    Each component's settings live next to the component and state unit and range in their descriptions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    bare: ClassVar[str | None] = None
    """The field that a bare string stands for, if the settings may be written as one."""

    def __repr__(self) -> str:
        """Return one line: what is not as it is by default, cut short."""
        told = [
            f"{name}={getattr(self, name)!r}"
            for name, field in type(self).model_fields.items()
            if field.is_required() or getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        return cut(f"{type(self).__name__}({', '.join(told)})")

    __str__ = __repr__

    @model_validator(mode="before")
    @classmethod
    def _over_the_defaults(cls, values: Any) -> Any:
        """Read `optimiser: {lr: 0.1}` as changes of the default optimiser."""
        if cls.bare is not None and isinstance(values, str | Path):
            values = {cls.bare: str(values)}
        return merged(cls, {}, values) if isinstance(values, dict) else values


def later_field(default: Any, **stated: Any) -> Any:
    """Return a `Field` that older versions did not have, which is not written while it is at its default.

    Results are kept by what their settings say: those of older versions are found again.
    """
    return Field(default=default, exclude_if=lambda value: value == default, **stated)


def cut(text: str, length: int = LONGEST_REPR) -> str:
    """Return one line of at most this many characters."""
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 2]}…)"


def parse_ratio(value: Any) -> Any:
    """Turn `"8/255"` or `"0.5/255"` into a float; leave anything but a string alone."""
    if isinstance(value, str):
        above, slash, below = value.replace(" ", "").partition("/")
        try:
            return float(Fraction(Decimal(above)) / Fraction(Decimal(below if slash else "1")))
        except (ArithmeticError, ValueError):
            raise ValueError(f"{value!r} is not a number; write 0.031 or a ratio such as 8/255") from None
    return value


Ratio = Annotated[float, BeforeValidator(parse_ratio, json_schema_input_type=float | str)]
"""A float that may be written as a ratio, as in `8/255`."""

Sparsity = Annotated[
    float,
    Field(ge=0.0, lt=1.0, description="Fraction of prunable weights removed, in [0, 1)."),
    BeforeValidator(parse_ratio, json_schema_input_type=float | str),
]
"""Fraction of prunable weights removed, in [0, 1). Density is 1 - sparsity."""


Kind = TypeVar("Kind", bound=Settings)


def parse(kind: type[Kind], values: Any, where: str = "") -> Kind:
    """Return validated settings.

    Raises:
        UserError: names the first field that is wrong, what it is, and what would be right.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(error, kind, where)) from None


def changed(settings: Kind, *changes: Values, where: str = "") -> Kind:
    """Return validated settings with `changes` over them, each over those before; nested changes are dictionaries.

    `where` names the place of the changes in a complaint.

    Raises:
        UserError: an unknown key or a value out of range.
    """
    if not any(changes):
        return settings
    return parse(type(settings), layered(type(settings), settings.model_dump(), *changes), where)
