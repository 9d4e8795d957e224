"""Which of the prunable weights take part."""

from pydantic import Field

from robust_tickets.foundation.settings import Settings, later_field


class Prunable(Settings):
    """Which of the prunable weights take part. Norms, biases and embeddings do only where that is asked for."""

    include_head: bool = Field(default=False, description="Whether the last layer is pruned too.")
    include_stem: bool = Field(
        default=True,
        description="Whether the first convolution or patch embedding (without any, the first linear layer) is pruned. "
        "Papers differ. A language model has no such layer: its words are looked up.",
    )
    include_depthwise: bool = later_field(
        True,
        description="Whether convolutions that keep their channels apart are pruned: 1 to 6 % of the weights of "
        "MobileNets and EfficientNets, whose zeros gain the runtime little.",
    )
    include_embeddings: bool = later_field(
        False, description="Whether a language model's table of word embeddings is pruned too."
    )
    include_all: bool = later_field(
        False,
        description="Whether every parameter takes part: biases, norms, embeddings, stem and head too (Optimal Eye "
        "Surgeon).",
    )
    exempt: tuple[str, ...] = Field(
        default=(),
        description="Glob patterns over full parameter names, such as `layer1.*` or `*.downsample.0.weight`; "
        "matching weights stay dense.",
    )
