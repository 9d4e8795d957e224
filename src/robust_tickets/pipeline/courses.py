"""When which event happens under a recipe: its timelines, worked out without any network or data."""

from robust_tickets.findings.courses import Course, in_epochs
from robust_tickets.foundation.errors import UserError
from robust_tickets.pipeline.places import DRAW
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.needs import LEARNED_SCORES
from robust_tickets.pruning.plans import Plan
from robust_tickets.recipe import Recipe
from robust_tickets.verbs.draw_settings import DEFAULT_SPARSITY, DrawSettings


def courses(recipe: Recipe, name: str, steps_per_epoch: int) -> list[Course]:
    """Return the course of every way of drawing of a recipe.

    Args:
        recipe: any.
        name: what it is called; its variants are called `name: variant`.
        steps_per_epoch: optimiser steps in an epoch of the draw's data, at least 1.

    Raises:
        UserError: parts of a draw that do not fit each other; names it.
    """
    return [course(recipe, name, way, steps_per_epoch) for way in recipe.draws()]


def course(recipe: Recipe, name: str, way: str, steps_per_epoch: int) -> Course:
    """Return the course of one way of drawing, to the highest of its sparsities."""
    settings = recipe.draws()[way]
    try:
        plan = planned(settings, steps_per_epoch)
    except UserError as error:
        raise UserError(f"{name}, {way}: {error}") from None
    return Course(
        recipe=name,
        way=None if way == DRAW else way,
        parts=parts_of(settings),
        plan=plan,
        steps_per_epoch=steps_per_epoch,
        targets=settings.sparsities,
        learns=LEARNED_SCORES in settings.parametrisation.provides and not plan.removes_channels,
        is_open=is_open(settings),
        before=" ".join((*pretrained(recipe), *finetuned(settings))),
        after=transferred(recipe),
    )


def planned(settings: DrawSettings, steps_per_epoch: int) -> Plan:
    """Return the plan to the highest sparsity; where only weights or training would say it, to the default one."""
    target = settings.sparsities[-1]
    if is_open(settings):
        target = DEFAULT_SPARSITY
    plan = settings.timeline.plan(target, steps_per_epoch)
    require_composable(settings.selection, settings.parametrisation, plan, settings.rewind)
    return settings.with_rungs(plan)


def is_open(settings: DrawSettings) -> bool:
    """Return whether weights or training say how much is removed."""
    return settings.sparsities[-1] is None and settings.says_sparsity


def parts_of(settings: DrawSettings) -> str:
    """Write the choice on every axis."""
    selection = settings.selection
    chosen = (
        f"{settings.timeline.kind}: score {selection.score.kind}, group {selection.group.kind}",
        f"scope {selection.scope.describe()}",
        *((settings.parametrisation.kind,) if settings.parametrisation != DrawSettings().parametrisation else ()),
        f"rewind {settings.rewind.kind}",
    )
    return ", ".join(chosen)


def pretrained(recipe: Recipe) -> list[str]:
    """Say how long sources are pretrained."""
    return [
        f"Source {name} is pretrained for {in_epochs(entry.pretrain.training.epochs)} "
        f"({entry.pretrain.training.objective.describe()})."
        for name, entry in recipe.sources.items()
        if entry.pretrain is not None
    ]


def finetuned(settings: DrawSettings) -> list[str]:
    """Say how long the dense network is finetuned before the draw."""
    if settings.finetune is None:
        return []
    return [f"First the dense network is finetuned for {in_epochs(settings.finetune.epochs)}."]


def transferred(recipe: Recipe) -> str:
    """Say how tickets are trained afterwards."""
    told = (
        f"{name} for {in_epochs(settings.training.epochs)} ({settings.describe()}, seeds "
        f"{', '.join(map(str, settings.seeds))})"
        for name, settings in recipe.transfers.items()
    )
    return f"Then each ticket is transferred: {'; '.join(told)}."
