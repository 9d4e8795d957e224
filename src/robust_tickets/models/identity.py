"""What is recorded of a source, so that a ticket drawn from it can only be applied to the same weights."""

from typing import Any

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.models.adaptations import AnyAdaptation
from robust_tickets.models.adaptations.projection_head import ProjectorRecord
from robust_tickets.models.latent import Latent
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.shapes import Size
from robust_tickets.models.tokens import Tokens

VERSION = 1
"""Of the layout of a saved network; one of a higher version is not read."""


class SourceIdentity(Settings):
    """What says which network this is, on any machine; the digest decides whether two are the same."""

    version: int = Field(default=VERSION, description="Version of this layout.")
    name: str = Field(description="Architecture by its full name: `timm/resnet18.a1_in1k`, `cifar/resnet20`.")
    weights: str = Field(description="Name of the weights file or tag, or `random (seed 0)`.")
    format: str = Field(description="The layout in which the weights were found.")
    digest: str = Field(description="`sha256:...` over the names, shapes and bytes of the body's tensors.")
    num_classes: int = Field(ge=1, description="Number of classes of the head.")
    head: str = Field(description="Module path of the last layer inside the body.")
    preprocessing: Pixels | Tokens | Latent
    modules: dict[str, dict[str, Size]] = Field(
        default_factory=dict,
        description="For a shrunken network: integer attributes of modules that differ from the architecture's, as in "
        "`{'conv1': {'out_channels': 40}}`.",
    )
    adaptation: AnyAdaptation | None = Field(
        default=None, description="How the architecture was adapted to a task; absent: it labels images."
    )
    configuration: dict[str, Any] | None = later_field(
        None,
        description="The content of the `config.json` that transformers builds the architecture from; absent for "
        "others.",
    )
    headless: bool = Field(
        default=False,
        description="Whether the weights came without a head, so that the head is random, not pretrained.",
    )
    projector: ProjectorRecord | None = later_field(
        None,
        description="The projector that the network was pretrained under without labels, in a file beside its weights; "
        "absent if there is none.",
    )
    code: str | None = Field(
        default=None,
        description="`sha256:...` over the user's own code behind the architecture; absent if there is none, and in "
        "records of older versions.",
    )
    notes: tuple[str, ...] = Field(default=(), description="What was assumed because nothing stated otherwise.")

    @model_validator(mode="before")
    @classmethod
    def _as_older_versions_wrote_it(cls, content: Any) -> Any:
        """Read records of older versions, whose one adaptation was called `segmentation`."""
        if not isinstance(content, dict) or "segmentation" not in content:
            return content
        older = {key: value for key, value in content.items() if key != "segmentation"}
        given = content["segmentation"]
        return older if given is None else {**older, "adaptation": {"kind": "segmentation", **given}}

    @property
    def facts(self) -> dict[str, str]:
        """Return what decides what the network computes: its weights and, where it is the user's own, its code."""
        code = {"network_code": self.code} if self.code is not None else {}
        projector = {"projector": self.projector.digest} if self.projector is not None else {}
        return {"source": self.digest, **code, **projector}

    @property
    def description(self) -> tuple[str, ...]:
        """Return in a few lines what goes in and comes out, and what was assumed or found while loading."""
        adapted, classes = self.adaptation, self.num_classes
        what = f"{classes} classes" if adapted is None else adapted.gives(classes)
        return (
            f"input: {self.preprocessing.describe()}",
            f"output: {what}, head {self.head}",
            *self.notes,
        )
