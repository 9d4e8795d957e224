"""The library transformers, loaded on first use, and which of its models are supported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.language.text_heads import TEXT_HEADS, HeadKind

if TYPE_CHECKING:
    from types import ModuleType


class Encoder(NamedTuple):
    """What is particular about a type of encoder."""

    counts_from_padding: bool = False
    """Whether positions are counted from one after the id of padding on, so that as many rows of their table are never
    used."""


ENCODERS = {
    "bert": Encoder(),
    "roberta": Encoder(counts_from_padding=True),
    "xlm-roberta": Encoder(counts_from_padding=True),
    "camembert": Encoder(counts_from_padding=True),
    "distilbert": Encoder(),
    "electra": Encoder(),
    "deberta-v2": Encoder(),
    "modernbert": Encoder(),
    "mpnet": Encoder(counts_from_padding=True),
    "albert": Encoder(),
}
"""Supported types of encoders, as `model_type` in a `config.json` names them."""

PRETRAINING = {"bert": "BertForPreTraining", "albert": "AlbertForPreTraining"}
"""Classes that guess hidden words and also judge whether sentences follow one another; the latter is left out."""


def transformers() -> ModuleType:
    """Return the library.

    Raises:
        UserError: it is not installed.
    """
    try:
        import transformers as library
    except ImportError:
        raise UserError("language models need the library transformers; pip install 'robust-tickets[text]'") from None
    return library


def class_for(configuration: Any, head: HeadKind) -> Any:
    """Return transformers' class of models with this configuration and head."""
    return getattr(transformers(), TEXT_HEADS[head].table)[type(configuration)]


def head_of(architecture: str | None, configuration: Any) -> HeadKind | None:
    """Return which head a class of transformers has, by its name; None if it has none of ours."""
    if architecture is not None and architecture == PRETRAINING.get(configuration.model_type):
        return "masked"
    heads: tuple[HeadKind, ...] = get_args(HeadKind)
    return next((head for head in heads if class_for(configuration, head).__name__ == architecture), None)


def require_encoder(kind: str, architecture: str | None, where: str) -> None:
    """Refuse what is not one of the supported encoders.

    Args:
        kind: the `model_type` of a configuration.
        architecture: name of the class of transformers, if known.
        where: what messages call the model.

    Raises:
        UserError: it generates text, or is of another type; says which are supported.
    """
    what = kind if architecture is None else f"{kind} ({architecture})"
    names = f"; supported are encoders: {', '.join(ENCODERS)}"
    generates = ("ForCausalLM", "LMHeadModel")
    decoder = architecture is not None and architecture.endswith(generates) and "WithLMHead" not in architecture
    if kind in ENCODERS and not decoder:
        return
    from transformers.models.auto import modeling_auto as tables

    if kind in tables.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        raise UserError(f"{where}: {what} is an encoder with a decoder, which generates text{names}")
    guesses = kind in tables.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if decoder or (kind in tables.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not guesses):
        raise UserError(f"{where}: {what} is a decoder, which generates text{names}")
    raise UserError(f"{where}: {what} is not a type of language model that is supported{names}")


def is_of_language(kind: object) -> bool:
    """Return whether a `model_type` is that of something that reads text alone; without transformers, if supported."""
    if not isinstance(kind, str):
        return False
    if kind in ENCODERS:
        return True
    try:
        from transformers.models.auto import modeling_auto as tables
    except ImportError:
        return False
    listed = (
        tables.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        tables.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        tables.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )
    return any(kind in names for names in listed)
