"""What a gradient attack does when it sees no gradient: it notices, tries a scale-free loss, then random search.

A gradient that vanished says nothing about robustness (Athalye, Carlini and Wagner 2018, arXiv 1802.00420): the
cross-entropy of large logits underflows, rounded inputs have no gradient at all, and a search that stands still calls
both robust.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from robust_tickets.attacks.aim import Aim
from robust_tickets.attacks.attack import Attacker, Observe
from robust_tickets.attacks.attack_log import AttackLog, GradientCounts
from robust_tickets.attacks.predict import Predict
from robust_tickets.attacks.square import Square
from robust_tickets.attacks.threat import Threat
from robust_tickets.foundation.batch import taken
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import stream_seed

if TYPE_CHECKING:
    from torch import Tensor

GradientSearch = Callable[["Tensor", Any, Observe], "Tensor"]
"""Images, targets, and what sees the gradients, to adversarial images."""

GradientSearchAgain = Callable[["Tensor", Any, Observe, Aim], "Tensor"]
"""The same for an aim, which is the fourth."""

PROBE_QUERIES, PROBE_IMAGES = 300, 100
"""Of the random search: forward passes for an image, and images of an evaluation, at most."""

_SMALLEST, _LARGEST = 2.0**-126, (2.0 - 2.0**-23) * 2.0**127
"""Normal numbers of float32: the least and the greatest."""


class GradientWatch:
    """Sees the gradients of a search, and tells for which images they had vanished (see `GradientCounts`)."""

    def __init__(self, mend: bool = False) -> None:
        """With `mend`, entries that are not finite are taken for 0; else gradients pass as they are."""
        self.mend = mend
        self.sizes: list[Tensor] = []
        self.places: list[Tensor | None] = []

    def __call__(self, gradient: Tensor, places: Tensor | None) -> Tensor:
        """Record the largest entry of each gradient; evaluating it is deferred, to cost little."""
        if self.mend:
            gradient = gradient.nan_to_num(0, 0, 0)
        self.sizes.append(gradient.flatten(1).abs().amax(1))
        self.places.append(places)
        return gradient

    @property
    def is_sound(self) -> bool:
        """Whether no gradient of any image vanished at any step."""
        return bool(self._has_size(torch.cat(self.sizes)).all()) if self.sizes else True

    def vanished(self, count: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Return bool [count] each: vanished at the first step, at any, at all (of the steps an image took part in)."""
        start, ever = (torch.zeros(count, dtype=torch.bool, device=device) for _ in range(2))
        always = torch.ones_like(start)
        for number, (size, places) in enumerate(zip(self.sizes, self.places, strict=True)):
            where = slice(None) if places is None else places
            gone = ~self._has_size(size)
            if number == 0:
                start[where] = gone
            ever[where] |= gone
            always[where] &= gone
        return start, ever, always

    @staticmethod
    def _has_size(size: Tensor) -> Tensor:
        # False for NaN as well.
        return (size >= _SMALLEST) & (size <= _LARGEST)


def persistent(
    predict: Predict,
    first: GradientSearch,
    again: GradientSearchAgain,
    threat: Threat,
    seed: int,
    log: AttackLog | None,
    aim: Aim,
) -> Attacker:
    """Return `first` as an attacker that does not take a vanished gradient for robustness.

    Images that stand after `first` and whose gradient vanished on the way are searched `again` for the aim without
    scale, if it has one; those that still stand and never showed a gradient are searched by Square attack, this many of
    an evaluation, where each target is a class. If no gradient vanishes, the result is that of `first`, bit for bit.

    Args:
        predict: images to outputs, differentiable.
        first: the attack.
        again: the same, for an aim without scale.
        threat: the ball; of the random search too.
        seed: of the run.
        log: takes down what happened.
        aim: what `first` is after.
    """
    log = log or AttackLog()
    log.record(GradientCounts())
    probe = Square(queries=PROBE_QUERIES).attacker(
        predict, threat.model_copy(update={"restarts": 1}), stream_seed(seed, "probe")
    )
    left, scale_free = PROBE_IMAGES, aim.scale_free

    def standing(images: Tensor, targets: Any) -> Tensor:
        with torch.no_grad():
            return aim.standing(predict(images), targets)

    def attacker(images: Tensor, targets: Any) -> Tensor:
        watch = GradientWatch()
        found = first(images, targets, watch)
        if watch.is_sound:
            log.record(GradientCounts(attacked=len(images)))
            return found
        start, ever, always = watch.vanished(len(images), images.device)
        images = images.detach().float()
        # A gradient that is not finite moves the image to NaN, which is not an image.
        lost = ~found.flatten(1).isfinite().all(1)
        found[lost] = images[lost]
        retried = (ever & (lost | (standing(found, targets) > 0))).nonzero().squeeze(1)
        counts = {"at_start": int(start.sum()), "throughout": int(always.sum())}
        if len(retried):
            found, more = mended(images, targets, found, retried, always[retried])
            counts |= more
        log.record(GradientCounts(attacked=len(images), **counts))
        return found

    def mended(
        images: Tensor, targets: Any, found: Tensor, places: Tensor, unseen: Tensor
    ) -> tuple[Tensor, dict[str, int]]:
        """Search again at `places`, of which `unseen` never showed a gradient; return all points, and counts."""
        nonlocal left
        fell, retried = torch.zeros_like(unseen), 0
        if scale_free is not None:
            log.tell("again, under a scale-free loss")
            watch, retried = GradientWatch(mend=True), len(places)
            candidates = again(images[places], taken(targets, places), watch, scale_free)
            found, fell = improved(candidates, targets, found, places)
            _, _, unseen = watch.vanished(len(places), images.device)
        blind = places[unseen & ~fell]
        probed = blind[:left] if aim.is_one_class(targets) else blind[:0]
        hits = 0
        if len(probed):
            log.tell("without gradients")
            left -= len(probed)
            found, beaten = improved(probe(images[probed], taken(targets, probed)), targets, found, probed)
            hits = int(beaten.sum())
        return found, {
            "retried": retried,
            "recovered": int(fell.sum()),
            "blind": len(blind),
            "probed": len(probed),
            "found": hits,
        }

    def improved(candidates: Tensor, targets: Any, found: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Take the candidates that fool more; return all points, and which of the candidates fool entirely."""
        chosen = taken(targets, places)
        before, after = standing(found[places], chosen), standing(candidates, chosen)
        better = after < before
        found = found.clone()
        found[places[better]] = candidates[better]
        return found, better & (after == 0)

    return attacker
