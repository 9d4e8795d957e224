"""Shrink: make a transferred ticket physically smaller, export it, and time it against dense."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robust_tickets.attacks.predict import Predict, evaluation_mode
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.digests import file_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import disk_errors
from robust_tickets.foundation.ownership import MASKS, require_apart, require_ours
from robust_tickets.foundation.settings import changed
from robust_tickets.foundation.steps import Step
from robust_tickets.models.adaptations.adapted_body import place_in, placed
from robust_tickets.models.folders import FACTS, WEIGHTS
from robust_tickets.models.identity import SourceIdentity
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.pruning.masks import sparsity
from robust_tickets.shrinking import places
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.export import Provenance
from robust_tickets.shrinking.folder import ORIGIN, write_folder
from robust_tickets.shrinking.form_score import FormScore, told
from robust_tickets.shrinking.forms import FOLDER, ShippedForm, form_of
from robust_tickets.shrinking.settings import ShrinkSettings
from robust_tickets.shrinking.shrink import ShrinkReport, Shrunken, int8_path, shrink_network
from robust_tickets.tasks.target import Data
from robust_tickets.ticket.ticket import INIT, STATISTICS, TICKET, Ticket
from robust_tickets.training.batch_norm import recalibrate
from robust_tickets.verbs.exported import provenance_of
from robust_tickets.verbs.measure import in_order
from robust_tickets.verbs.own_loop import Given, as_transfer, dense_stand_in, own_counterpart
from robust_tickets.verbs.transfer import Run


def shrink(
    result: Given,
    out: Path | str,
    *,
    dense: Given | None = None,
    data: Data | None = None,
    ticket: Ticket | None = None,
    settings: ShrinkSettings | None = None,
    folder: Path | str | None = None,
    **changes: Any,
) -> ShrinkReport:
    """Write the transfer's best run (on validation) without its zero channels, and time it against dense.

    An ONNX file has normalisation inside: images in [0, 1] go in. So has a runtime file (.rtk), which leaves out every
    zero, even of single weights, and is executed by `rt.load_runtime`. A folder is read by `rt.load`, without
    pickle and without any class but the architecture's own; it is a source like any other, which can be drawn from and
    transferred. Zeros that remain in it are stored as masks: they stay zero when it is transferred.

    Args:
        result: a transferred ticket; or a network that you trained, with `data`.
        out: the ONNX or runtime file to write, or a folder: a name without suffix, one that ends in `/`, or an
            existing one.
        dense: dense under the same settings, timed alongside it; made if it is not given (for a network that
            you trained, one with fresh weights, which is as large and as fast).
        data: the data that a network of yours was trained on, as in `transfer`.
        ticket: the ticket whose masks it kept; without it, its zeros are the ticket.
        settings: rounding of channels, recalibration of batch norm, an 8-bit file, threads, batch size; `changes` are
            keyword changes to it. Settings that change answers are checked on validation.
        folder: stores the measurements, so that a second call does not measure again.

    Raises:
        UserError: the network cannot be traced or exported, the place has somebody else's file or cannot be written,
            or validation images are needed and there are none.
    """
    settings = changed(settings or ShrinkSettings(), changes)
    form = require_form(settings, out)
    result = as_transfer(result, data, ticket)
    require_apart(out, result.data)
    run = result.best
    require_shrinkable(settings, form, run.network, run.data)
    provenance = provenance_of(result, run)
    out = Path(out)
    forms = {"shrunk": out} | ({"int8": int8_path(out)} if settings.int8 is not None else {})
    for path in forms.values():
        require_ours(path)
    identity = {
        "verb": "shrink",
        **provenance.model_dump(),
        "transfer": result.settings.comparable,
        "data": run.data.digest,
        "settings": settings.model_dump(mode="json"),
        "form": form.name,
    }
    step = Step.named(Path(folder) if folder is not None else None, "shrink", identity)
    if step.result is not None and digests(forms) == step.result["files"]:
        return ShrinkReport.model_validate(step.result["report"])
    if dense is not None:
        dense = own_counterpart(result, dense)
    else:
        dense = result.dense() if result.described is None else dense_stand_in(result)
    counterpart = next(other for other in dense.runs if other.seed == run.seed)
    masks = placed(result.ticket.masks, run.network.body) if result.ticket is not None else {}
    with step.claim():
        report = shrink_network(
            counterpart.network,
            run.network,
            masks,
            out,
            settings,
            classes=run.data.classes,
            provenance=provenance,
            recalibrate=lambda network: recalibrate(network, in_order(run.data.train, None)),
            calibration=calibration_images(run, settings),
            write=save_folder(
                out, result.ticket, result.source.identity, classes=run.data.classes, provenance=provenance
            )
            if form.is_folder
            else None,
        )
        if changes_answers(settings) is not None:
            checks = form_scores(run, forms)
            report = report.model_copy(update={"checks": checks, "sentence": report.sentence + told(checks)})
        step.finish({"files": digests(forms), "report": report.model_dump(mode="json")})
    return report


def require_form(settings: ShrinkSettings, out: Path | str) -> ShippedForm:
    """Return what is to be written; refuse what cannot be, before anything is made.

    Raises:
        UserError: the name does not say what to write, a folder that is something else, or settings of another form.
    """
    form, out = FOLDER if places.require_form(out) else form_of(Path(out)), Path(out)
    if form.is_folder and not (out / ORIGIN).is_file():
        foreign = [name for name in ("transfer.json", TICKET, MASKS, INIT, FACTS, WEIGHTS) if (out / name).exists()]
        if foreign:
            raise UserError(
                f"{out}: contains something else ({foreign[0]}), which would be lost; choose another folder"
            )
    form.require(settings)
    return form


def require_shrinkable(settings: ShrinkSettings, form: ShippedForm, network: Network, data: DataSplits) -> None:
    """Refuse a network that cannot be written in a form, and what changes answers where that cannot be checked.

    Raises:
        UserError: says what is missing.
    """
    form.require_network(network)
    asked = changes_answers(settings)
    if asked is not None and not network.gives_logits:
        raise UserError(
            f"{asked}: what that changes is checked logit by logit, and {network.called} gives "
            f"{' and '.join(network.answers)}; leave it out"
        )
    if asked is not None and not len(data.validation):
        raise UserError(
            f"{data.name}: the validation part is empty, on which {asked} is checked; set the data's `validation` "
            "fraction above 0"
        )


def changes_answers(settings: ShrinkSettings) -> str | None:
    """Return the name of a setting after which the network answers otherwise, or None."""
    asked = {"int8": settings.int8 is not None, "half": settings.half, "recalibrate": settings.recalibrate}
    return next((name for name, given in asked.items() if given), None)


def calibration_images(run: Run, settings: ShrinkSettings) -> np.ndarray | None:
    """Return training images, balanced over classes, unaugmented: float32 [N, C, H, W] in [0, 1]; None for no int8.

    Of texts none are needed: ranges of their activations are measured at each call.
    """
    if settings.int8 is None or run.network.interface.channels is None:
        return None
    return torch.cat([images for images, _ in in_order(run.data.train, settings.int8.images)]).numpy()


def save_folder(
    folder: Path,
    ticket: Ticket | None,
    identity: SourceIdentity,
    *,
    classes: Sequence[str] | None = None,
    provenance: Provenance | None = None,
) -> Callable[[Shrunken], None]:
    """Return what writes a smaller network into a folder; where zeros are left in it, with the ticket that holds them.

    Args:
        folder: where to write.
        ticket: the ticket that it was made from, if there is one.
        identity: of the source.
        classes: names in the order of the logits.
        provenance: which ticket and network it is of.
    """

    def write(shrunken: Shrunken) -> None:
        for name in (TICKET, MASKS, INIT, STATISTICS):
            with disk_errors(folder):
                (folder / name).unlink(missing_ok=True)
        written = write_folder(
            shrunken.network, shrunken.before, identity, folder, classes=classes, provenance=provenance
        )
        masks = shrunken.masks
        if ticket is None or all(bool(mask.all()) for mask in masks.values()):
            return
        counted = {place_in(shrunken.network.body, name) for name in ticket.prunable}
        prunable = tuple(name for name in masks if name in counted)
        recipe = {
            "source": SourceSettings(name=str(folder.resolve())).model_dump(mode="json"),
            "draw": {**ticket.recipe["draw"], "sparsity": sparsity(masks, prunable)},
        }
        Ticket(masks, prunable, written, recipe=recipe, provenance=ticket.provenance).save(folder)

    return write


def form_scores(run: Run, forms: Mapping[str, Path]) -> tuple[FormScore, ...]:
    """Return the score of the run's network and of each file made of it, on validation."""
    metric, device = run.task.metric(run.data.classes), next(run.network.parameters()).device
    checks: list[FormScore] = []
    before: list[Tensor] | None = None
    with evaluation_mode(run.network, device) as network:
        predicts: dict[str, Predict] = {"ticket": network}
        predicts |= {path.name: load_artefact(path, like=run.network).predict for path in forms.values()}
        for form, predict in predicts.items():
            answers: list[Tensor] = []

            def watched(inputs: Any, predict: Predict = predict, answers: list[Tensor] = answers) -> Tensor:
                outputs = predict(inputs)
                if (decided := run.network.decided(inputs, outputs)) is not None:
                    answers.append(decided.flatten().cpu())
                return outputs

            measured = metric.measured(watched, in_order(run.data.validation, None))[0]
            checks.append(
                FormScore(
                    form=form,
                    score=metric.name,
                    unit=metric.unit,
                    value=metric.value(measured),
                    agreement=equal(answers, before if before is not None else answers),
                    images=len(run.data.validation),
                    noun=run.network.interface.noun,
                )
            )
            before = answers
    return tuple(checks)


def equal(answers: list[Tensor], others: list[Tensor]) -> float | None:
    """Return the fraction of answers that are the same, in [0, 1]; None if there are none."""
    return (torch.cat(answers) == torch.cat(others)).double().mean().item() if answers else None


def digests(forms: Mapping[str, Path]) -> list[str]:
    """Return the digests of what was written; files that are not there are left out."""
    files = [
        path / name if name else path
        for path in forms.values()
        for name in ((FACTS, WEIGHTS) if path.is_dir() else ("",))
    ]
    return [file_digest(path) for path in files if path.is_file()]
