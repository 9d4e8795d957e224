"""Attention with fewer heads than its width would divide into."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class ReducedAttention(nn.MultiheadAttention):
    """What `nn.MultiheadAttention` becomes once it has lost heads: the same parameters, smaller, the same answers.

    `nn.MultiheadAttention` computes the width of a head as embed_dim / num_heads, and projects to embed_dim. Here
    `head_dim` is what it was, and `in_proj_weight` is [3 num_heads head_dim, embed_dim], `out_proj.weight`
    [embed_dim, num_heads head_dim]. No instance is made by calling the class: a layer is given it in place of its own,
    when heads are removed (`surgery.py`) and when such a network is read (`shapes.py`).
    """

    @property
    def _qkv_same_embed_dim(self) -> bool:
        """Keep `nn.TransformerEncoderLayer` from its own fast path, which divides widths itself."""
        return False

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """See `nn.MultiheadAttention.forward`; weights are of the heads that are left."""
        batched = query.dim() == 3
        inputs = [part if batched else part.unsqueeze(0 if self.batch_first else 1) for part in (query, key, value)]
        if not self.batch_first:
            inputs = [part.transpose(0, 1) for part in inputs]
        biases: Any = self.in_proj_bias.chunk(3) if self.in_proj_bias is not None else (None,) * 3
        packed = zip(inputs, self.in_proj_weight.chunk(3), biases, strict=True)
        q, k, v = (
            functional.linear(part, weight, bias).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)
            for part, weight, bias in packed
        )
        mask = self._mask(q, attn_mask, key_padding_mask)
        dropout, weights = self.dropout if self.training else 0.0, None
        if need_weights:
            scores = q @ k.transpose(-2, -1) * self.head_dim**-0.5
            weights = torch.softmax(scores if mask is None else scores + mask, dim=-1)
            out = functional.dropout(weights, dropout) @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            out = functional.scaled_dot_product_attention(q, k, v, mask, dropout)
        # As torch does, not by calling the layer: hooks on it see the same before and after heads are removed.
        out = functional.linear(out.transpose(1, 2).flatten(2), self.out_proj.weight, self.out_proj.bias)
        if not self.batch_first:
            out = out.transpose(0, 1)
        if not batched:
            out = out.squeeze(0 if self.batch_first else 1)
            weights = None if weights is None else weights.squeeze(0)
        return out, weights

    def _mask(self, q: Tensor, attn_mask: Tensor | None, padding: Tensor | None) -> Tensor | None:
        """Return what is added to the scores [N, heads, L, S]; bool masks say what is not attended to.

        Raises:
            ValueError: the mask differs by head, of which some are gone.
        """
        added = None
        if attn_mask is not None:
            if attn_mask.dim() == 3 and attn_mask.shape[0] != 1:
                raise ValueError("attn_mask has an entry for each head; this layer has lost heads, so give one for all")
            added = _as_floats(attn_mask, q.dtype)
        if padding is not None:
            rows = _as_floats(padding, q.dtype).reshape(len(q), 1, 1, -1)
            added = rows if added is None else added + rows
        return added


def _as_floats(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, float("-inf"))
