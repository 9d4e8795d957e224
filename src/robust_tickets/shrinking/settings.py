"""What can be chosen when a ticket is made smaller and measured."""

from pydantic import Field

from robust_tickets.foundation.settings import Settings, later_field


class Int8(Settings):
    """How an exported file is written in 8-bit integers too."""

    images: int = Field(
        default=256,
        ge=1,
        description="Training images on which the ranges of activations are measured; of texts none are needed.",
    )
    reduce_range: bool = Field(
        default=False,
        description="7 bits for weights, for x86 processors without VNNI instructions, where 8 bits can saturate.",
    )


class ShrinkSettings(Settings):
    """How channels are removed and how latency is measured."""

    round_to: int = Field(
        default=8,
        ge=1,
        description="Keep a multiple of this many channels in each set, because engines compute in blocks of channels "
        "and other counts can be slower than dense; the extra channels are zeros, so the result is still exact. If "
        "that would restore every channel, half this number is tried, and so on. 1: remove all zero channels.",
    )
    threads: int = Field(default=1, ge=1, description="Threads an engine may use.")
    batch_size: int = Field(default=1, ge=1, description="Images or texts per call, for latency.")
    length: int | None = later_field(
        None,
        ge=1,
        description="Tokens of each text, for latency and multiply-adds; absent: as many as the network reads.",
    )
    recalibrate: bool = Field(
        default=False,
        description="Recompute batch-norm statistics on the training images, after removal has been proven exact.",
    )
    int8: Int8 | None = Field(
        default=None, description="Also write and check an 8-bit file next to the exported one; absent: none."
    )
    half: bool = Field(
        default=False,
        description="Store the weights of a runtime file in 16 bits; the effect is reported and checked.",
    )
    rounds: int = Field(default=30, ge=3, description="Timed calls per network.")
