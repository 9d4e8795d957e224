"""Hugging Face's classes around an encoder: a new model, or a new head on an old encoder.

The encoder is transformers' base model, always the whole of it, with its pooler where the type has one: a head that
does not use the pooler leaves it idle, so that an encoder has the same weights under every head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from robust_tickets.models.adaptations.language.configuration import name_classes
from robust_tickets.models.adaptations.language.library import class_for
from robust_tickets.models.adaptations.language.text_heads import TEXT_HEADS, HeadKind


def new_model(configuration: Any, head: HeadKind) -> Any:
    """Return a model with random weights, initialised by transformers from torch's global generator."""
    model = class_for(configuration, head)(configuration)
    complete(model)
    return model


def empty_model(configuration: Any, head: HeadKind) -> Any:
    """Return a model without values, on the device meta."""
    with torch.device("meta"):
        return class_for(configuration, head)(configuration)


def around(encoder: Any, head: HeadKind, num_classes: int) -> Any:
    """Return a model with an encoder in it that is there already; the rest is initialised as transformers does it.

    Args:
        encoder: a base model of transformers, with all its parts; its configuration becomes that of the model.
        head: what else is in the model.
        num_classes: of texts or tokens; other heads have their own number.
    """
    if (labels := TEXT_HEADS[head].labels(num_classes)) is not None:
        name_classes(encoder.config, {number: f"LABEL_{number}" for number in range(labels)})
    model = empty_model(encoder.config, head)
    setattr(model, model.base_model_prefix, encoder)
    weight = next(encoder.parameters())
    for name, part in model.named_children():
        if part is not encoder:
            setattr(model, name, part.to_empty(device=weight.device))
    old = {id(module) for module in encoder.modules()}
    _initialise(model, [module for module in model.modules() if id(module) not in old])
    model.tie_weights()
    return model.to(weight.dtype).train(encoder.training)


def complete(model: Any) -> None:
    """Give a model's encoder the parts that its head does not use and that transformers left out, in place."""
    encoder = model.base_model
    for name, part in missing_parts(encoder).items():
        part.to_empty(device=next(encoder.parameters()).device)
        setattr(encoder, name, part)
        _initialise(encoder, list(part.modules()))


def missing_parts(encoder: Any) -> dict[str, nn.Module]:
    """Return, without values, the parts of a base model that an encoder lacks: a pooler."""
    with torch.device("meta"):
        whole = type(encoder)(encoder.config)
    there = dict(encoder.named_children())
    return {name: part for name, part in whole.named_children() if name not in there}


@torch.no_grad()
def _initialise(model: Any, modules: list[nn.Module]) -> None:
    """Initialise some modules of a model, inner ones first, by its own rules."""
    for module in modules:
        for parameter in module.parameters(recurse=False):
            parameter.zero_()
    for module in reversed(modules):
        model._init_weights(module)
