"""The tidy record every run writes and the report reads: one row per transferred network."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json, write_json
from robust_tickets.foundation.of_inputs import OfInputs
from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.report.sections import Section

Removed = Annotated[float, Field(ge=0.0, le=1.0)]
"""Measured fraction of prunable weights removed, in [0, 1]; 0 is dense."""

TicketKind = Literal["drawn", "dense", "random", "shuffled", "reinitialised", "complement", "flipped"]
"""A drawn ticket, the dense source, or a control: random mask, layer-wise shuffled mask, new weights, the mask of what
the ticket removed, some bits of the mask exchanged."""

TransferMode = Literal["linear", "full"]
"""Linear: only a new head trains on frozen features. Full: every surviving weight trains."""


class ResultRow(Settings):
    """One transferred network, measured once: one seed of one point of a curve."""

    series: str = Field(description="The source it comes from, as in a legend: 'robust', 'natural'.")
    ticket: TicketKind = Field(description="Drawn, dense, or the name of the control.")
    group: str = Field(default="element", description="What was removed as one: 'element', 'channel', '2:4'.")
    timeline: str = Field(default="one-shot", description="The timeline of removal: 'one-shot', 'iterative'.")
    drawing: str = Field(default="", description="Name of the way of drawing, if others remove the same group.")
    sparsity: Removed = Field(description="Measured sparsity over prunable weights, in [0, 1].")
    transfer: TransferMode = Field(description="What was trained on the target.")
    objective: str = Field(default="standard", description="The training objective: 'standard', 'pgd'.")
    training: str = Field(
        default="", description="Name of the way of training, if others have the same transfer and objective."
    )
    target: str = Field(description="The target data set.")
    fraction: str = Field(default="100 %", description="The share of the target's training data that was used.")
    score: str = Field(default="accuracy", description="The metric of the figures below.")
    unit: Unit = Field(default=PERCENT, description="How they are written.")
    seed: int = Field(description="Seed of the transfer; rows that differ only in it are averaged.")
    standard_accuracy: float = Field(
        description="The metric on clean test images, in its own unit: for accuracy a fraction in [0, 1]."
    )
    robust_accuracy: float | None = Field(default=None, description="The same under attack; absent if not measured.")
    validation_accuracy: float | None = Field(
        default=None, description="The same on the validation split used for selection."
    )

    @field_validator("standard_accuracy", "robust_accuracy", "validation_accuracy")
    @classmethod
    def _is_a_fraction_where_told_in_per_cent(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("unit") == PERCENT and not 0 <= value <= 1:
            raise ValueError(f"{value:g} is not a fraction in [0, 1]")
        return value


class VerdictRow(OfInputs):
    """Whether one ticket matches the dense transfer of the same source, over paired differences."""

    series: str = Field(description="The source, as in the rows.")
    target: str = Field(description="The target data set, as in the rows.")
    fraction: str = Field(default="100 %", description="The share of the training data that was used, as in the rows.")
    group: str = Field(default="element", description="What was removed as one, as in the rows.")
    drawing: str = Field(default="", description="Name of the way of drawing, as in the rows.")
    sparsity: Removed = Field(description="Measured sparsity of the ticket, in [0, 1].")
    transfer: TransferMode = Field(description="What was trained on the target.")
    objective: str = Field(default="standard", description="What it was trained for, as in the rows.")
    training: str = Field(default="", description="Name of the way of training, as in the rows.")
    measure: Literal["standard", "robust"] = Field(
        default="standard", description="What was compared: the metric on clean images, or under attack."
    )
    score: str = Field(default="accuracy", description="The metric that was compared.")
    unit: Unit = Field(default=PERCENT, description="How its values are written.")
    higher_is_better: bool = Field(default=True, description="Whether a higher value is better.")
    required: bool = Field(
        default=True, description="Whether the ticket has to match here to match at all; otherwise it is only reported."
    )
    verdict: Literal["matches", "does not match", "cannot tell"] = Field(
        description="Whether the whole interval loses less than the margin, the whole interval loses more, or neither."
    )
    difference: float = Field(description="Mean of ticket minus dense, in the metric's own unit: a fraction.")
    low: float | None = Field(default=None, description="Lower end of the interval; absent with one seed.")
    high: float | None = Field(default=None, description="Upper end of the interval; absent with one seed.")
    seeds: int = Field(ge=1, description="Number of paired seeds.")
    seeds_needed: int | None = Field(
        default=None, description="If undecided: the number of seeds that would decide it."
    )
    examples: int | None = later_field(
        None, description="Number of test examples that the interval accounts for; absent: it is over seeds alone."
    )
    examples_needed: int | None = later_field(
        None, description="If undecided: the number of test examples that would decide it with these seeds."
    )
    margin: float = Field(ge=0.0, description="Loss that still counts as matching, in the metric's own unit.")
    papers_rule: bool | None = Field(
        default=None,
        description="Whether mean >= dense mean - one standard deviation; absent with one seed.",
    )
    caveats: tuple[str, ...] = Field(default=(), description="Reasons to trust it less, one or two sentences each.")

    @property
    def gain(self) -> float:
        """How much better than dense the ticket is, in the metric's own unit; below 0 it is worse."""
        return self.difference if self.higher_is_better else -self.difference


class ShrinkRow(OfInputs):
    """One exported network: its size, and what was measured on it."""

    name: str = Field(description="What it is: 'dense', 'channels removed', 'sparse kernels'.")
    sparsity: Removed = Field(description="Measured sparsity over prunable weights, in [0, 1].")
    parameters: int = Field(ge=0, description="Parameters stored, zeros included.")
    nonzero: int = Field(ge=0, description="Parameters that are not zero.")
    macs: int | None = Field(default=None, ge=0, description="Multiply-accumulates for one image or text.")
    bytes: int = Field(ge=0, description="Size of the exported file in bytes.")
    latency_ms: float | None = Field(default=None, gt=0, description="Median latency for one batch, in ms.")
    ratio: float | None = Field(
        default=None,
        gt=0,
        description="Dense latency over this one's, measured in the same way; above 1 is faster.",
    )
    size_ratio: float | None = Field(
        default=None, gt=0, description="Bytes of dense's file over this one's; above 1 is smaller."
    )
    max_difference: float | None = Field(
        default=None, ge=0, description="Largest absolute difference of logits from the masked network's."
    )
    score: str = Field(default="accuracy", description="The metric that `accuracy` gives.")
    unit: Unit = Field(default=PERCENT, description="How it is written.")
    accuracy: float | None = Field(
        default=None, description="Mean over seeds on test data, in the metric's own unit; absent: not measured."
    )
    verdict: Literal["", "matches", "does not match", "cannot tell"] = Field(
        default="", description="The verdict on the ticket in this file; empty: it is dense, or there is no verdict."
    )
    series: str = Field(default="", description="Source of the ticket in this file, as in the verdicts.")
    group: str = Field(default="", description="What was removed as one, as in the verdicts.")
    transfer: Literal["", "full", "linear"] = Field(default="", description="How it was trained, as in the verdicts.")
    file: str = Field(default="", description="Name of the file in the run folder; empty: it was not kept.")
    note: str = Field(default="", description="What the figures do not show, in one sentence.")


class Summary(Settings):
    """Everything a report says. Values are in the metric's own unit; accuracies and sparsities are fractions."""

    version: Literal[1] = Field(default=1, description="Version of this format.")
    title: str = Field(description="Heading of the report.")
    facts: list[tuple[str, str]] = Field(
        default_factory=list, description="Settings and provenance, as pairs of label and value."
    )
    rows: list[ResultRow] = Field(default_factory=list, description="What was measured, one row per network.")
    verdicts: list[VerdictRow] = Field(default_factory=list, description="What was decided.")
    shrink: list[ShrinkRow] = Field(default_factory=list, description="What was exported.")
    layer_sparsity: dict[str, Removed] = Field(
        default_factory=dict,
        description="Measured sparsity of each prunable weight, by name, in network order.",
    )
    sections: list[Section] = Field(default_factory=list, description="Further findings, in the order shown.")
    notes: list[str] = Field(default_factory=list, description="Notes that a reader needs.")
    command: str = Field(default="", description="The command that repeats the run.")


def save_summary(summary: Summary, path: Path | str) -> None:
    """Write the summary as JSON, atomically."""
    write_json(path, summary.model_dump(mode="json"))


def load_summary(path: Path | str) -> Summary:
    """Read a summary written by `save_summary`.

    Raises:
        UserError: the file is missing, is not JSON, or is not a summary; the first fault is named.
    """
    content = read_json(path)
    try:
        return Summary.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(
            f"{path}: is not the summary of a run ({where}: {first['msg']}); rerun the command to write it"
        ) from None
