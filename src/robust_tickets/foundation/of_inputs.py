"""Results that say what they were measured on: images, texts."""

from robust_tickets.foundation.settings import Settings, later_field


class OfInputs(Settings):
    """A result whose sentences name what it was measured on."""

    noun: str = later_field("images", description="What it was measured on.")
