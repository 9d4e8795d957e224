"""Small transformers of every library whose attention heads can be removed, with random weights throughout."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import timm
import torch
import torchvision
import transformers
from torch import Tensor, nn

from robust_tickets.models.proofs import randomised

SIDE = 32
HIDDEN, HEADS, LAYERS, NEURONS = 32, 4, 2, 48


class Encoder(nn.Module):
    """A model of Hugging Face as networks here are called: one mapping goes in."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the last hidden states [N, L, C]."""
        return self.model(**inputs).last_hidden_state


@dataclass(frozen=True)
class Transformer:
    """A small transformer, and what it consists of."""

    name: str
    make: Callable[[], nn.Module]
    queries: str
    """A weight of the first layer whose rows are heads."""
    side: int | None = SIDE
    """Of the images that it takes; None: it takes tokens."""
    heads: int = HEADS * LAYERS
    neurons: int = NEURONS * LAYERS

    def build(self) -> nn.Module:
        """Return it in eval mode, with random values everywhere."""
        torch.manual_seed(0)
        return randomised(self.make()).requires_grad_(False)

    def inputs(self, count: int = 2) -> Any:
        """Return inputs as `interface.example` makes them, of random values; of two texts the second is shorter."""
        random = torch.Generator().manual_seed(1)
        if self.side is not None:
            return torch.randn(count, 3, self.side, self.side, generator=random)
        present = torch.ones(count, 12, dtype=torch.long)
        present[1:, 9:] = 0
        return {"input_ids": torch.randint(2, 100, (count, 12), generator=random), "attention_mask": present}


def unfused(network: nn.Module) -> nn.Module:
    """Let timm compute attention by matrix products and a softmax."""
    for module in network.modules():
        if hasattr(module, "fused_attn"):
            setattr(module, "fused_attn", False)  # noqa: B010 - declared Final
    return network


def timm_vit() -> nn.Module:
    """Make a vision transformer of timm."""
    return timm.models.VisionTransformer(
        img_size=SIDE, patch_size=8, embed_dim=HIDDEN, depth=LAYERS, num_heads=HEADS, mlp_ratio=1.5, num_classes=10
    )


def torchvision_vit() -> nn.Module:
    """Make a vision transformer of torchvision, whose attention is torch's own."""
    return torchvision.models.VisionTransformer(SIDE, 8, LAYERS, HEADS, HIDDEN, NEURONS, num_classes=10)


def timm_swin() -> nn.Module:
    """Make a Swin transformer of timm, with windows that move, masks, and a bias for each head."""
    return timm.models.SwinTransformer(
        img_size=SIDE, patch_size=2, embed_dim=24, depths=(2, 2), num_heads=(2, 4), window_size=4, num_classes=10
    )


def hugging_face(config: type, attention: str = "sdpa", **settings: Any) -> Callable[[], nn.Module]:
    """Make a small encoder of Hugging Face."""
    sizes = {
        "vocab_size": 100, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "intermediate_size": NEURONS, "max_position_embeddings": 64,
    } | settings  # fmt: skip
    return lambda: Encoder(transformers.AutoModel.from_config(config(**sizes), attn_implementation=attention))


BERT = "model.encoder.layer.0.attention.self.query.weight"

TRANSFORMERS = (
    Transformer("timm vit", timm_vit, "blocks.0.attn.qkv.weight"),
    Transformer("timm vit, unfused", lambda: unfused(timm_vit()), "blocks.0.attn.qkv.weight"),
    Transformer("torchvision vit", torchvision_vit, "encoder.layers.encoder_layer_0.self_attention.in_proj_weight"),
    Transformer("timm swin", timm_swin, "layers.0.blocks.0.attn.qkv.weight", heads=12, neurons=2 * 96 + 2 * 192),
    Transformer("bert", hugging_face(transformers.BertConfig), BERT, None),
    Transformer("bert, unfused", hugging_face(transformers.BertConfig, "eager"), BERT, None),
    Transformer("roberta", hugging_face(transformers.RobertaConfig), BERT, None),
    Transformer("electra", hugging_face(transformers.ElectraConfig), BERT, None),
    Transformer(
        "distilbert", hugging_face(transformers.DistilBertConfig), "model.transformer.layer.0.attention.q_lin.weight",
        None,
    ),
)  # fmt: skip
