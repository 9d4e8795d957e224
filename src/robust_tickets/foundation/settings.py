"""The base of every configuration type, and the number types that configurations share."""

import difflib
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.merging import Values, layered, merged


class Settings(BaseModel):
    """Frozen and strict: unknown keys are refused, values are validated, instances never change.

    Each component's settings live beside the component and say unit and range in their descriptions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    bare: ClassVar[str | None] = None
    """The field that a bare string stands for, where the settings may be written as one."""

    @model_validator(mode="before")
    @classmethod
    def _over_the_defaults(cls, values: Any) -> Any:
        """Read `optimiser: {lr: 0.1}` as changes of the default optimiser."""
        if cls.bare is not None and isinstance(values, str | Path):
            values = {cls.bare: str(values)}
        return merged(cls, {}, values) if isinstance(values, dict) else values


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


def explain(error: ValidationError, kind: type[BaseModel], where: str = "") -> str:
    """Return one line for the first thing that is wrong with a set of values."""
    places = [place_of(fault["loc"]) for fault in error.errors()]
    # Every member of a union complains: the one that got furthest is what the user meant.
    same = [number for number, place in enumerate(places) if place.startswith(places[0])]
    chosen = max(same, key=lambda number: len(places[number]))
    fault, place = error.errors()[chosen], places[chosen]
    place = ".".join(part for part in (where, place) if part)
    more = len({other for other in places if not other.startswith(places[0])})
    return f"{place}{': ' if place else ''}{complaint(fault, kind)}{f'; and {more} more' if more else ''}"


def complaint(fault: Any, kind: type[BaseModel]) -> str:
    """Return what is wrong and what would be right."""
    value = fault["input"]
    if fault["type"] == "extra_forbidden":
        known, key = known_fields(kind, fault["loc"][:-1]), str(fault["loc"][-1])
        return f"no such setting; {near_or_known(key, known)}"
    if fault["type"] == "union_tag_invalid":
        expected = [tag.strip(" '") for tag in fault["ctx"]["expected_tags"].split(",")]
        return f"{fault['ctx']['tag']!r} is not known; {near_or_known(fault['ctx']['tag'], expected)}"
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "value_error":
        return fault["msg"].removeprefix("Value error, ")
    if fault["type"] in ("tuple_type", "list_type"):
        message = "should be a list, as in [a, b]"
    elif fault["type"] == "too_short":
        message = f"should have at least {fault['ctx']['min_length']} item(s), not {fault['ctx']['actual_length']}"
    else:
        message = "should be a mapping of settings" if fault["type"] == "model_type" else fault["msg"]
    shown = f" (got {value!r})" if isinstance(value, str | int | float | bool) else ""
    return message.replace("Input should be", "should be") + shown


def near_or_known(key: str, known: list[str]) -> str:
    """Return the name that was probably meant, or all there are."""
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def place_of(location: tuple[int | str, ...]) -> str:
    """Return `draw.sparsity[1]` for pydantic's location, without its names of union members."""
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif re.fullmatch(r"[^\[\]()]+", part) and part not in BUILT_IN:
            place += f".{part}" if place else part
    return place


BUILT_IN = {"float", "int", "str", "bool", "none", "constrained-str", "is-instance"}


def known_fields(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the field names of the settings at `path` inside `kind`, as far as the path can be followed."""
    candidates = [kind]
    for part in path:
        following: list[type[BaseModel]] = []
        for candidate in candidates:
            if isinstance(part, str) and part in candidate.model_fields:
                following += models_in(candidate.model_fields[part].annotation)
            else:
                following += [candidate] if part == tag_of(candidate) else []
        candidates = following or [c for c in candidates if isinstance(part, int)] or candidates
    return sorted({name for candidate in candidates for name in candidate.model_fields})


def tag_of(kind: type[BaseModel]) -> Any:
    """Return the literal that tells a member of a union apart, or None."""
    field = kind.model_fields.get("kind")
    return field.default if field is not None else None


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return every settings type inside an annotation (unions, optionals, containers)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in models_in(part)]
