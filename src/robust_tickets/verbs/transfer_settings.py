"""How a ticket, or dense, is trained on a target."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.tasks.classification import Classification
from robust_tickets.tasks.kinds import AnyTask
from robust_tickets.tasks.task import Head
from robust_tickets.training.optimisers import AdamW
from robust_tickets.training.settings import Training

FINETUNING = Training(epochs=20, batch_size=32, optimiser=AdamW(lr=3e-4, weight_decay=0.01), head_lr=1e-3, warmup=1)
"""What a transfer does by default. AdamW, because its steps keep their length whatever a network's scale
and however much of it was removed: one set of rates serves networks with and without batch norm."""


class TransferSettings(Settings):
    """How a network is trained on its target; the same for ticket and dense, or they cannot be compared."""

    mode: Literal["full", "linear"] = Field(
        default="full",
        description="full: all surviving weights train; linear: only the head, on inputs that are not augmented.",
    )
    bn: Literal["source", "recalibrated", "batch"] = Field(
        default="source",
        description="Batch norm under linear: the source's statistics; computed once from the target's training "
        "images; or updated throughout (Salman et al., 2020). Full transfer always updates them.",
    )
    head: Head = Field(
        default="fresh",
        description="fresh: a new last layer for the target's classes; keep: the existing one.",
    )
    task: AnyTask | None = Field(
        default=None,
        description="What the network has to do: classification, or segmentation with head and output stride; "
        "absent: the task that the data imply.",
    )
    compact: bool = later_field(
        False,
        description="Whether a ticket trains without the channels, neurons and heads that it removes, and gets them "
        "back as zeros afterwards: faster, and the same but for rounding and dropout's choices.",
    )
    training: Training = Field(default=FINETUNING, description="Epochs, optimiser, objective and the rest.")
    rates: tuple[Annotated[float, Field(gt=0)], ...] = later_field(
        (),
        description="Learning rates of the head, under linear: one head trains at each, side by side on the same "
        "features, and the best on validation is kept; absent: one head, at the training's own rate.",
    )
    seeds: tuple[int, ...] = Field(
        default=(0, 1, 2),
        min_length=1,
        description="One run per seed; the seed decides head, order, fraction and attack noise.",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_older_versions_wrote_it(cls, values: Any) -> Any:
        """Read records of older versions, which knew one task besides classification and called it `segmentation`."""
        if not isinstance(values, dict) or "segmentation" not in values:
            return values
        older = {key: value for key, value in values.items() if key != "segmentation"}
        given = values["segmentation"]
        return older if given is None else {**older, "task": {"kind": "segmentation", **given}}

    @model_validator(mode="after")
    def _trains_more_than_a_head(self) -> Self:
        if self.compact and self.is_linear:
            raise ValueError("compact: linear transfer trains the head alone, which gains nothing; leave it out")
        if self.training.objective.own_views is not None and self.is_linear:
            raise ValueError(
                f"training.objective: {self.training.objective.describe()} learns features, which mode: linear leaves "
                "as they are; use mode: full, or objective: standard"
            )
        objective, others = self.training.objective, self.compact or self.is_linear
        if objective.reads_weights and not objective.follows_itself and others:
            what = "compact: true" if self.compact else "mode: linear"
            raise ValueError(
                f"training.objective: {objective.describe()} looks at all weights, and {what} trains with a part of "
                "them; leave one of the two out"
            )
        if self.rates:
            self._shares_features()
        return self

    def _shares_features(self) -> None:
        """Refuse rates where heads cannot train side by side, as each would alone."""
        training = self.training
        if self.batch_norm != "frozen":
            raise ValueError("rates: heads share the features of a frozen network; use mode: linear, and not bn: batch")
        if not training.objective.leaves_inputs or training.mixup or training.cutmix:
            raise ValueError(
                "rates: heads share the features of inputs as they are; use objective: standard, no mixing"
            )
        if training.clip_norm or training.keep != "last" or training.patience or training.until:
            raise ValueError("rates: heads train together to the end; leave out clip_norm, keep, patience and until")

    @property
    def is_linear(self) -> bool:
        """Return whether the head alone trains."""
        return self.mode == "linear"

    @property
    def batch_norm(self) -> Literal["updated", "frozen"]:
        """Return what becomes of batch-norm statistics during training."""
        return "frozen" if self.is_linear and self.bn != "batch" else "updated"

    @property
    def comparable(self) -> dict[str, Any]:
        """Return what decides the result of a seed, as plain values, as it always was written."""
        values = self.model_dump(mode="json", exclude={"seeds": True, "training": {"checkpoint_seconds"}})
        asked = self.task.recorded() if self.task is not None else Classification().recorded()
        place = list(values).index("task")
        return {**dict(list(values.items())[:place]), **asked, **dict(list(values.items())[place + 1 :])}

    def describe(self) -> str:
        """Return a few words for tables, such as `linear (bn source), standard`."""
        bn = f" (bn {self.bn})" if self.is_linear else ""
        head = f" ({told})" if self.task is not None and (told := self.task.describe()) else ""
        return f"{self.mode}{bn}{head}, {self.training.objective.describe()}"
