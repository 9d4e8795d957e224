"""One way of writing the variants of an axis: `magnitude` means `{kind: magnitude}`."""

from typing import Any

from pydantic import BeforeValidator


def _expand(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Shorthand = BeforeValidator(_expand)
"""Put after `Field(discriminator="kind")` in an Annotated union: a bare string is taken as the kind."""
