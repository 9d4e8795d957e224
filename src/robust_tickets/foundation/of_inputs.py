"""Results that say what they were measured on: images, texts."""

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from robust_tickets.foundation.settings import Settings


class OfInputs(Settings):
    """A result whose sentences name what it was measured on."""

    noun: str = Field(default="images", description="What it was measured on.")

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what older versions did not have while it is at its default."""
        values = write(self)
        if self.noun == "images":
            values.pop("noun", None)
        return values
