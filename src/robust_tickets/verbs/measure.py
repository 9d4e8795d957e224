"""Measure: what a transferred network does on test or validation images, once, kept in its folder."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from robust_tickets.data.batches import batches
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import Part as ImageSet
from robust_tickets.foundation.digests import contents_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.evaluation import Evaluation, balanced_first
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.measure import Measure
from robust_tickets.measures.predict import Batches, evaluation_mode
from robust_tickets.shrinking.artefact import Artefact
from robust_tickets.shrinking.export import portable
from robust_tickets.verbs.target import fitted_data
from robust_tickets.verbs.task import task_of
from robust_tickets.verbs.transfer import Run
from robust_tickets.verbs.verify_settings import Part


def measure(run: Run, robustness: Evaluation | None, part: Part = "test") -> dict[str, Tensor]:
    """Return what the score is computed from (`measures/score.py`): `clean` and, under an attack, `robust`.

    That is correctness image by image, bool [N], or the confusion matrix of pixels, int64 [classes, classes].
    Everything is measured once and kept in the run's folder.

    Raises:
        UserError: the part holds no images.
    """
    attacks = {"clean": None} | ({"robust": robustness} if robustness is not None else {})
    return {kind: measure_once(run, attack, part) for kind, attack in attacks.items()}


def measure_once(run: Run, attack: Evaluation | None, part: Part, artefact: Artefact | None = None) -> Tensor:
    """Return what the score is computed from, under an attack or none, measured now or taken from the run's folder.

    Args:
        run: the transferred network.
        attack: the attack and on how many images; None for the images as they are.
        part: whose images.
        artefact: the run's exported file, to be measured in its place; attacks that need gradients are crafted on
            the network and replayed on the file.
    """
    settings = {"part": part, "attack": attack.model_dump(mode="json") if attack is not None else None}
    step = _step(run, attack.attack.kind if attack is not None else "clean", settings, part, artefact)
    score = task_of(run.data).score
    if step.result is not None:
        return score.unpacked(step.result)
    with step.claim(), examined(run, part, artefact) as examinee:
        attackers = [attack.attacker(examinee.predict, run.seed, examinee.craft)] if attack is not None else []
        images = examinee.images(attack.limit if attack is not None else None)
        measured = score.measured(examinee.predict, images, attackers)[-1]
        step.finish(score.packed(measured))
    return measured


def figures_once(run: Run, asked: Measure, part: Part = "test", artefact: Artefact | None = None) -> dict[str, float]:
    """Return a measure's figures by name, measured now or taken from the run's folder; see `measure_once`."""
    settings: dict[str, object] = {"part": part, "measure": asked.model_dump(mode="json")}
    if reads := asked.reads():
        settings["reads"] = {str(path): contents_digest(path) for path in reads}
    step = _step(run, asked.model_dump()["kind"], settings, part, artefact)
    if step.result is not None:
        return step.result["figures"]
    with step.claim(), examined(run, part, artefact) as examinee:
        figures = asked.figures(examinee)
        step.finish({"figures": figures})
    return figures


def _step(run: Run, name: str, settings: dict[str, object], part: Part, artefact: Artefact | None) -> Step:
    if artefact is None:
        return Step.named(run.folder, f"{part}-{name}", settings)
    return Step.named(run.folder, f"{part}-exported-{name}", {**settings, "file": artefact.digest})


@contextmanager
def examined(run: Run, part: Part, artefact: Artefact | None = None) -> Iterator[Examinee]:
    """Yield a run's network, or its exported file, as measures see it, with the images of a part.

    Raises:
        UserError: the part holds no images.
    """
    data = run.data.test if part == "test" else run.data.validation
    if not len(data):
        raise UserError(f"{run.data.name}: the {part} part is empty; set the data's `{part}` fraction above 0")
    # A file runs on the CPU, and so does the network on which its attacks are crafted.
    network = run.classifier if artefact is None else portable(run.classifier)
    preprocessing = run.classifier.preprocessing

    def other(settings: DataSettings, limit: int | None) -> Batches:
        return in_order(fitted_data(settings, preprocessing, "the network", run.seed).test, limit)

    with evaluation_mode(network, next(network.parameters()).device) as predict:
        measured = predict if artefact is None else artefact.predict
        yield Examinee(measured, predict, lambda limit: in_order(data, limit), other, run.seed)


def in_order(data: ImageSet, limit: int | None) -> Batches:
    """Return images and labels in batches, in a fixed order; at most so many, balanced over classes."""
    if limit is not None:
        data = data.subset(torch.tensor(balanced_first([int(label) for label in data.labels], limit)))
    return batches(data, batch_size=256, seed=0, train=False)
