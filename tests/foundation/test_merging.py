"""Changes of settings: what they name changes, at every level, and nothing else does."""

from typing import Annotated, Any

import pytest
from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.foundation.merging import ChangesOf, layered, with_defaults
from robust_tickets.foundation.settings import Settings, changed, parse
from tests.foundation.test_settings import Fast, Slow


class Engine(Settings):
    power: int = 1
    pace: Annotated[Slow | Fast, Field(discriminator="kind"), Shorthand] = Slow()


class Car(Settings):
    bare = "name"

    name: str = "car"
    wheels: int = 4
    engine: Engine = Engine(power=9, pace=Fast(rate=5.0, steps=7))
    spare: Engine | None = None


class Fleet(Settings):
    car: Car = Car(wheels=6)
    cars: dict[str, Car] = Field(default_factory=lambda: {"own": Car(wheels=3, engine=Engine(power=2))}, min_length=1)
    changes: dict[str, Annotated[dict[str, Any], ChangesOf(Car)]] = Field(default_factory=dict)


FIVE = Fast(rate=5.0, steps=7)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # at every level, below a default that is an instance
        ({"wheels": 8}, Car(wheels=8, engine=Engine(power=9, pace=FIVE))),
        ({"engine": {"power": 2}}, Car(wheels=6, engine=Engine(power=2, pace=FIVE))),
        (
            {"engine": {"pace": {"steps": 1}}},
            Car(wheels=6, engine=Engine(power=9, pace=Fast(rate=5.0, steps=1))),
        ),
        # no kind, or the same one, keeps the rest; another kind brings its own defaults
        (
            {"engine": {"pace": {"kind": "fast", "steps": 1}}},
            Car(wheels=6, engine=Engine(power=9, pace=Fast(rate=5.0, steps=1))),
        ),
        ({"engine": {"pace": "fast"}}, Car(wheels=6, engine=Engine(power=9, pace=FIVE))),
        ({"engine": {"pace": {"kind": "slow"}}}, Car(wheels=6, engine=Engine(power=9, pace=Slow()))),
        ({"engine": {"pace": "slow"}}, Car(wheels=6, engine=Engine(power=9, pace=Slow()))),
        # where nothing is there by default, the class's own defaults hold
        ({"spare": {"power": 3}}, Car(wheels=6, spare=Engine(power=3))),
        # a bare string, and an instance, which is whole
        ("bus", Car(name="bus", wheels=6)),
        ({"engine": Engine(power=3)}, Car(wheels=6, engine=Engine(power=3))),
    ],
)
def test_a_partial_mapping_changes_only_what_it_names(values: Any, expected: Car) -> None:
    assert parse(Fleet, {"car": values}).car == expected
    assert changed(Fleet(), {"car": values}).car == expected


def test_entries_by_name_have_defaults_of_their_own() -> None:
    own = Car(wheels=3, engine=Engine(power=2, pace=FIVE))
    fleet = parse(Fleet, {"cars": {"own": {"engine": {"pace": FIVE.model_dump()}}, "other": {"wheels": 1}}})
    assert fleet.cars == {"own": own, "other": Car(wheels=1)}
    # Names that are given are all there are; a default that is not named is not added.
    assert list(parse(Fleet, {"cars": {"other": {}}}).cars) == ["other"]
    assert list(parse(Fleet, {}).cars) == ["own"]


def test_later_changes_add_entries_and_null_takes_one_out() -> None:
    assert list(changed(Fleet(), {"cars": {"other": {"wheels": 1}}}).cars) == ["own", "other"]
    assert changed(Fleet(), {"cars": {"other": {}}}).cars["own"] == Fleet().cars["own"]
    assert list(changed(Fleet(), {"cars": {"own": None, "other": {}}}).cars) == ["other"]
    assert list(layered(Fleet, with_defaults(Fleet, {}), {"cars": {"other": {}}})["cars"]) == ["own", "other"]


def test_a_layer_of_the_same_kind_keeps_what_an_earlier_one_said_without_naming_it() -> None:
    first, second = {"engine": {"pace": {"rate": 2.0}}}, {"engine": {"pace": {"kind": "fast", "steps": 1}}}
    assert changed(Car(), first, second).engine.pace == Fast(rate=2.0, steps=1)
    assert changed(Car(), first, {"engine": {"pace": "slow"}}).engine.pace == Slow()
    assert changed(Car(), {"engine": {"pace": "slow"}}, {"engine": {"pace": {"rate": 2.0}}}).engine.pace == Slow(rate=2)


def test_changes_that_wait_for_their_base_are_merged_but_not_filled_in() -> None:
    layers = [{"changes": {"a": {"engine": one}}} for one in ({"pace": "slow"}, {"pace": {"rate": 3}}, {"power": 2})]
    assert layered(Fleet, *layers) == {"changes": {"a": {"engine": {"pace": {"kind": "slow", "rate": 3}, "power": 2}}}}


def test_what_is_complete_is_read_as_it_is() -> None:
    fleet = parse(Fleet, {"car": {"engine": {"pace": "slow"}}, "cars": {"other": {"spare": {"pace": {"rate": 3}}}}})
    assert parse(Fleet, fleet.model_dump()) == fleet
    assert Fleet.model_validate_json(fleet.model_dump_json()) == fleet
