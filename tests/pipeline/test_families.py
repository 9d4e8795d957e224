"""Ways of drawing compared: relative error increase, ranks, and what tickets cost."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robust_tickets.findings.families import Increase, WayOfDrawing, family_sections
from robust_tickets.models.sources import load_source
from robust_tickets.recipe import load_recipe
from robust_tickets.shrinking.counts import counted_multiply_adds
from robust_tickets.ticket.cost import Cost
from robust_tickets.ticket.ticket import Ticket
from tests.commands import Tickets


def family(
    way: str, errors: dict[str, tuple[tuple[float, ...], tuple[float, ...]]], sparsity: float = 0.8
) -> WayOfDrawing:
    increases = {target: Increase(*pair) for target, pair in errors.items()}
    cost = Cost(seconds=90, steps=10, examples=320)
    return WayOfDrawing(way, "source", "full", sparsity, increases, left=0.25, multiply_adds=1_000_000, cost=cost)


def test_the_increase_is_relative_to_denses_errors_and_paired_by_seed() -> None:
    one = Increase(ticket=(0.12, 0.2), dense=(0.1, 0.1))
    assert one.by_seed == pytest.approx((0.2, 1.0))
    assert one.mean == pytest.approx(0.6)
    both = family("a", {"x": ((0.12, 0.2), (0.1, 0.1)), "y": ((0.3, 0.1), (0.2, 0.2))})
    assert both.by_seed == pytest.approx(((0.2 + 0.5) / 2, (1.0 - 0.5) / 2))
    assert both.mean == pytest.approx(0.3)


def test_ranks_are_means_over_targets_and_equal_ways_share_theirs() -> None:
    dense = (0.1, 0.1)
    best = family("best", {"x": ((0.1, 0.1), dense), "y": ((0.2, 0.2), dense)})
    worst = family("worst", {"x": ((0.3, 0.3), dense), "y": ((0.3, 0.3), dense)})
    equal = family("equal", {"x": ((0.1, 0.1), dense), "y": ((0.4, 0.4), dense)})
    (table,) = family_sections([worst, best, equal])[0].tables
    assert [row[0] for row in table.rows] == ["best", "equal", "worst"]
    assert {row[0]: row[2] for row in table.rows} == {"best": "1.25", "equal": "2.25", "worst": "2.50"}
    assert {row[0]: row[3] for row in table.rows} == {"best": "+0.0", "equal": "+0.0", "worst": "+200.0"}


def test_the_interval_is_that_of_seed_means() -> None:
    one = family("one", {"x": ((0.11, 0.12, 0.13), (0.1, 0.1, 0.1))})
    (table,) = family_sections([one, family("two", {"x": ((0.1, 0.1, 0.1), (0.1, 0.1, 0.1))})])[0].tables
    # Student's t with 2 degrees of freedom, 97.5 %: 4.303; standard deviation 0.1 over three seeds.
    assert table.rows[1][1] == f"+20.0 ± {100 * 4.303 * 0.1 / 3**0.5:.1f}"


def test_targets_without_errors_or_not_filled_are_left_out_of_ranks_and_said_to_be() -> None:
    never = ((0.0, 0.1), (0.0, 0.0))
    one = family("one", {"x": ((0.2, 0.2), (0.1, 0.1)), "easy": never})
    other = family("other", {"x": ((0.1, 0.1), (0.1, 0.1)), "easy": never, "late": ((0.2, 0.2), (0.1, 0.1))})
    (table,) = family_sections([one, other])[0].tables
    rows = {row[0]: row for row in table.rows}
    assert rows["one"][2:] == ("2.00", "+100.0", None, None)
    assert "leave out easy, late" in table.note
    assert "Increases are means over those targets that a way has." in table.note
    assert one.mean == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.01, "0"), (3, "0.05"), (90, "1.5"), (599, "10"), (7500, "125"), (180_000, "3,000")]
)
def test_minutes_are_written_as_people_write_them(seconds: float, told: str) -> None:
    ways = [family(way, {"x": ((0.2,), (0.1,))}) for way in ("one", "two")]
    long = [replace(way, cost=Cost(seconds=seconds, steps=1, examples=1)) for way in ways]
    assert [row[5] for row in family_sections(long)[1].tables[0].rows] == [told, told]


def test_a_single_way_is_not_compared() -> None:
    assert family_sections([family("one", {"x": ((0.2,), (0.1,))})]) == []


def test_multiply_adds_left_are_those_of_the_kept_weights() -> None:
    source = load_source("demo/resnet4", weights="random")
    network = source.network
    counted = counted_multiply_adds(network, network.interface.example(2))
    sizes: dict[str, int] = {}

    def watch(path: str):
        return lambda layer, _, out: sizes.__setitem__(path, layer.weight.numel() * out[0, 0].numel())

    for path, layer in network.body.named_modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(watch(path))
    network(network.interface.example(1))
    sizes[network.head] = network.body.get_submodule(network.head).weight.numel()  # pyright: ignore
    assert counted.total == sum(sizes.values())
    shares = {f"{path}.weight": 0.5 for path in list(sizes)[:2]}
    saved = sum(sizes[path] for path in list(sizes)[:2]) / 2
    assert counted.left(shares) == pytest.approx(1 - saved / counted.total)


STUDY = """
name: A small study
sources: {plain: {source: {name: demo/resnet4, weights: random}}}
data: {name: digits, channels: 3, per_class: 4, validation: 0.5}
targets: {more: {per_class: 5}, judged: {per_class: 5}}
tasks: {judged: {kind: classification, judged_by: f1}}
draw: {sparsity: 0.5}
variants:
  gmp:
    timeline: {kind: gradual, initial: 0.1, start: 0.5, end: 1.5, every: 0.5, epochs: 2}
    rewind: none
    data: {name: digits, channels: 3, per_class: 8, validation: 0}
    training: {batch_size: 20}
transfers:
  full: {seeds: [0, 1], training: {epochs: 1, batch_size: 10}}
  linear: {mode: linear, seeds: [0, 1], rates: [0.003, 0.3], training: {epochs: 1, batch_size: 10}}
shrink: null
"""


def test_a_study_compares_its_ways_and_says_what_they_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(STUDY)
    outcome = Tickets(capsys, monkeypatch)("study study.yaml --out run")
    assert outcome.code == 0, outcome.err
    assert "relative error increase (%)" in outcome.out
    report = Path("run/report.md").read_text()
    assert {"**full transfer, 50 %**", "**linear transfer, 50 %**"} <= set(report.splitlines())
    assert "best of 0.003, 0.3" in report
    assert "| more (%) |" in report
    assert "judged (%)" not in report, "1 - F1 is no share of errors"
    drawn = Path("run/tickets/plain/gmp")
    cost = Cost.of(drawn)
    assert cost is not None
    assert (cost.steps, cost.examples) == (8, 160)  # two epochs of 80 images in batches of 20
    assert cost.seconds > 0
    left = counted_multiply_adds(
        (source := load_source("demo/resnet4", weights="random")).network, source.network.interface.example(1)
    ).left(Ticket.load(drawn).layer_sparsity)
    row = next(line for line in report.splitlines() if re.match(r"\| gmp \| 50 ", line))
    assert f"| {100 * left:.1f} | 160 |" in row


def test_the_study_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text)
    recipe = load_recipe(tmp_path / "mine.yaml")
    assert list(recipe.sources) == ["mine"]
    assert list(recipe.targets) == ["few"]
    ways = recipe.draws()
    assert {"draw", "gmp", "woodfisher", "m-fac", "ac-dc", "str", "lth-t", "rigl", "rigl-5x"} == set(ways)
    assert {way.data.name for way in ways.values() if way.data is not None} == {"path/to/photographs"}
    assert all(way.sparsity == (0.8, 0.9) for way in ways.values())
