"""A recipe: the one configuration of a run, composed of the settings that live next to their components."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.merging import ChangesOf, merged, with_defaults
from robust_tickets.foundation.settings import Settings, changed, cut, later_field, parse
from robust_tickets.models.settings import SourceSettings
from robust_tickets.shrinking.settings import ShrinkSettings
from robust_tickets.tasks.kinds import AnyTask
from robust_tickets.verbs.analyse_settings import AnalyseSettings
from robust_tickets.verbs.control_settings import FLIP, ControlName
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.pretrain_settings import PretrainSettings
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify_settings import VerifySettings

OWN_TARGET = "data"
"""Name of the recipe's own target among all."""

TARGET = "target"
"""As `draw.data`: the recipe's own target, whatever that is."""
OPEN = ("default", "fast", "one-shot")
"""Recipes that ship without sources and data, which are the user's."""
_DATA_OF_DRAWS = ("data", "recalibrate")
"""Settings of a draw that say what it reads."""
AS_TRANSFERRED = "as-transferred"
"""As `draw.head`: what the recipe's transfers do with the head."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class SourceRecipe(Settings):
    """A source, and how it is made where it does not exist yet."""

    source: SourceSettings = Field(description="The network and its weights.")
    pretrain: PretrainSettings | None = Field(
        default=None, description="How it is pretrained; absent: it is used as it is."
    )
    draw: Annotated[dict[str, Any], ChangesOf(DrawSettings)] = later_field(
        {},
        description="How its tickets are drawn, as changes to `draw`, on which variants build: on the data and by the "
        "objective that it was pretrained with, for example.",
    )
    tickets: bool = later_field(
        True, description="Whether tickets are drawn from it; false: it is only there for comparison, dense."
    )


class Recipe(Settings):
    """A run: every source, drawn in every way, transferred in every way to every target; verified and shrunk."""

    name: str = Field(default="run", description="Title of the report.")
    seed: int = Field(default=0, description="Seed of pretraining and drawing; transfers have their own seeds.")
    sources: dict[str, SourceRecipe] = Field(min_length=1, description="Sources, by the name shown in figures.")
    data: DataSettings = Field(description="The target.")
    targets: dict[str, Annotated[dict[str, Any], ChangesOf(DataSettings)]] = Field(
        default_factory=dict, description="Further targets, by name, each as changes to `data`."
    )
    draw: DrawSettings = Field(default=DrawSettings(), description="How tickets are drawn.")
    variants: dict[str, Annotated[dict[str, Any], ChangesOf(DrawSettings)]] = Field(
        default_factory=dict, description="Further ways of drawing, by name, each as changes to `draw`."
    )
    controls: tuple[ControlName, ...] = Field(default=(), description="Controls drawn for every ticket of `draw`.")
    flip: float = Field(
        default=FLIP,
        gt=0.0,
        le=1.0,
        description="Share of every layer's kept groups that the control `flipped` exchanges for removed ones.",
    )
    transfers: dict[str, TransferSettings] = Field(
        default_factory=lambda: {"full": TransferSettings()},
        min_length=1,
        description="Ways of training, by name.",
    )
    tasks: dict[str, AnyTask] = later_field(
        {},
        description="What single targets ask for instead of a transfer's own task, by the target's name (`data` is the "
        "recipe's own): classification judged by another metric, for example.",
    )
    verify: VerifySettings = Field(
        default=VerifySettings(), description="What counts as matching, and what is measured."
    )
    shrink: ShrinkSettings | None = Field(
        default=ShrinkSettings(), description="Removal, export and timing; null: skip them."
    )
    analyse: AnalyseSettings | None = Field(
        default=None,
        description="Analyses of tickets and transfers: overlap, landscapes, interpolation; null: skip them.",
    )

    def __repr__(self) -> str:
        counts = f"{len(self.sources)} sources, {1 + len(self.targets)} targets, {len(self.draws())} ways of drawing"
        return cut(f"Recipe({self.name}: {', '.join(self.sources)}; {counts}, {len(self.transfers)} of training)")

    __str__ = __repr__

    @model_validator(mode="after")
    def _is_possible(self) -> "Recipe":
        for name in (*self.sources, *self.targets, *self.variants, *self.transfers):
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be a folder's name; use letters, digits, '.', '_' and '-'")
        if not any(entry.tickets for entry in self.sources.values()):
            raise ValueError("sources: tickets are drawn from none of them; leave out `tickets: false`")
        sparsities = {way: settings.sparsities for way, settings in self.draws().items()}
        for name in self.sources:
            for way, settings in self.draws(name).items():
                if settings.sparsities != sparsities[way]:
                    raise ValueError(f"sources.{name}.draw: every source has the same sparsities; change draw.sparsity")
        targets = self.data_sets()
        if unknown := sorted(set(self.tasks) - set(targets)):
            raise ValueError(f"tasks.{unknown[0]}: no such target; there is {', '.join(targets)}")
        return self

    def draws(self, source: str | None = None) -> dict[str, DrawSettings]:
        """Return every way of drawing: `draw` itself, and its variants; `data: target` is the recipe's own target.

        Args:
            source: whose tickets are drawn, with its own changes; None: without those of any source.
        """
        return {name: self.on_target(settings) for name, settings in self._ways(source).items()}

    def _ways(self, source: str | None) -> dict[str, DrawSettings]:
        """Return every way of drawing as it is stated."""
        own = self.sources[source].draw if source is not None else {}
        draw = changed(self.draw, own, where=f"sources.{source}.draw") if own else self.draw
        ways = {name: changed(draw, changes, where=f"variants.{name}") for name, changes in self.variants.items()}
        return {"draw": draw, **ways}

    def on_target(self, settings: DrawSettings) -> DrawSettings:
        """Return how a ticket is drawn, with the recipe's own target where data are called so, and its transfers' head.

        What else differs from defaults in these data stays.

        Raises:
            ValueError: the head is to be as transferred, but is not drawn on the target, or transfers differ in it;
                another part of the target is kept for validation.
        """
        on_target = {name: data for name in _DATA_OF_DRAWS if (data := getattr(settings, name)) and data.name == TARGET}
        updates: dict[str, Any] = {}
        if settings.head == AS_TRANSFERRED:
            heads = {transfer.head for transfer in self.transfers.values()}
            if "data" not in on_target:
                raise ValueError(f"draw.head: {AS_TRANSFERRED} goes with draw.data: {TARGET}; use keep or fresh")
            if len(heads) > 1:
                raise ValueError(f"draw.head: {AS_TRANSFERRED}, but transfers differ in `head`; use keep or fresh")
            task, *others = [self.trained(transfer, OWN_TARGET).task for transfer in self.transfers]
            if settings.task is None and any(other != task for other in others):
                raise ValueError(f"draw.head: {AS_TRANSFERRED}, but transfers differ in `task`; say which in draw.task")
            # What another metric judges is the same network, drawn alike.
            other = task if task is not None and not task.keeps_body else None
            updates |= {"head": heads.pop(), "task": settings.task or other}
        for name, data in on_target.items():
            own = data.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
            if own.get("validation", self.target.validation) != self.target.validation:
                raise ValueError(
                    f"draw.{name}.validation: {own['validation']:g} of the target, which validates on "
                    f"{self.target.validation:g}: the draw would train on what chooses transfers; leave it out"
                )
            updates[name] = changed(self.target, own)
        return settings.model_copy(update=updates)

    @property
    def target(self) -> DataSettings:
        """The recipe's own target; its parts are chosen by the recipe's seed where a ticket is drawn on it.

        With parts of their own, other seeds of a transfer would validate on what the draw has trained on.
        """
        ways = [way for source in self.sources for way in self._ways(source).values()]
        read = [getattr(way, name) for way in ways for name in _DATA_OF_DRAWS]
        is_drawn_on = any(data is not None and data.name == TARGET for data in read)
        if not is_drawn_on or self.data.seed is not None:
            return self.data
        return self.data.model_copy(update={"seed": self.seed})

    def data_sets(self) -> dict[str, DataSettings]:
        """Return every target: `data` itself, and the further ones."""
        further = {name: changed(self.data, changes, where=f"targets.{name}") for name, changes in self.targets.items()}
        return {OWN_TARGET: self.target, **further}

    def trained(self, transfer: str, target: str) -> TransferSettings:
        """Return how a way of training treats a target."""
        settings = self.transfers[transfer]
        return settings.model_copy(update={"task": self.tasks[target]}) if target in self.tasks else settings

    def all_data(self) -> list[DataSettings]:
        """Return everything the run reads: targets, and what sources and draws train on."""
        pretrained = [entry.pretrain.data for entry in self.sources.values() if entry.pretrain is not None]
        ways = [settings for source in self.sources for settings in self.draws(source).values()]
        drawn = [settings.data for settings in ways if settings.data is not None]
        return [*self.data_sets().values(), *pretrained, *drawn]


def builtin_recipes() -> dict[str, str]:
    """Return the text of every recipe that ships with the package, by name."""
    folder = files("robust_tickets") / "recipes"
    found = {entry.name.removesuffix(".yaml"): entry for entry in folder.iterdir() if entry.name.endswith(".yaml")}
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}


def load_recipe(
    name: str | Path,
    settings: Sequence[str] = (),
    values: Mapping[str, Any] | None = None,
    changes: Sequence[Mapping[str, Any]] = (),
) -> Recipe:
    """Read a recipe, resolve `extends:`, and apply overrides.

    Args:
        name: a YAML file, or the name of a recipe that ships with the package.
        settings: overrides such as `draw.sparsity=0.9`, applied last; values are YAML.
        values: settings merged over the recipe's before the overrides; `sources` replace the recipe's.
        changes: overrides as nested values.

    Raises:
        UserError: no such recipe, not YAML, an unknown key or a value out of range; the place is named.
    """
    resolved = read_values(name, ())
    if values is not None:
        if "sources" in values:
            resolved.pop("sources", None)
        resolved = merged(Recipe, resolved, values)
    for override in (*map(parse_override, settings), *changes):
        resolved = merged(Recipe, resolved, override)
    if str(name) in OPEN and not {"sources", "data"} <= resolved.keys():
        raise UserError(
            f"{name}: leaves the source and the data to you: give --source and --data, or a recipe that names them and "
            f"`extends: {name}`; tickets demo shows a run"
        )
    return parse(Recipe, resolved)


def load_pretraining(place: str) -> tuple[SourceSettings, PretrainSettings]:
    """Return how a source of a recipe is made, from `recipe:source`, as in `sources:fgsm-rs`.

    Raises:
        UserError: no such recipe, or no source of that name that it pretrains; those that there are, are named.
    """
    recipe, _, name = place.rpartition(":")
    made = {key: one for key, one in load_recipe(recipe or name).sources.items() if one.pretrain is not None}
    entry = made.get(name) if recipe else None
    if entry is None or entry.pretrain is None:
        known = ", ".join(f"{recipe or name}:{key}" for key in made) or "none"
        raise UserError(f"{place}: name a source that a recipe pretrains, as RECIPE:SOURCE; known: {known}")
    return entry.source, entry.pretrain


def read_values(name: str | Path, seen: tuple[str, ...]) -> dict[str, Any]:
    """Return the values of a recipe merged over those it extends."""
    path = Path(name)
    if path.is_file():
        text, where = read_text(path), str(path.resolve())
    else:
        known = builtin_recipes()
        if str(name) not in known:
            raise UserError(f"{name}: no such recipe file, and no recipe with that name; known: {', '.join(known)}")
        text, where = known[str(name)], str(name)
    if where in seen:
        raise UserError(f"{name}: extends itself ({' -> '.join((*seen, where))})")
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{name}: is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{name}: a recipe is a mapping of settings, such as `draw: {{sparsity: 0.9}}`")
    base = values.pop("extends", None)
    if base is None:
        return with_defaults(Recipe, values)
    beside = path.parent / str(base)
    return merged(Recipe, read_values(beside if beside.is_file() else str(base), (*seen, where)), values)


def read_text(path: Path) -> str:
    """Return the text of a recipe.

    Raises:
        UserError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not YAML in UTF-8 ({error})") from None


def parse_override(text: str) -> dict[str, Any]:
    """Turn `draw.sparsity=0.9` into nested values.

    Raises:
        UserError: it has no `=`, or its value is not YAML.
    """
    key, sign, value = text.partition("=")
    if not sign or not all(part for part in key.split(".")):
        raise UserError(f"--set {text}: write key=value, as in draw.sparsity=0.9")
    try:
        nested: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {text}: the value is not YAML ({error})") from None
    for part in reversed(key.split(".")):
        nested = {part: nested}
    return nested


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema of recipe files, for editors: settings that `extends` provides are not required."""
    schema = Recipe.model_json_schema()
    del schema["required"]
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "A recipe, by file or by name, whose settings apply unless this one changes them.",
    }
    data = schema["$defs"]["DataSettings"]
    schema["$defs"]["DataSettings"] = {"anyOf": [{"type": "string", "description": "Only the name."}, data]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def dump_recipe(recipe: Recipe) -> str:
    """Return a resolved recipe as YAML."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
