"""From the parts a data set has to the three that honest work needs: class-balanced, seeded, nested choices."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from robust_tickets.data.examples import Listing
from robust_tickets.data.names import PartName
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator

TEST_SEED = 0
"""Test parts are carved alike whatever the run's seed: no run may train on another's test images."""

ORDER: tuple[PartName, ...] = ("test", "validation", "train")
"""Which part is measured if nothing is trained: the first of these that exists."""


def carve(
    found: Mapping[PartName, Listing], name: str, classes: Sequence[str], settings: DataSettings, seed: int
) -> tuple[dict[PartName, Listing], tuple[str, ...]]:
    """Return the three parts, and how the missing ones came about.

    Args:
        found: the parts there are.
        name: what messages call the data.
        classes: what fractions are balanced over; none if images have no class.
        settings: the fractions, and perhaps a seed for them.
        seed: of the run.
    """
    parts, notes = dict(found), []
    noun = noun_of(found)
    if len(parts) == 1 and "train" not in parts:
        (only, part) = parts.popitem()
        parts["train"] = part
        notes.append(f"only a {only} part was found; it is treated as an undivided set")
    if "train" not in parts:
        raise UserError(f"{name}: has {' and '.join(parts)} and no training part")
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
        notes.append("the set's validation part serves as test")
    if "test" not in parts:
        labels = parts["train"].labels
        kept, held = choose(labels, classes, hold_out=settings.test, seed=TEST_SEED, stream="test", noun=noun)
        parts["test"], parts["train"] = parts["train"].subset(held), parts["train"].subset(kept)
        whole = "each class" if classes else f"its {noun}"
        share = f"test is a fixed {100 * settings.test:.3g} % of {whole}, the same for every seed"
        notes.append(share if settings.test else f"no test part: nothing can be measured on these {noun}")
    given = "validation" in parts
    kept, held = choose(
        parts["train"].labels,
        classes,
        fraction=settings.fraction,
        per_class=settings.per_class,
        hold_out=0.0 if given else settings.validation,
        seed=seed if settings.seed is None else settings.seed,
        stream="validation",
        noun=noun,
    )
    if not given:
        parts["validation"] = parts["train"].subset(held)
        share = f"validation is {100 * settings.validation:.3g} % of the training {noun} used"
        notes.append(share if len(held) else f"no validation part: data.validation is {settings.validation:g}")
    parts["train"] = parts["train"].subset(kept)
    return parts, tuple(notes)


def undivided(found: Mapping[PartName, Listing]) -> tuple[dict[PartName, Listing], tuple[str, ...]]:
    """Return parts of which only test matters, as nothing is trained, and which images those are; nothing is carved.

    Args:
        found: the parts there are.
    """
    noun = noun_of(found)
    taken: PartName = next(part for part in ORDER if part in found)
    none = found[taken].subset(torch.zeros(0, dtype=torch.long))
    parts: dict[PartName, Listing] = {"train": none, "validation": none, "test": found[taken]}
    return parts, () if taken == "test" else (
        f"all {noun} of the {taken} part are test {noun}, since nothing is trained",
    )


def noun_of(found: Mapping[PartName, Listing]) -> str:
    """Return what the inputs of some parts are, for messages."""
    return next(iter(found.values())).inputs.noun


def held_out(count: int, fraction: float) -> int:
    """Return how many of a class's first `count` images are held out: about `fraction`, at least one, never
    all. It grows by at most one as `count` does, so that the parts held out of nested parts are nested too."""
    return min(count - 1, max(1, int(count * fraction + 0.5))) if count and fraction else 0


def choose(
    labels: Tensor,
    classes: Sequence[str],
    *,
    fraction: float = 1.0,
    per_class: int | None = None,
    hold_out: float = 0.0,
    seed: int,
    stream: str,
    noun: str = "images",
) -> tuple[Tensor, Tensor]:
    """Return sorted indices `(kept, held)` of a class-balanced part of the images.

    Of each class, floor(fraction * n + 1/2) images (or `per_class`) are taken; of those, the fraction
    `hold_out` is held out. For one seed the two parts of a smaller fraction are contained in the two parts of
    every larger one.

    Args:
        labels: int64 `(N,)`.
        classes: names of the classes, for messages; none if images have no class.
        fraction: part of each class, in (0, 1].
        per_class: images of each class, instead of a fraction.
        hold_out: part of what was taken that is held out, in [0, 1).
        seed: the run's seed.
        stream: name of the random stream.
        noun: what the examples are, for messages.

    Raises:
        UserError: a class would keep no image, has fewer than `per_class`, or cannot be in both parts.
    """
    kept, held = [], []
    for label in labels.unique().tolist():
        indices = (labels == label).nonzero().flatten()
        total = len(indices)
        count = int(fraction * total + 0.5) if per_class is None else per_class
        of_class = f"the {total} training {noun if total != 1 else noun.removesuffix('s')}"
        of_class += f" of class {classes[label]!r}" if classes else ""
        if count == 0:
            raise UserError(f"fraction {fraction:g} keeps none of {of_class}; use {0.5 / total:.2g} or more")
        if count > total:
            raise UserError(f"per_class {count} is more than {of_class}")
        if hold_out > 0 and count < 2:
            raise UserError(
                f"1 of {of_class} is used, which cannot be in both parts; use more, or give the {stream} part"
            )
        order = indices[torch.randperm(total, generator=generator(seed, stream, label))][:count]
        sizes = [held_out(size, hold_out) for size in range(count + 1)]
        outside = torch.tensor([after > before for before, after in pairwise(sizes)])
        held.append(order[outside])
        kept.append(order[~outside])
    return torch.cat(kept).sort().values, torch.cat(held).sort().values
