"""Which weights are prunable: decided by module type, never by a name."""

import difflib
from fnmatch import fnmatchcase

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.heads import CONVOLUTIONS
from robust_tickets.models.network import Network
from robust_tickets.models.prunable import Prunable

ATTENTION_WEIGHTS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


def weights_by_type(body: nn.Module) -> tuple[str, ...]:
    """Return, in network order, the weights of all convolutions, linear layers and attention projections."""
    names = []
    parameters = dict(body.named_parameters())  # without the second name of a shared weight
    for path, module in body.named_modules():
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
            leaves: tuple[str, ...] = ("weight",)
        elif isinstance(module, nn.MultiheadAttention):
            leaves = ATTENTION_WEIGHTS
        else:
            continue
        names += [name for leaf in leaves if (name := f"{path}.{leaf}".lstrip(".")) in parameters]
    return tuple(names)


def is_depthwise(module: nn.Module) -> bool:
    """Say whether a layer is a convolution that keeps its channels apart, as those of MobileNets do."""
    return isinstance(module, CONVOLUTIONS) and module.groups == module.in_channels > 1


def stem_weight(classifier: Network) -> str | None:
    """Return the weight of the first convolution, or of the first linear layer if there is none.

    None where words are looked up: no layer reads those.
    """
    body = classifier.body
    if isinstance(body, AdaptedBody) and body.word_embeddings is not None:
        return None
    weights = [name for name in weights_by_type(body) if name not in classifier.idle]
    convolutions = [name for name in weights if isinstance(body.get_submodule(name.rpartition(".")[0]), CONVOLUTIONS)]
    return (convolutions or weights)[0]


def candidate_weights(classifier: Network, settings: Prunable) -> tuple[str, ...]:
    """Return `weights_by_type` of a network's body, after the word embeddings if those are to be pruned; or all.

    Raises:
        UserError: they are, and there are none.
    """
    body, candidates = classifier.body, weights_by_type(classifier.body)
    if settings.include_all:
        return tuple(name for name, _ in body.named_parameters())
    if not settings.include_embeddings:
        return candidates
    words = body.word_embeddings if isinstance(body, AdaptedBody) else None
    if words is None:
        raise UserError(f"include_embeddings: a network that takes {classifier.interface.noun} has no word embeddings")
    return (words, *candidates)


def prunable_weights(classifier: Network, settings: Prunable | None = None) -> tuple[str, ...]:
    """Return the names, inside `classifier.body` and in network order, of the weights that may be pruned.

    Raises:
        UserError: a pattern of `exempt` matches no prunable weight, or nothing is left to prune.
    """
    left_out = weights_left_out(classifier, settings)
    candidates = candidate_weights(classifier, settings or Prunable())
    left = tuple(name for name in candidates if name not in left_out)
    if not left:
        raise UserError(f"nothing is left to prune: all {len(candidates)} weights are exempt")
    return left


def weights_left_out(classifier: Network, settings: Prunable | None = None) -> dict[str, str]:
    """Return the weights of convolutions, linear layers and attention projections that are left dense, and why.

    Of an adapted body all that is not the source's own layers counts as the head.

    Raises:
        UserError: a pattern of `exempt` matches no prunable weight, or there are no word embeddings to include.
    """
    settings = settings or Prunable()
    candidates = candidate_weights(classifier, settings)
    reasons: dict[str, str] = {name: "has no effect on the output" for name in candidates if name in classifier.idle}
    candidates = tuple(name for name in candidates if name not in reasons)
    if not (settings.include_head or settings.include_all):
        heads = tuple(f"{path}." for path in classifier.fresh)
        reasons |= {name: "the head" for name in candidates if name.startswith(heads)}
    if (
        not (settings.include_stem or settings.include_all)
        and candidates
        and (stem := stem_weight(classifier)) is not None
    ):
        reasons.setdefault(stem, "the stem")
    if not (settings.include_depthwise or settings.include_all):
        body = classifier.body
        depthwise = (name for name in candidates if is_depthwise(body.get_submodule(name.rpartition(".")[0])))
        reasons = {**dict.fromkeys(depthwise, "depthwise"), **reasons}
    for pattern in settings.exempt:
        matched = [name for name in candidates if fnmatchcase(name, pattern)]
        if not matched:
            near = difflib.get_close_matches(pattern, candidates, n=3, cutoff=0.0)
            raise UserError(f"exempt: {pattern!r} matches no prunable weight; similar: {', '.join(near)}")
        reasons = {**dict.fromkeys(matched, f"exempt by {pattern}"), **reasons}
    return reasons
