"""One way of writing the variants of an axis: `magnitude` means `{kind: magnitude}`."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


def _expand(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class _Shorthand:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_expand, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        union = handler(schema)
        # Not oneOf: a file that changes a recipe may leave the kind to the one it extends.
        return {"anyOf": [{"enum": sorted(union["discriminator"]["mapping"])}, *union["oneOf"]]}


Shorthand = _Shorthand()
"""Put after `Field(discriminator="kind")` in an Annotated union: a bare string is taken as the kind."""
