"""Hugging Face's `config.json`, read and written without anything that names code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.language.library import require_encoder, transformers

NEVER_READ = frozenset(
    {
        "attn_implementation",
        "auto_map",
        "custom_pipelines",
        "dtype",
        "experts_implementation",
        "gradient_checkpointing",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "torch_dtype",
        "torchscript",
        "transformers_version",
        "use_return_dict",
    }
)
"""What names code (of a repository's own, or of kernels), or says how a network is run rather than what it computes."""


def configuration_of(content: Mapping[str, Any], where: str) -> Any:
    """Return the configuration that the content of a `config.json` describes, as an object of transformers.

    Args:
        content: the mapping; keys that could name code are not read.
        where: what messages call it.

    Raises:
        UserError: it is of a model that is not supported, quantised, or of values that make no sense.
    """
    kind, architectures = content.get("model_type"), content.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and architectures else None
    require_encoder(str(kind), named if isinstance(named, str) else None, where)
    if content.get("quantization_config"):
        raise UserError(f"{where}: the weights are quantised; give the floating-point weights they were made from")
    if content.get("is_decoder") or content.get("add_cross_attention"):
        raise UserError(f"{where}: is_decoder is set, so it generates text; only encoders are supported")
    if (positions := content.get("position_embedding_type")) not in (None, "absolute"):
        raise UserError(f"{where}: position_embedding_type is {positions!r}, which transformers no longer supports")
    known = {key: value for key, value in content.items() if key not in NEVER_READ and not key.startswith("_")}
    try:
        return transformers().CONFIG_MAPPING[kind].from_dict(known)
    except UserError:
        raise
    except Exception as error:  # transformers checks values in many ways
        said = " ".join(str(error).split())[:200]
        raise UserError(f"{where}: is not a configuration that transformers reads ({said})") from None


def name_classes(configuration: Any, names: Mapping[Any, str] | None) -> None:
    """Give the outputs other names by their numbers, which JSON writes as text; None leaves those that they have."""
    if names is not None:
        configuration.id2label = {int(number): name for number, name in names.items()}
        configuration.label2id = {name: number for number, name in configuration.id2label.items()}


def content_of(configuration: Any, architecture: str) -> dict[str, Any]:
    """Return what describes a model, for `configuration_of` and for a `config.json`.

    Args:
        configuration: of transformers.
        architecture: name of the class.
    """
    whole = json.loads(json.dumps(configuration.to_dict()))
    kept = {key: value for key, value in whole.items() if key not in NEVER_READ and not key.startswith("_")}
    return {**kept, "architectures": [architecture]}
