"""Torch's operators by name: attention, which heads go into and come out of."""

from typing import Any

from robust_tickets.shrinking.conversion.operators import Handler
from robust_tickets.shrinking.conversion.site import Inexpressible, Site
from robust_tickets.shrinking.conversion.value import IMAGES, SEQUENCE, TOKENS, GraphValue, Heads

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
    """Softmax attention of tokens to all tokens."""
    if is_causal or attn_mask is not None:
        raise Inexpressible("attends to some of the tokens alone: with a mask, or a bias for each pair of tokens")
    if any(not isinstance(one, Heads) or one.axes != _SEEN for one in (query, key, value)):
        raise Inexpressible("attends over something other than heads of the features of a sequence")
    (heads, depth), (key_heads, _), (value_heads, value_depth) = query.factors, key.factors, value.factors
    if key_heads != value_heads or (heads != key_heads and not enable_gqa):
        raise Inexpressible(f"has {heads} heads of queries, {key_heads} of keys and {value_heads} of values")
    shape = (heads * value_depth, 1, query.value.shape[2])
    attributes = {"heads": heads, "key_heads": key_heads, "scale": float(depth**-0.5 if scale is None else scale)}
    names = [one.value.name for one in (query, key, value)]
    name = site.builder.emit("attention", site.layer, names, shape, None, attributes)
    return Heads(GraphValue(name, shape, SEQUENCE), (heads, value_depth), _SEEN)


ATTENTION: dict[str, Handler] = {"scaled_dot_product_attention": attention}
