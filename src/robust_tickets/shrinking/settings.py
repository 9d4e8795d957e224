"""What can be chosen when a ticket is made smaller and measured."""

from pydantic import Field

from robust_tickets.foundation.settings import Settings


class ShrinkSettings(Settings):
    """How channels are removed and how latency is measured."""

    round_to: int = Field(
        default=1,
        ge=1,
        description="Keep the channels of each set up to a multiple of this number, for kernels that like "
        "multiples of 8; the extra channels are zeros, so the result is still exact.",
    )
    threads: int = Field(default=1, ge=1, description="Threads ONNX Runtime may use.")
    batch_size: int = Field(default=1, ge=1, description="Images a call, for latency.")
    rounds: int = Field(default=30, ge=3, description="Timed calls of each network.")
