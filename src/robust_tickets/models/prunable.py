"""Which of the prunable weights take part."""

from pydantic import Field

from robust_tickets.foundation.settings import Settings


class Prunable(Settings):
    """Which of the prunable weights take part. Norms, biases and embeddings never do."""

    include_head: bool = Field(default=False, description="Whether the last layer is pruned too.")
    include_stem: bool = Field(
        default=True,
        description="Whether the first convolution or patch embedding (without any, the first linear layer) is pruned. "
        "Papers differ.",
    )
    exempt: tuple[str, ...] = Field(
        default=(),
        description="Glob patterns over full parameter names, such as `layer1.*` or `*.downsample.0.weight`; "
        "matching weights stay dense.",
    )
