"""Measure: what a transferred network does on test or validation images, once, kept in its folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from robust_tickets.attacks.attack_log import AttackLog, GradientCounts
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.data.batches import batches
from robust_tickets.data.examples import Examples
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.digests import contents_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.evaluation import Evaluation, balanced_first
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.logits import Batches
from robust_tickets.measures.measure import Measure
from robust_tickets.shrinking.artefact import Artefact
from robust_tickets.shrinking.export import portable
from robust_tickets.tasks.target import fitted_data, require_size
from robust_tickets.verbs.pace import BATCH, Pace
from robust_tickets.verbs.transfer import Run
from robust_tickets.verbs.verify_settings import Part

WITHOUT = "without_part"
"""Key of a metric's values without each part of the set in turn; older results lack it, and are kept."""

GRADIENTS = "gradients"
"""Key of the gradient counts in a result; results of attacks from before they were counted are measured again."""


class Outcome(NamedTuple):
    """What was measured of a network, as it is or under an attack."""

    values: Tensor
    """What the score is computed from (`measures/metric.py`): correctness image by image, bool [N], or the confusion
    matrix of pixels, int64 [classes, classes]."""
    gradients: GradientCounts | None
    """On how many images the attack saw no gradient; None if it asks for none."""
    without: Tensor | None = None
    """Of a metric of the whole set: its value without each part of the set in turn, float64 [parts]; None: unknown."""


def outcomes(run: Run, robustness: Evaluation | None, part: Part = "test") -> dict[str, Outcome]:
    """Return what was measured: `clean` and, under an attack, `robust`; once, and kept in the run's folder.

    Raises:
        UserError: the part holds no images.
    """
    attacks = {"clean": None} | ({"robust": robustness} if robustness is not None else {})
    return {kind: outcome_once(run, attack, part) for kind, attack in attacks.items()}


def measure(run: Run, robustness: Evaluation | None, part: Part = "test") -> dict[str, Tensor]:
    """Return what the score is computed from: `clean` and, under an attack, `robust`; see `outcomes`."""
    return {kind: outcome.values for kind, outcome in outcomes(run, robustness, part).items()}


def measure_once(run: Run, attack: Evaluation | None, part: Part, artefact: Artefact | None = None) -> Tensor:
    """Return what the score is computed from, under an attack or none; see `outcome_once`."""
    return outcome_once(run, attack, part, artefact).values


def outcome_once(run: Run, attack: Evaluation | None, part: Part, artefact: Artefact | None = None) -> Outcome:
    """Return what is measured under an attack or none, measured now or taken from the run's folder.

    Args:
        run: the transferred network.
        attack: the attack and on how many images; None for the images as they are.
        part: whose images.
        artefact: the run's exported file, to be measured in its place; attacks that need gradients are crafted on
            the network and replayed on the file.
    """
    settings = {"part": part, "attack": attack.model_dump(mode="json") if attack is not None else None}
    step = _step(run, attack.attack.kind if attack is not None else "clean", settings, part, artefact)
    score = run.task.metric(run.data.classes)
    if (kept := step.result) is not None and (attack is None or attack.gradient_free or GRADIENTS in kept):
        counts, without = kept.get(GRADIENTS), kept.get(WITHOUT)
        return Outcome(
            score.unpacked(kept),
            GradientCounts.model_validate(counts) if counts is not None else None,
            torch.tensor(without, dtype=torch.float64) if without is not None else None,
        )
    what = attack.describe() if attack is not None else score.name
    with step.claim(), examined(run, part, artefact, what) as examinee:
        log = AttackLog(examinee.tell)
        attackers = (
            [attack.attacker(examinee.predict, run.seed, examinee.craft, log, examinee.aim)]
            if attack is not None
            else []
        )
        parts = examinee.in_parts(attack.limit if attack is not None else None, score.parts)
        measured, without = score.measured_in_parts(examinee.predict, parts, attackers)
        seen = {GRADIENTS: log.gradients.model_dump()} if log.gradients is not None else {}
        by_part = {WITHOUT: without.tolist()} if without is not None else {}
        step.finish({**score.packed(measured), **seen, **by_part})
    return Outcome(measured, log.gradients, without)


def figures_once(run: Run, asked: Measure, part: Part = "test", artefact: Artefact | None = None) -> dict[str, float]:
    """Return a measure's figures by name, measured now or taken from the run's folder; see `measure_once`."""
    settings: dict[str, object] = {"part": part, "measure": asked.model_dump(mode="json")}
    if reads := asked.reads():
        settings["reads"] = {str(path): contents_digest(path) for path in reads}
    step = _step(run, asked.model_dump()["kind"], settings, part, artefact)
    if (kept := step.result) is not None and asked.is_whole(kept["figures"]):
        return kept["figures"]
    with step.claim(), examined(run, part, artefact, asked.describe()) as examinee:
        figures = asked.figures(examinee)
        step.finish({"figures": figures})
    return figures


def _step(run: Run, name: str, settings: dict[str, object], part: Part, artefact: Artefact | None) -> Step:
    if artefact is None:
        return Step.named(run.folder, f"{part}-{name}", settings)
    return Step.named(run.folder, f"{part}-exported-{name}", {**settings, "file": artefact.digest})


@contextmanager
def examined(run: Run, part: Part, artefact: Artefact | None = None, what: str = "measuring") -> Iterator[Examinee]:
    """Yield a run's network, or its exported file, as measures see it, with the images of a part.

    `what` is measured: so the progress display calls it.

    Raises:
        UserError: the part holds no images.
    """
    data = part_of(run.data, part)
    # A file runs on the CPU, and so does the network on which its attacks are crafted.
    network = run.network if artefact is None else portable(run.network)
    preprocessing = run.network.interface
    pace = Pace(f"{run.data.name}, seed {run.seed}, {what}", data.inputs.noun)

    def images(limit: int | None) -> Batches:
        return pace.shown(in_order(data, limit), min(len(data), limit or len(data)))

    def in_parts(limit: int | None, count: int) -> Iterator[Batches]:
        parts = in_parts_of(limited(data, limit), count)
        return pace.of_parts([in_order(one, None) for one in parts], [len(one) for one in parts])

    def examples(limit: int | None) -> Examples:
        return limited(data, limit)

    def other(settings: DataSettings, limit: int | None) -> Batches:
        others = fitted_data(settings, preprocessing, "the network", run.seed)
        require_size(run.network, others, "the network")
        return in_order(others.test, limit)

    with evaluation_mode(network, next(network.parameters()).device) as predict:
        craft = pace.counted(predict)
        measured = craft if artefact is None else pace.counted(artefact.predict)
        aim = run.task.criterion(0).aim
        yield Examinee(measured, craft, images, in_parts, examples, other, run.seed, pace.tell, aim)


def part_of(data: DataSplits, part: Part) -> Examples:
    """Return the images that are measured on.

    Raises:
        UserError: there are none.
    """
    chosen = data.test if part == "test" else data.validation
    if not data.train.targets.judge:
        raise UserError(f"{data.name}: {data.train.targets.unjudged}")
    if not len(chosen):
        raise UserError(f"{data.name}: the {part} part is empty; set the data's `{part}` fraction above 0")
    return chosen


def in_order(data: Examples, limit: int | None) -> Batches:
    """Return images and labels in batches, in a fixed order; at most this many, balanced over classes."""
    return batches(limited(data, limit), batch_size=BATCH, seed=0, train=False)


def in_parts_of(data: Examples, count: int) -> list[Examples]:
    """Return so many parts of examples, at most one for each, each of which has examples from all over the set.

    Every so many examples make a part: data are often sorted by class, or by video.
    """
    count = min(count, len(data))
    if count == 1:
        return [data]
    return [data.subset(torch.arange(first, len(data), count)) for first in range(count)]


def limited(data: Examples, limit: int | None) -> Examples:
    """Return at most this many examples, balanced over classes; None: all."""
    if limit is None:
        return data
    return data.subset(torch.tensor(balanced_first([int(label) for label in data.labels], limit)))
