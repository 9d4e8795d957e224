"""Torch's operators by name: embeddings of tokens, and attention, which heads go into and come out of."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from robust_tickets.runtime.rules.operations import HIDDEN
from robust_tickets.shrinking.conversion.operators import Handler, array
from robust_tickets.shrinking.conversion.site import Inexpressible, Site
from robust_tickets.shrinking.conversion.value import BATCH, IMAGES, SEQUENCE, TOKENS, GraphValue, Heads, Told

_SEEN = (IMAGES, 0, TOKENS, 1)
"""The dimensions of queries, keys and values: images, heads, tokens, features of a head."""


def attention(
    site: Site,
    query: Heads,
    key: Heads,
    value: Heads,
    attn_mask: Any = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    **rest: Any,
) -> Heads:
    """Softmax attention of tokens to all tokens, or to all that are no padding, perhaps with a bias for each pair."""
    bias = _bias(attn_mask)
    if is_causal or (bias is None and not _hides_padding(attn_mask)):
        raise Inexpressible("attends to some of the tokens alone")
    if any(not isinstance(one, Heads) or one.axes != _SEEN for one in (query, key, value)):
        raise Inexpressible("attends over something other than heads of the features of a sequence")
    (heads, depth), (key_heads, _), (value_heads, value_depth) = query.factors, key.factors, value.factors
    if key_heads != value_heads or (heads != key_heads and not enable_gqa):
        raise Inexpressible(f"has {heads} heads of queries, {key_heads} of keys and {value_heads} of values")
    shape = (heads * value_depth, 1, query.value.shape[2])
    attributes = {"heads": heads, "key_heads": key_heads, "scale": float(depth**-0.5 if scale is None else scale)}
    names = [one.value.name for one in (query, key, value)]
    if bias is None and attn_mask is not None:
        names.append(site.builder.row(MASK))
    weights = {} if bias is None else {"bias": np.broadcast_to(bias, (heads, shape[2], key.value.shape[2]))[:, None]}
    name = site.builder.emit("attention", site.layer, names, shape, weights, attributes)
    return Heads(GraphValue(name, shape, SEQUENCE), (heads, value_depth), _SEEN)


def embedding(site: Site, weight: Tensor, indices: Told, **rest: Any) -> GraphValue | Tensor:
    """Rows of a table: of a row of the input, or of positions, which are the same for every text."""
    if indices.row is not None:
        row = site.builder.tokens.index(indices.row)
        shape = (weight.shape[1], 1, indices.value.shape[1])
        source = site.builder.source
        name = site.builder.emit("embed", site.layer, [source], shape, {"table": array(weight)}, {"row": row})
        return GraphValue(name, shape, SEQUENCE)
    positions = indices.constant()
    if positions is None:
        raise Inexpressible(f"looks up what is computed from {' and '.join(sorted(indices.of))}")
    return functional.embedding(positions, weight)


def _bias(mask: Any) -> np.ndarray | None:
    """Return what is added to the scores of every input alike, [heads or 1, queries, keys]; None if nothing is."""
    constant = mask.constant() if isinstance(mask, Told) and not mask.of - {BATCH} else mask
    if not isinstance(constant, Tensor) or constant.dim() > 4 or (constant.dim() == 4 and len(constant) != 1):
        return None
    if constant.dtype == torch.bool:
        constant = torch.zeros(constant.shape).masked_fill(~constant, HIDDEN)
    return array(constant.clamp(min=HIDDEN).reshape(-1, *constant.shape[-2:]))


def _hides_padding(mask: Any) -> bool:
    """Return whether a mask, if any, hides nothing of a text without padding, and depends on nothing else."""
    if mask is None:
        return True
    if not isinstance(mask, Told) or mask.of - {BATCH} != {MASK}:
        return False
    return bool(mask.value.all() if mask.value.dtype == torch.bool else (mask.value == 0).all())


MASK = "attention_mask"

ATTENTION: dict[str, Handler] = {"scaled_dot_product_attention": attention, "embedding": embedding}

OF_TOKENS = frozenset(ATTENTION)
"""Operators whose handlers take what is told from tokens; others take it as a constant, or not at all."""
