"""What is wrong with a set of values, in one line: where, what, and what would be right."""

import difflib
from collections import deque
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from robust_tickets.foundation.merging import default_of, shape_of

Location = tuple[int | str, ...]
Models = tuple[type[BaseModel], ...]

BUILT_IN = {"float", "int", "str", "bool", "none", "constrained-str", "is-instance"}
"""What pydantic's locations call the members of a union that are not settings."""

DEEPEST = 5
"""Levels below the place of a mistake that are searched for what was meant."""


def explain(error: ValidationError, kind: type[BaseModel], where: str = "") -> str:
    """Return one line for the first thing that is wrong with a set of values."""
    places = [place_of(fault["loc"]) for fault in error.errors()]
    # Every member of a union complains: the one that got furthest is what the user meant.
    same = [number for number, place in enumerate(places) if place.startswith(places[0])]
    chosen = max(same, key=lambda number: len(places[number]))
    fault = error.errors()[chosen]
    place = joined(where, walk(kind, fault["loc"])[0])
    more = len({other for other in places if not other.startswith(places[0])})
    return f"{place}{': ' if place else ''}{complaint(fault, kind, where)}{f'; and {more} more' if more else ''}"


def complaint(fault: Any, kind: type[BaseModel], where: str) -> str:
    """Return what is wrong and what would be right."""
    value = fault["input"]
    if fault["type"] == "extra_forbidden":
        return f"no such setting; {meant(kind, fault['loc'], where)}"
    if fault["type"] == "union_tag_invalid":
        expected = [tag.strip(" '") for tag in fault["ctx"]["expected_tags"].split(",")]
        near = difflib.get_close_matches(fault["ctx"]["tag"], expected, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(expected)}"
        return f"{fault['ctx']['tag']!r} is not known; {hint}"
    if fault["type"] == "union_tag_not_found":
        kinds = [tag for model in walk(kind, fault["loc"])[1] if (tag := tag_of(model)) is not None]
        return f"names no kind; known: {', '.join(kinds)}"
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


def meant(kind: type[BaseModel], location: Location, where: str) -> str:
    """Return the path of the setting that was probably meant, at any level; otherwise all at the same level."""
    key = str(location[-1])
    place, owners = walk(kind, location[:-1])
    place = joined(where, place)
    known = sorted({name for owner in owners for name in owner.model_fields})
    # Where the kind is known, pydantic's location names it behind the setting.
    others = walk(kind, location[:-2])[1] if len(owners) == 1 and location[-2:-1] == (tag_of(owners[0]),) else owners
    if kinds := [str(tag) for one in others if key in one.model_fields and (tag := tag_of(one)) is not None]:
        return f"it belongs to {joined(place, 'kind')} {' or '.join(kinds)}"
    if near := difflib.get_close_matches(key, known, n=1):
        return f"did you mean {joined(place, near[0])}?"
    for base, models in ((place, owners), (where, (kind,))):
        below = [path for model in models for path in paths(model)]
        last = {path.rpartition(".")[2] for path in below}
        names = [key] if key in last else difflib.get_close_matches(key, last, n=1, cutoff=0.75)
        found = list(dict.fromkeys(path for path in below if path.rpartition(".")[2] in names))
        if found:
            return f"did you mean {' or '.join(joined(base, path) for path in found[:2])}?"
    return f"known: {', '.join(known)}"


def paths(kind: type[BaseModel]) -> Iterator[str]:
    """Yield the paths of all settings below those of a type, the shallowest first."""
    todo: deque[tuple[type[BaseModel], str, int]] = deque([(kind, "", 0)])
    while todo:
        model, base, depth = todo.popleft()
        for name, field in model.model_fields.items():
            path = joined(base, name)
            yield path
            shape = shape_of(field.annotation, field.metadata)
            named = default_of(field) if shape.entries is not None else None
            inside = [path] if shape.entries is None else [joined(path, entry) for entry in named or ("NAME",)]
            if depth < DEEPEST:
                todo += [(member, one, depth + 1) for one in inside for member in models_in(field.annotation)]


def joined(*parts: str) -> str:
    """Return a dotted path."""
    return ".".join(part for part in parts if part)


def place_of(location: Location) -> str:
    """Return `draw.sparsity[1]` for pydantic's location, without its names of the members of unions."""
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif not set(part) & set("[]()") and part not in BUILT_IN:
            place = joined(place, part)
    return place


def walk(kind: type[BaseModel], location: Location) -> tuple[str, Models]:
    """Return a location as users write it, without the kinds that pydantic adds, and the settings it leads to."""
    written: list[int | str] = []
    models, entered = (kind,), True
    for part in location:
        fields = [model.model_fields[part] for model in models if isinstance(part, str) and part in model.model_fields]
        tagged = tuple(model for model in models if part == tag_of(model))
        if entered and fields:
            models = tuple(model for field in fields for model in models_in(field.annotation))
            entered = all(shape_of(field.annotation).entries is None for field in fields)
            written.append(part)
        elif tagged and len(models) > 1:
            models, entered = tagged, True
        else:  # the name of an entry, a number, or what is unknown
            entered = True
            written.append(part)
    return place_of(tuple(written)), models


def models_in(annotation: Any) -> Models:
    """Return every settings type inside an annotation (unions, optionals, containers)."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(found for part in get_args(annotation) for found in models_in(part))


def tag_of(kind: type[BaseModel]) -> Any:
    """Return the literal that tells a member of a union apart, or None."""
    field = kind.model_fields.get("kind")
    return field.default if field is not None else None
