"""Measure: what a transferred network does on test or validation images, once, kept in its folder."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from robust_tickets.data import batches
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.accuracy import correctness
from robust_tickets.measures.evaluation import Evaluation, balanced_first, evaluate
from robust_tickets.measures.predict import evaluation_mode, logits
from robust_tickets.verbs.transfer import Run

Part = Literal["test", "validation"]


def measure(run: Run, robustness: Evaluation | None, part: Part = "test") -> dict[str, Tensor]:
    """Return correctness, image by image: `clean` bool [N] and, under an attack, `robust` bool [M].

    Everything is measured once and kept in the run's folder.

    Raises:
        UserError: the part holds no images.
    """
    if not len(run.data.test if part == "test" else run.data.validation):
        raise UserError(f"{run.data.name}: the {part} part is empty; set the data's `{part}` fraction above 0")
    attacks = {"clean": None} | ({"robust": robustness} if robustness is not None else {})
    return {kind: measure_once(run, attack, part) for kind, attack in attacks.items()}


def measure_once(run: Run, attack: Evaluation | None, part: Part) -> Tensor:
    """Return correctness bool [N] under an attack or none, measured now or taken from the run's folder."""
    settings = {"part": part, "attack": attack.model_dump(mode="json") if attack is not None else None}
    step = Step.named(run.folder, f"{part}-{attack.attack if attack is not None else 'clean'}", settings)
    if step.result is not None:
        return from_hex(step.result["correct"])
    data = run.data.test if part == "test" else run.data.validation
    if attack is not None and attack.limit is not None:
        data = data.subset(torch.tensor(balanced_first([int(label) for label in data.labels], attack.limit)))
    images = batches(data, batch_size=256, seed=0, train=False)
    with step.claim(), evaluation_mode(run.classifier, next(run.classifier.parameters()).device) as predict:
        if attack is not None:
            correct = evaluate(predict, images, attack, run.seed).robust
        else:
            with torch.no_grad():
                correct = correctness(*logits(predict, images))
        step.finish({"correct": to_hex(correct)})
    return correct


def to_hex(bits: Tensor) -> str:
    """Return a bool vector as `count:hex`."""
    return f"{len(bits)}:{np.packbits(bits.numpy()).tobytes().hex()}"


def from_hex(text: str) -> Tensor:
    """Undo `to_hex`."""
    count, packed = text.split(":")
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(packed), dtype=np.uint8), count=int(count))
    return torch.from_numpy(bits.astype(bool))
