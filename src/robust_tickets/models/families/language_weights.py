"""The weights of a language model, as transformers saves them: which head they come with, and in which body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.language.body import LanguageBody
from robust_tickets.models.adaptations.language.building import empty_model, new_model
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.language.library import head_of
from robust_tickets.models.adaptations.language.text_heads import HeadKind
from robust_tickets.models.strict import load_strictly, mismatches, with_ties

OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""Ends of names in files that were converted from TensorFlow, and what transformers reads them as."""

BESIDE_WORDS = ("cls.seq_relationship.", "sop_classifier.", "mask_predictions.")
"""Heads that some models were pretrained with beside guessing words: whether sentences follow one another, and which
words were exchanged."""


class WeightedBody(NamedTuple):
    """A body with its weights, and what is worth saying about them."""

    body: LanguageBody
    headless: str | None
    """Path of the head if the weights came without one."""
    notes: tuple[str, ...]


def weighted_body(
    configuration: Any, architecture: str | None, state: Mapping[str, Tensor], where: str
) -> WeightedBody:
    """Return the body that weights belong to: with their own head, or with a random one to label texts.

    What is random is initialised from torch's global generator.

    Args:
        configuration: of transformers.
        architecture: the class that they were saved from, if that is known.
        state: tensors by name, as transformers writes them.
        where: the file, for messages.

    Raises:
        UserError: a tensor is missing, unexpected or of another shape; what the class does not use is named in a note.
    """
    state = _by_present_names(state, new_prefix(configuration))
    head = _head_in(configuration, architecture, state, where)
    model = new_model(configuration, head or "sequence")
    body = LanguageBody(model, LanguageHead(head=head or "sequence"))
    prefix, own = f"{model.base_model_prefix}.", body.state_dict()
    notes: list[str] = []
    _require_equal_ties(body, state, where)
    state = dict(with_ties(body, state))
    pooler = [name for name in own if name.startswith(f"{prefix}pooler.") and name not in state]
    if pooler and (head is None or not _uses(configuration, head, pooler)):
        state |= {name: own[name] for name in pooler}
        notes.append("pooler: the weights came without one; it is random until something trains it")
    buffers = [name for name, _ in body.named_buffers() if name in state and name not in own]
    others = [name for name in state if not name.startswith(prefix)]
    if head is not None:
        others = [name for name in others if name not in own and name.startswith(BESIDE_WORDS)]
    state = {name: tensor for name, tensor in state.items() if name not in (*buffers, *others)}
    if buffers:
        notes.append(f"left out: {_some(buffers)}, which is computed anew")
    if others:
        notes.append(f"left out: {_some(others)}, of another head")
    if head is None:
        state |= {name: own[name] for name in own if not name.startswith(prefix)}
        notes.insert(0, f"head: the weights came without {body.head_path}; it is random until a transfer trains it")
    if wrong := mismatches(body, state):
        raise UserError(f"{where}: does not fit {type(model).__name__}: {'; '.join(wrong)}")
    load_strictly(body, state, where)
    return WeightedBody(body, body.head_path if head is None else None, tuple(notes))


def new_prefix(configuration: Any) -> str:
    """Return what the names of an encoder's weights begin with, in a model with a head."""
    return f"{empty_model(configuration, 'sequence').base_model_prefix}."


def _by_present_names(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return tensors under the names that transformers gives them today, in a model with a head."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for old, new in OLD_NAMES.items():
            if name.endswith(old):
                name = name.removesuffix(old) + new
        found[name] = tensor
    bare = not any(name.startswith(prefix) for name in found)
    return {prefix + name: tensor for name, tensor in found.items()} if bare else found


def _head_in(configuration: Any, architecture: str | None, state: Mapping[str, Tensor], where: str) -> HeadKind | None:
    """Return the head whose weights are there; None if there are none of the one that the class has.

    Raises:
        UserError: some of them are there, and others are not.
    """
    declared = head_of(architecture, configuration)
    heads: tuple[HeadKind, ...] = get_args(HeadKind)
    for head in (declared,) if declared is not None else () if architecture is not None else heads:
        model = empty_model(configuration, head)
        names = [name for name in model.state_dict() if not name.startswith(f"{model.base_model_prefix}.")]
        there = with_ties(model, state)
        missing = [name for name in names if name not in there]
        if not missing and any(name in state for name in names):
            return head
        if declared is not None and any(name in state for name in names):
            raise UserError(
                f"{where}: does not fit {architecture}: {len(missing)} missing: {_some(missing)}; download it again"
            )
    return None


def _uses(configuration: Any, head: HeadKind, names: Iterable[str]) -> bool:
    """Return whether transformers' own class has some of these weights."""
    own = empty_model(configuration, head).state_dict()
    return any(name in own for name in names)


def _require_equal_ties(body: LanguageBody, state: Mapping[str, Tensor], where: str) -> None:
    """Refuse weights that differ where the network has a single one."""
    first: dict[int, str] = {}
    for name, parameter in body.named_parameters(remove_duplicate=False):
        if name not in state:
            continue
        other = first.setdefault(id(parameter), name)
        if other != name and not torch.equal(state[other], state[name]):
            raise UserError(
                f"{where}: {other} and {name} differ, although config.json ties them; set tie_word_embeddings to false"
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
