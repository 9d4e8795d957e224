"""How a network is trained: one frozen type for pretraining, drawing and transfer."""

from typing import Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.objectives import AnyObjective, Standard
from robust_tickets.pruning.plans import Plan, steps_of
from robust_tickets.training.optimisers import SGD, AdamW, Optimiser
from robust_tickets.training.precision import Precision
from robust_tickets.training.schedules import Cosine, Schedule


class Training(Settings):
    """Everything about training except its data, its network and its masks."""

    epochs: float = Field(default=30, ge=0, description="Passes over the training data; fractions allowed.")
    batch_size: int = Field(default=128, ge=1, description="Examples per step, over all processes and accumulation.")
    objective: AnyObjective = Field(
        default=Standard(),
        description="The training objective: standard, pgd, freelb, fgsm-rs, free, trades, smoothing, distillation, "
        "repellence; without labels simclr, moco, dino.",
    )
    optimiser: Optimiser = Field(default=SGD(), description="sgd or adamw, with its rate and decay.")
    head_lr: float | None = Field(default=None, gt=0, description="Peak learning rate of the head; absent: the body's.")
    schedule: Schedule = Field(
        default=Cosine(), description="constant, cosine, step or poly, restarted at every rewind."
    )
    warmup: float = Field(default=0.0, ge=0, description="Epochs of linear warm-up.")
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Probability spread over all classes, in [0, 1)."
    )
    mixup: float = Field(default=0.0, ge=0, description="Alpha of mixup (torchvision); 0 switches it off.")
    cutmix: float = Field(default=0.0, ge=0, description="Alpha of cutmix (torchvision); 0 switches it off.")
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay per step of the weights' moving average, which is then what is kept; 0: no average.",
    )
    accumulate: int = Field(default=1, ge=1, description="Number of parts into which a batch is split, to save memory.")
    clip_norm: float = Field(default=0.0, ge=0, description="Largest gradient norm; 0: no clipping.")
    precision: Precision = Field(
        default="auto", description="auto: bf16 if machine and network gain from it, otherwise fp32."
    )
    keep: Literal["best", "last", "steadiest"] = Field(
        default="last",
        description="Which weights are kept: the best on validation, the last, or of a picture those around "
        "which it varies least, for which nothing has to judge (ES-WMV).",
    )
    window: int = later_field(
        20, ge=2, description="Of a single picture, the validations over which its variance is taken (ES-WMV)."
    )
    patience: int = Field(
        default=0, ge=0, description="Stop after this many validations without improvement; 0: never."
    )
    until: float = later_field(
        0.0, ge=0, description="Stop once the mean loss between two validations is this low; 0: train to the end."
    )
    validate_every: float = Field(default=1.0, gt=0, description="Epochs between validations.")
    checkpoint_seconds: float = Field(default=30.0, ge=0, description="Seconds between checkpoints.")

    @model_validator(mode="after")
    def _is_possible(self) -> "Training":
        if self.accumulate > self.batch_size:
            raise ValueError(f"accumulate {self.accumulate} is larger than batch_size {self.batch_size}")
        if self.accumulate > 1 and self.objective.whole_batches:
            raise ValueError(
                f"{self.objective.kind} training {self.objective.whole_batches} and cannot accumulate; use "
                "accumulate: 1"
            )
        if self.objective.own_views is not None and self.batch_size < 2:
            raise ValueError(f"{self.objective.describe()} compares images with each other; use batch_size 2 or more")
        if self.mixup and self.cutmix:
            raise ValueError("mixup and cutmix exclude each other; set one of them to 0")
        return self

    def plan(self, steps_per_epoch: int) -> Plan:
        """Return the epochs as a plan, in which nothing happens between the steps."""
        return Plan(steps_of(self.epochs, steps_per_epoch), ())


__all__ = ["SGD", "AdamW", "Training"]
