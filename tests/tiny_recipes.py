"""Every recipe of a paper at tiny scale: what it draws, and what each of its optimiser steps leaves."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from robust_tickets.models.sources import Source, load_source
from robust_tickets.recipe import OPEN, Recipe, builtin_recipes, load_recipe
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.draw import DrawSettings, draw_all

ELSEWHERE = {"demo", "segmentation", "detection", "study", "eye-surgeon"} | {"language", "bert-lth", "tamt"}
PAPERS = sorted(set(builtin_recipes()) - ELSEWHERE - {"robust-language", "early-bert"} - set(OPEN))
"""But for those whose data label no whole images, which have files of their own; `study` draws as other recipes do."""
DATA = {"name": "digits", "per_class": 8, "validation": 0.25}
PER_EPOCH = 4
TINY_TIMELINES: dict[str, dict[str, Any]] = {
    "iterative": {"epochs": 0.5},
    "gradual": {"start": 0.5, "end": 1.5, "every": 0.25, "epochs": 2, "min_steps": 0},
    "alternating": {"warm_up": 0.5, "compressed": 0.5, "dense": 0.5, "final": 2, "epochs": 2.5, "min_steps": 0},
    "drop-and-grow": {"every": 2, "epochs": 3},
    "search": {"final": 5.5, "epochs": 6},
}


@cache
def tiny(name: str) -> Recipe:
    """Return a recipe with a small source, few images and few steps; everything else is the paper's."""
    paper = load_recipe(name)
    draw: dict[str, Any] = {"training": {"precision": "fp32"}}
    if paper.draw.sparsity is not None:
        draw["sparsity"] = list(paper.draw.sparsities[:2])
    if paper.draw.parametrisation.kind == "soft-threshold":
        draw["parametrisation"] = {"start": -4}
    if paper.draw.timeline.kind != "one-shot":
        draw["timeline"] = TINY_TIMELINES[paper.draw.timeline.kind]
    elif paper.draw.timeline.epochs:
        draw["timeline"] = {"epochs": 1}
    if paper.draw.data is not None:
        draw |= {"data": DATA, "training": {"batch_size": 15, "precision": "fp32"}}
    if paper.draw.rewind.kind == "step":
        draw["rewind"] = {"steps": 1}
    elif any("data" in of for of in paper.variants.values()):
        draw["training"] = {"batch_size": 15, "precision": "fp32"}
    quick: dict[str, Any] = {
        "data": DATA,
        "timeline": {"epochs": 1},
        "finetune": {"epochs": 1, "batch_size": 15, "precision": "fp32"},
    }
    variants: dict[str, dict[str, Any]] = {
        way: {
            key: {**quick, **draw}[key]
            for key in ("data", "timeline", "finetune", "parametrisation")
            if of.get(key) is not None and key in quick | draw
        }
        for way, of in paper.variants.items()
    }
    for way, of in paper.variants.items():
        if of.get("rewind", {}).get("steps"):
            variants[way] |= {"rewind": {"steps": 1}, "sparsity": of["sparsity"][:2]}
        if "rounds" in of.get("timeline", {}):
            variants[way]["timeline"] = {"rounds": 5}
        elif (kind := of.get("timeline", {}).get("kind")) == "one-shot":
            variants[way]["timeline"] = {"epochs": min(1, of["timeline"].get("epochs", 0))}
        elif kind is not None:
            variants[way]["timeline"] = TINY_TIMELINES[kind]
    ways = {way: {"seeds": [0], "training": {"epochs": 0.5, "batch_size": 15}} for way in paper.transfers}
    source = {"name": "demo/resnet4", "weights": "random", "num_classes": 10, "in_channels": 1}
    values = {
        "sources": {"tiny": {"source": source}},
        "data": DATA,
        "draw": draw,
        "variants": variants,
        "transfers": ways,
        "targets": {target: {**DATA, "fraction": 1, "per_class": 4} for target in paper.targets},
    }
    return load_recipe(name, values=values)


@cache
def source_of(name: str) -> Source:
    return load_source(tiny(name).sources["tiny"].source)


class Seen:
    """What every optimiser step of a draw left: prunable weights by name, their gradients and momenta."""

    def __init__(self, source: Source) -> None:
        body, head = source.network.body, source.network.head
        self.names = [name for name, _ in body.named_parameters() if not name.startswith(head)]
        self.weights: list[dict[str, Tensor]] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.momenta: list[dict[str, Tensor]] = []
        self.trained: list[int] = []

    def look(self, optimiser: torch.optim.Optimizer, *_: Any) -> None:
        parameters = optimiser.param_groups[0]["params"]
        self.trained.append(sum(len(group["params"]) for group in optimiser.param_groups))
        if len(parameters) != len(self.names):
            return
        convolutions = {name: p for name, p in zip(self.names, parameters, strict=True) if p.dim() == 4}
        self.weights.append({name: p.detach().clone() for name, p in convolutions.items()})
        self.gradients.append({name: p.grad.clone() for name, p in convolutions.items()})
        slot = "momentum_buffer" if isinstance(optimiser, torch.optim.SGD) else "exp_avg"
        self.momenta.append({name: optimiser.state[p][slot].clone() for name, p in convolutions.items()})

    def removed(self, names: tuple[str, ...]) -> list[int]:
        return [sum(int((step[name] == 0).sum()) for name in names) for step in self.weights]


@contextmanager
def watched(source: Source) -> Iterator[Seen]:
    seen = Seen(source)
    hook = register_optimizer_step_post_hook(seen.look)
    try:
        yield seen
    finally:
        hook.remove()


DRAWS = {(name, way): settings for name in PAPERS for way, settings in load_recipe(name).draws().items()}
WAYS = list(DRAWS)


def steps_of(settings: DrawSettings) -> int:
    """Return how many steps a draw takes, if an epoch has a hundred."""
    target = settings.sparsities[-1]
    return settings.timeline.plan(0.9 if settings.is_open(target) else target, 100).steps


STEPPING = [pair for pair, settings in DRAWS.items() if steps_of(settings)]
"""Ways of drawing that train."""


@cache
def drawn(name: str, way: str) -> tuple[DrawSettings, tuple[Ticket, ...], Seen]:
    settings = tiny(name).draws()[way]
    source = source_of(name)
    with watched(source) as seen:
        return settings, draw_all(source, settings=settings), seen
