"""What the report says first."""

from robust_tickets.report.headline import headlines
from robust_tickets.report.summary import ShrinkRow, Summary, VerdictRow
from tests.report.examples import decided, study


def first(*verdicts: VerdictRow) -> str:
    return headlines(Summary(title="t", verdicts=list(verdicts)))[0].claim


def test_the_sparsest_matching_ticket_leads_even_past_a_gap() -> None:
    claim = first(
        decided("robust", "full", 0.5, 0.0),
        decided("robust", "full", 0.8, -0.03),
        decided("robust", "full", 0.9, 0.0),
        decided("robust", "full", 0.95, -0.012),
    )
    assert claim == "The robust ticket at 90 % sparsity matches dense with full transfer."


def test_each_source_and_transfer_has_one_sentence() -> None:
    found = headlines(study())
    assert len(found) == 4
    assert found[0].claim.startswith("The robust ticket at 50 % sparsity matches dense with full transfer")
    assert sum("is shown to match" in headline.claim for headline in found) == 2


def test_double_win_needs_every_required_comparison() -> None:
    standard = decided("robust", "full", 0.9, 0.0)
    failing = decided("robust", "full", 0.9, -0.05, objective="pgd", measure="robust")
    assert first(standard, failing) == "No robust ticket matches dense with full transfer."
    beside = failing.model_copy(update={"required": False})
    assert first(standard, beside).startswith("The robust ticket at 90 %")


def test_tickets_of_other_ways_of_drawing_do_not_speak_for_each_other() -> None:
    one_shot = decided("robust", "full", 0.9, 0.0, drawing="draw")
    learned = decided("robust", "full", 0.9, -0.05, drawing="lmp")
    assert first(one_shot, learned) == "The robust draw ticket at 90 % sparsity matches dense with full transfer."


def test_a_ticket_that_fails_one_comparison_is_not_called_undecided() -> None:
    undecided = decided("robust", "full", 0.9, -0.008)
    failing = decided("robust", "full", 0.9, -0.05, measure="robust")
    assert first(undecided, failing) == "No robust ticket matches dense with full transfer."
    assert "more seeds could" in first(undecided)


def test_the_evidence_is_the_comparison_with_the_least_to_spare() -> None:
    (headline,) = headlines(
        Summary(
            title="t",
            verdicts=[
                decided("robust", "full", 0.9, 0.02),
                decided("robust", "full", 0.9, -0.003, measure="robust"),
            ],
        )
    )
    assert headline.evidence == (
        "At 90 %: −0.3 points of robust accuracy (interval −0.9 to +0.3), margin 1.0, 3 seeds."
    )


def test_several_targets_are_told_apart() -> None:
    here = decided("a", "full", 0.9, 0.0)
    there = decided("a", "full", 0.5, 0.0, target="SVHN", fraction="1 %")
    found = headlines(Summary(title="t", verdicts=[here, there]))
    assert [headline.claim for headline in found] == [
        "The a ticket at 90 % sparsity matches dense with full transfer to CIFAR-10 (100 %).",
        "The a ticket at 50 % sparsity matches dense with full transfer to SVHN (1 %).",
    ]


def shipped(**given: object) -> ShrinkRow:
    ordinary = {
        "name": "draw: zeros left out (runtime)",
        "series": "robust",
        "group": "element",
        "transfer": "full",
        "sparsity": 0.9,
        "file": "draw.rtk",
        "accuracy": 0.981,
        "verdict": "matches",
        "parameters": 100,
        "nonzero": 10,
        "bytes": 10,
        "latency_ms": 0.5,
        "size_ratio": 7.94,
        "ratio": 2.61,
    }
    return ShrinkRow.model_validate({**ordinary, **given})


def test_the_shipped_ticket_that_matches_leads_with_accuracy_size_and_speed() -> None:
    verdicts = [decided("robust", "full", 0.9, -0.002), decided("natural", "full", 0.9, -0.05)]
    found = headlines(Summary(title="t", verdicts=verdicts, shrink=[shipped()]))
    assert [headline.claim for headline in found] == [
        "The robust element ticket at 90 % sparsity matches dense: 98.1 % accuracy against 98.3 %, 7.9 times smaller "
        "and 2.6 times as fast.",
        "No natural ticket matches dense with full transfer.",
    ]
    assert found[0].evidence == (
        "At 90 %: −0.2 points of standard accuracy (interval −0.8 to +0.4), margin 1.0, 3 seeds. Size and speed: "
        "draw.rtk, measured against dense in ONNX Runtime."
    )


def test_a_source_with_the_same_figures_as_the_shipped_one_is_told_too() -> None:
    verdicts = [decided(series, "full", 0.9, -0.002) for series in ("robust", "natural")]
    found = headlines(Summary(title="t", verdicts=verdicts, shrink=[shipped()]))
    assert [headline.claim.partition(" matches")[0] for headline in found] == [
        "The robust element ticket at 90 % sparsity",
        "The natural ticket at 90 % sparsity",
    ]


def test_neither_a_slower_file_nor_a_worse_ticket_leads() -> None:
    verdicts = [decided("robust", "full", 0.9, -0.002)]
    for row in (shipped(ratio=0.8), shipped(verdict="cannot tell"), shipped(size_ratio=0.99), shipped(ratio=None)):
        (headline,) = headlines(Summary(title="t", verdicts=verdicts, shrink=[row]))
        assert headline.claim == "The robust ticket at 90 % sparsity matches dense with full transfer."


def test_without_verdicts_nothing_is_claimed() -> None:
    rows_only = study().model_copy(update={"verdicts": []})
    assert headlines(rows_only)[0].claim == "No ticket was compared with dense."
    assert "matches" not in headlines(Summary(title="t"))[0].claim
