"""Recipes: how files are put together, how values are written, and the schema that editors check them by."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from robust_tickets.foundation.complaints import models_in
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.recipe import OPEN, Recipe, builtin_recipes, dump_recipe, load_recipe, recipe_schema
from robust_tickets.training.optimisers import AdamW
from robust_tickets.verbs.transfer_settings import FINETUNING

MINIMAL = "sources: {net: {source: {name: demo/resnet4, weights: random}}}\ndata: glyphs\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, text: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return path


def test_every_shipped_recipe_survives_being_written_down() -> None:
    for name in set(builtin_recipes()) - set(OPEN):
        recipe = load_recipe(name)
        assert Recipe.model_validate(yaml.safe_load(dump_recipe(recipe))) == recipe


def test_extends_is_relative_to_the_file_and_goes_on(here: Path) -> None:
    write("base/base.yaml", MINIMAL + "seed: 1\nname: base\ndraw: {sparsity: 0.5, score: {norm: l2}}\n")
    write("base/middle.yaml", "extends: base.yaml\nseed: 2\nname: middle\n")
    write("top/top.yaml", "extends: ../base/middle.yaml\nname: top\ndraw: {sparsity: 0.7}\n")
    recipe = load_recipe("top/top.yaml")
    assert (recipe.name, recipe.seed, recipe.draw.sparsity) == ("top", 2, 0.7)
    assert recipe.draw.score.model_dump() == {"kind": "magnitude", "norm": "l2"}


def test_a_file_may_extend_a_shipped_recipe_of_its_own_name(here: Path) -> None:
    write("demo.yaml", "extends: demo\nseed: 7\n")
    recipe = load_recipe("demo.yaml")
    assert recipe.seed == 7
    assert recipe.sources == load_recipe("demo").sources


@pytest.mark.parametrize("second", ["one.yaml", "../here/one.yaml", "./one.yaml"])
def test_a_circle_is_found_however_it_is_written(here: Path, second: str) -> None:
    write("here/one.yaml", "extends: two.yaml")
    write("here/two.yaml", f"extends: {second}")
    with pytest.raises(UserError, match="extends itself"):
        load_recipe("here/one.yaml")


def test_what_is_extended_must_exist(here: Path) -> None:
    write("one.yaml", "extends: nothing")
    with pytest.raises(UserError, match="nothing: no such recipe"):
        load_recipe("one.yaml")


def test_another_kind_replaces_and_the_same_kind_is_merged(here: Path) -> None:
    base = MINIMAL + "draw: {timeline: {kind: iterative, rate: 0.3, epochs: 2}, data: digits}\n"
    write("base.yaml", base)
    same = load_recipe("base.yaml", ["draw.timeline.rate=0.4"]).draw.timeline.model_dump()
    assert (same["kind"], same["rate"], same["epochs"]) == ("iterative", 0.4, 2)
    other = load_recipe("base.yaml", ["draw.timeline={kind: one-shot}"]).draw.timeline
    assert other.model_dump() == {"kind": "one-shot", "epochs": 0}
    assert load_recipe("base.yaml", ["draw.timeline=one-shot"]).draw.timeline == other


def test_short_forms_can_be_told_more(here: Path) -> None:
    write("base.yaml", MINIMAL + "draw: {group: block}\n")
    recipe = load_recipe("base.yaml", ["data.per_class=5", "draw.group.out=8"])
    assert (recipe.data.name, recipe.data.per_class) == ("glyphs", 5)
    assert recipe.draw.group.model_dump() == {"kind": "block", "out": 8, "inputs": 1}


@pytest.mark.parametrize(
    ("setting", "read", "expected"),
    [
        ("draw.sparsity=[0.5,0.9]", lambda r: r.draw.sparsity, (0.5, 0.9)),
        ("draw.sparsity=3/4", lambda r: r.draw.sparsity, 0.75),
        ("draw.sparsity=[1/2, 0.9]", lambda r: r.draw.sparsity, (0.5, 0.9)),
        ("data.fraction=1/10", lambda r: r.data.fraction, 0.1),
        ("verify.robustness.threat.epsilon=8/255", lambda r: r.verify.robustness.threat.epsilon, 8 / 255),
        ("verify.robustness.threat.epsilon=0.03", lambda r: r.verify.robustness.threat.epsilon, 0.03),
        ("verify.robustness={}", lambda r: r.verify.robustness.threat.epsilon, 8 / 255),
        ("transfers.full.training.objective=pgd", lambda r: r.transfers["full"].training.objective.kind, "pgd"),
        ("transfers.full.training.optimiser.lr=1e-3", lambda r: r.transfers["full"].training.optimiser.lr, 1e-3),
        ("transfers.full.seeds=[4]", lambda r: r.transfers["full"].seeds, (4,)),
        ("shrink=null", lambda r: r.shrink, None),
        ("controls=[random, shuffled, reinitialised]", lambda r: len(r.controls), 3),
        ("name=a = b", lambda r: r.name, "a = b"),
    ],
)
def test_how_values_are_written(here: Path, setting: str, read: Any, expected: object) -> None:
    write("base.yaml", MINIMAL)
    assert read(load_recipe("base.yaml", [setting])) == expected


def test_epsilon_of_a_yaml_file_may_be_a_ratio(here: Path) -> None:
    write("base.yaml", MINIMAL + "verify: {robustness: {threat: {epsilon: 8/255, steps: 20, step_size: 2/255}}}\n")
    robustness = load_recipe("base.yaml").verify.robustness
    assert robustness is not None
    assert robustness.describe() == "PGD-20 in L-inf 8/255"


def test_variants_are_changes_of_draw_and_checked_at_once(here: Path) -> None:
    write("base.yaml", MINIMAL + "draw: {sparsity: 0.6}\nvariants: {rows: {group: row}, few: {sparsity: 0.2}}\n")
    ways = load_recipe("base.yaml").draws()
    assert list(ways) == ["draw", "rows", "few"]
    assert (ways["rows"].group.kind, ways["rows"].sparsity, ways["few"].sparsity) == ("row", 0.6, 0.2)
    with pytest.raises(UserError, match=r"variants\.rows\.scop: no such setting; did you mean variants\.rows\.scope\?"):
        load_recipe("base.yaml", ["variants.rows.scop=layer"])


def reachable(kind: type[Settings]) -> set[type[Settings]]:
    found: set[type[Any]] = set()
    todo: list[type[Any]] = [kind]
    while todo:
        if (current := todo.pop()) not in found:
            found.add(current)
            todo += [inner for field in current.model_fields.values() for inner in models_in(field.annotation)]
    return found


def test_every_setting_is_described() -> None:
    silent = [
        f"{kind.__name__}.{name}"
        for kind in reachable(Recipe)
        for name, field in kind.model_fields.items()
        if name != "kind" and not field.description
    ]
    assert silent == []
    assert not [kind.__name__ for kind in reachable(Recipe) if not kind.__doc__]


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def faults(schema: Any, value: Any, root: dict[str, Any], where: str = "") -> list[str]:
    """Return what a value breaks in a JSON Schema; the keywords that ours uses."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return faults(root["$defs"][name], value, root, where)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            tried = [faults(option, value, root, where) for option in schema[choice]]
            if choice == "oneOf" and tried.count([]) > 1:
                return [f"{where}: {value!r} may be several things"]
            return [] if [] in tried else min(tried, key=len)
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is not in {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{where}: {value!r} is not {schema['const']!r}")
    if "type" in schema and (
        not isinstance(value, TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean")
    ):
        return [*found, f"{where}: {value!r} is no {schema['type']}"]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        found += [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, inner in value.items():
            if name in known:
                found += faults(known[name], inner, root, f"{where}.{name}")
            elif rest is False:
                found.append(f"{where}: {name} is unknown")
            elif isinstance(rest, dict):
                found += faults(rest, inner, root, f"{where}.{name}")
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found += faults(schema.get("items", {}), inner, root, f"{where}[{number}]")
    return found


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(json.dumps(recipe_schema()))


@pytest.mark.parametrize("name", builtin_recipes())
def test_the_schema_accepts_every_shipped_recipe_as_it_is_written(schema: dict[str, Any], name: str) -> None:
    assert faults(schema, yaml.safe_load(builtin_recipes()[name]), schema) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "draw: {sparsty: 0.5}",
        "draw: {group: chanel}",
        "draw: {group: {kind: block, rows: 3}}",
        "draw: {sparsity: {a: 1}}",
        "data: 3",
        "data: {name: 3}",
        "transfers: {full: {mode: half}}",
        "colour: red",
    ],
)
def test_the_schema_refuses_what_recipes_refuse(schema: dict[str, Any], wrong: str) -> None:
    assert faults(schema, yaml.safe_load(wrong), schema) != []
    with pytest.raises(UserError):
        load_recipe("demo", values=yaml.safe_load(wrong) | {"name": "wrong"})


def test_the_schema_is_json_schema_and_explains_itself(schema: dict[str, Any]) -> None:
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["type"] == "object"
    text = json.dumps(schema)
    for name in schema["$defs"]:
        assert f"#/$defs/{name}" in text
    for reference in {part.split('"')[0] for part in text.split("#/$defs/")[1:]}:
        assert reference in schema["$defs"]
    assert all({"description", "$ref"} & field.keys() for field in schema["properties"].values())


OWN = {"sources": {"net": {"source": {"name": "timm/resnet18"}}}, "data": {"name": "digits"}}


def test_one_setting_of_the_default_transfer_changes_nothing_else() -> None:
    before = load_recipe("default", values=OWN)
    after = load_recipe("default", ["transfers.full.training.epochs=3"], OWN)
    training = before.transfers["full"].training
    assert (training.optimiser, training.batch_size, training.head_lr, training.warmup) == (
        AdamW(lr=3e-4, weight_decay=0.01),
        32,
        1e-3,
        1,
    )
    assert after.transfers["full"].training == training.model_copy(update={"epochs": 3})
    assert after == before.model_copy(update={"transfers": after.transfers})


def test_a_recipe_that_says_one_thing_of_a_transfer_leaves_the_rest(here: Path) -> None:
    write(
        "few.yaml", MINIMAL + "transfers: {full: {training: {optimiser: {lr: 1e-4}}}, other: {training: {ema: 0.9}}}\n"
    )
    transfers = load_recipe("few.yaml").transfers
    assert transfers["full"].training.optimiser == AdamW(lr=1e-4, weight_decay=0.01)
    assert (transfers["full"].training.batch_size, transfers["other"].training.batch_size) == (32, 32)


def test_overrides_add_to_the_transfers_and_null_takes_one_out() -> None:
    assert list(load_recipe("default", ["transfers.linear.mode=linear"], OWN).transfers) == ["full", "linear"]
    only = ["transfers.linear.mode=linear", "transfers.full=null"]
    assert list(load_recipe("default", only, OWN).transfers) == ["linear"]


def test_a_bare_name_of_data_keeps_what_else_is_said_of_them(here: Path) -> None:
    write("few.yaml", MINIMAL.replace("data: glyphs", "data: {name: digits, per_class: 5}"))
    data = load_recipe("few.yaml", ["data=glyphs"]).data
    assert (data.name, data.per_class) == ("glyphs", 5)


@pytest.mark.parametrize("name", sorted(set(builtin_recipes()) - set(OPEN)))
def test_no_shipped_recipe_trains_a_head_by_sgd_at_the_rate_meant_for_adamw(name: str) -> None:
    for transfer in load_recipe(name).transfers.values():
        if transfer.training.optimiser.kind == "sgd":
            assert transfer.training.head_lr != FINETUNING.head_lr


def test_data_called_target_are_the_runs_own_target() -> None:
    values = {
        "sources": {"one": {"source": {"name": "demo/resnet4"}}},
        "data": {"name": "digits", "per_class": 20, "validation": 0.3},
        "draw": {"data": "target"},
        "variants": {"few": {"data": {"per_class": 5}}, "other": {"data": "glyphs"}},
    }
    ways = load_recipe("one-shot", values=values).draws()
    target = ways["draw"].data
    assert target is not None
    assert (target.name, target.per_class, target.validation) == ("digits", 20, 0.3)
    recipe = load_recipe("one-shot", values=values)
    assert recipe.data_sets()["data"].seed == target.seed == recipe.seed, "all seeds validate on what no draw has seen"
    assert load_recipe("one-shot", values={**values, "draw": {}, "variants": {}}).data_sets()["data"].seed is None
    recalibrated = load_recipe("one-shot", values={**values, "draw": {"recalibrate": "target"}, "variants": {}})
    assert recalibrated.draws()["draw"].recalibrate == recalibrated.data_sets()["data"]
    own = ways["few"].data
    assert own is not None
    assert (own.name, own.per_class, own.validation) == ("digits", 5, 0.3)
    assert ways["other"].data is not None
    assert ways["other"].data.name == "glyphs"


def test_a_draw_does_not_train_on_what_its_transfers_are_chosen_by() -> None:
    values = {
        "sources": {"one": {"source": {"name": "demo/resnet4"}}},
        "data": {"name": "digits", "validation": 0.3},
        "variants": {"whole": {"data": {"name": "target", "validation": 0}}},
    }
    with pytest.raises(
        UserError, match=r"draw\.data\.validation: 0 of the target, which validates on 0\.3: the draw would"
    ):
        load_recipe("one-shot", values=values)


@pytest.mark.parametrize("name", OPEN)
def test_a_recipe_that_leaves_source_and_data_to_the_user_says_so(name: str, here: Path) -> None:
    with pytest.raises(UserError, match="leaves the source and the data to you: give --source and --data"):
        load_recipe(name, values={"data": OWN["data"]})
    write("mine.yaml", f"extends: {name}\n{MINIMAL}")
    assert load_recipe("mine.yaml").draw.sparsity == {"fast": 0.8}.get(name, 0.9)
