"""Changes over settings: what they name changes, and nothing else.

Values are plain: mappings, lists, strings, numbers. Which of them are settings, and what their defaults are, is read
from the types that will validate them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Values = Mapping[str, Any]


@dataclass(frozen=True)
class ChangesOf:
    """In an annotation: a mapping of changes of such settings, which lacks what it does not change."""

    kind: type[BaseModel]


@dataclass(frozen=True)
class ValueShape:
    """What an annotation says of its values, as far as merging asks."""

    members: tuple[type[BaseModel], ...] = ()
    """The settings that a value may be."""
    entries: Any = None
    """The annotation of the values of a mapping by name."""
    changes: type[BaseModel] | None = None
    """The settings that a value is changes of."""

    @property
    def bare(self) -> str | None:
        """Return the field that a bare string stands for."""
        if len(self.members) > 1:
            return "kind"
        return getattr(self.members[0], "bare", None) if self.members else None

    def member(self, kind: Any) -> type[BaseModel] | None:
        """Return the settings of this kind, or the only ones."""
        if len(self.members) == 1:
            return self.members[0]
        return next((one for one in self.members if kind_of(one) == kind), None)


def kind_of(settings: type[BaseModel]) -> Any:
    """Return the `kind` that settings are told apart by; None of those that are taken where none is given."""
    field = settings.model_fields.get("kind")
    return field.default if field is not None else None


def merged(kind: type[BaseModel] | None, base: Values, changes: Values, *, partial: bool = False) -> dict[str, Any]:
    """Return `changes` over `base`, both plain values of settings of type `kind`.

    - What `base` lacks is there by default: `{epochs: 3}` changes the epochs of a default that is an instance.
    - A part of another `kind` replaces the one that is there; one of the same kind, or of none, changes it.
    - A bare string is the kind of a part, or the name of data.
    - In a mapping by name (of transfers, of sources) the changes add entries and change them; null takes one out. Where
      `base` lacks the mapping, the names given are all there are: the default's others are not added to them.
    - Instances are whole, and replace.

    `partial`: both are themselves changes of something else, so that nothing is there by default.
    """
    values = dict(base)
    for name, change in changes.items():
        field = kind.model_fields.get(name) if kind is not None else None
        shape = shape_of(field.annotation, field.metadata) if field is not None else ValueShape()
        if name in values:
            values[name] = merged_value(shape, values[name], change, partial)
        elif field is not None and not partial and isinstance(change, str | Path | Mapping):
            whole = merged_value(shape, default_of(field), change, partial)
            named = shape.entries is not None and isinstance(change, Mapping)
            values[name] = {key: entry for key, entry in whole.items() if key in change} if named else whole
        else:
            values[name] = change
    return values


def merged_value(shape: ValueShape, base: Any, change: Any, partial: bool) -> Any:
    """Return a change over the value of one field."""
    base, change = spelt_out(shape, base), spelt_out(shape, change)
    if not isinstance(change, Mapping):
        return change
    if isinstance(base, BaseModel):
        base = base.model_dump()
    elif not isinstance(base, Mapping):
        base = {}
    if shape.entries is not None:
        inner = shape_of(shape.entries)
        entries = {**base, **{name: merged_value(inner, base.get(name), one, partial) for name, one in change.items()}}
        # Null takes an entry of settings away; among plain values it is a value.
        return {name: entry for name, entry in entries.items() if entry is not None or shape.entries is Any}
    if shape.changes is not None:
        return merged(shape.changes, base, change, partial=True)
    old, new = base.get("kind"), change.get("kind", base.get("kind"))
    if new != old and not (partial and old is None):
        base = {}
    return merged(shape.member(new), base, change, partial=partial)


def spelt_out(shape: ValueShape, value: Any) -> Any:
    """Return `{kind: sgd}` for `sgd`, and `{name: digits}` for `digits` where data are meant."""
    return {shape.bare: str(value)} if shape.bare is not None and isinstance(value, str | Path) else value


def layered(kind: type[BaseModel], *layers: Values) -> dict[str, Any]:
    """Return plain values of settings of type `kind`, each layer over those before it."""
    values: dict[str, Any] = {}
    for layer in layers:
        values = merged(kind, values, layer)
    return values


def with_defaults(kind: type[BaseModel], values: Values) -> dict[str, Any]:
    """Return values with the default of every field that they do not name; what is laid over them adds to these."""
    optional = {name: field for name, field in kind.model_fields.items() if not field.is_required()}
    return {**{name: default_of(field) for name, field in optional.items()}, **merged(kind, {}, values)}


def default_of(field: FieldInfo) -> Any:
    """Return a field's default; None if it has none."""
    return None if field.is_required() else field.get_default(call_default_factory=True)


def shape_of(annotation: Any, metadata: Any = ()) -> ValueShape:
    """Return what an annotation says of its values: through optionals, unions and `Annotated`."""
    if changes := [mark.kind for mark in metadata if isinstance(mark, ChangesOf)]:
        return ValueShape(changes=changes[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return ValueShape(members=(annotation,))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(arguments[0], arguments[1:])
    if origin is dict:
        return ValueShape(entries=arguments[1])
    if origin not in (Union, UnionType):
        return ValueShape()
    shapes = [shape_of(argument) for argument in arguments]
    entries = next((shape.entries for shape in shapes if shape.entries is not None), None)
    return ValueShape(members=tuple(member for shape in shapes for member in shape.members), entries=entries)
