"""Shrink: make a transferred ticket physically smaller, export it, and time it beside dense."""

from pathlib import Path
from typing import Any

from robust_tickets.foundation.digests import file_digest
from robust_tickets.foundation.steps import Step
from robust_tickets.models.segmentation import placed
from robust_tickets.shrinking.settings import ShrinkSettings
from robust_tickets.shrinking.shrink import ShrinkReport, shrink_network
from robust_tickets.verbs.exported import provenance_of
from robust_tickets.verbs.target import changed
from robust_tickets.verbs.transfer import Transfer
from robust_tickets.verbs.verify import dense_transfer


def shrink(
    result: Transfer,
    out: Path | str,
    *,
    dense: Transfer | None = None,
    settings: ShrinkSettings | None = None,
    folder: Path | str | None = None,
    **changes: Any,
) -> ShrinkReport:
    """Export the transfer's best run (on validation) to an ONNX file without the channels that are zero.

    Args:
        result: a transferred ticket.
        out: the ONNX file to write; normalisation is inside, images in [0, 1] go in.
        dense: dense under the same settings, to be timed beside it; made where it is not given.
        settings: rounding of channels, threads, batch size; `changes` are keyword changes to it.
        folder: keeps what was measured, so that a second call does not measure again.

    Raises:
        UserError: the network cannot be traced or exported, or the place cannot be written.
    """
    settings = changed(settings or ShrinkSettings(), changes)
    run = result.best
    provenance = provenance_of(result, run)
    out = Path(out)
    identity = {
        "verb": "shrink",
        **provenance.model_dump(),
        "transfer": result.settings.comparable,
        "data": run.data.digest,
        "settings": settings.model_dump(mode="json"),
    }
    step = Step.named(Path(folder) if folder is not None else None, "shrink", identity)
    if step.result is not None and out.exists() and file_digest(out) == step.result["file"]:
        return ShrinkReport.model_validate(step.result["report"])
    dense = dense or dense_transfer(result)
    counterpart = next(other for other in dense.runs if other.seed == run.seed)
    masks = placed(result.ticket.masks, run.classifier) if result.ticket is not None else {}
    with step.claim():
        report = shrink_network(
            counterpart.classifier,
            run.classifier,
            masks,
            out,
            settings,
            classes=run.data.classes,
            provenance=provenance,
        )
        step.finish({"file": file_digest(out), "report": report.model_dump(mode="json")})
    return report
