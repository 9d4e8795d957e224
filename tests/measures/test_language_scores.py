"""Scores of language tasks: by hand, and against other people's code."""

import math

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
from torch import Tensor

from robust_tickets.measures.answering import LONGEST, AnswerF1, best_span
from robust_tickets.measures.class_scores import ClassF1, Matthews
from robust_tickets.measures.correlation import Correlation
from robust_tickets.measures.set_metric import SetMetric
from robust_tickets.measures.tagging import NameF1, WordAccuracy, marks_names, names_in


def measured(score: SetMetric, outputs: Tensor, targets: Tensor, size: int = 4) -> Tensor:
    """Measure a network that returns `outputs` [N, ...] of inputs that are their own numbers, in batches."""
    pairs = [(part, targets[part]) for part in torch.arange(len(outputs)).split(size)]
    (kept,) = score.measured(lambda inputs: outputs[inputs], pairs)
    assert torch.equal(score.unpacked(score.packed(kept)), kept)
    assert all(math.isfinite(value) for value in (score.value(kept),))
    return kept


# Numbers


def test_correlations_are_scipy_s() -> None:
    chance = torch.Generator().manual_seed(0)
    targets = torch.rand(50, generator=chance) * 5
    outputs = (targets.exp() + torch.randn(50, generator=chance))[:, None]
    pearson, spearman = measured(Correlation(()), outputs, targets).tolist()
    flat, asked = outputs.flatten().numpy(), targets.numpy()
    assert pearson == pytest.approx(scipy.stats.pearsonr(flat, asked).statistic, abs=1e-6)
    assert spearman == pytest.approx(scipy.stats.spearmanr(flat, asked).statistic, abs=1e-6)
    assert spearman > pearson
    assert Correlation(()).value(torch.tensor([pearson, spearman])) == pytest.approx(pearson)


def test_constant_answers_correlate_with_nothing() -> None:
    kept = measured(Correlation(()), torch.full((8, 1), 2.5), torch.arange(8.0))
    assert kept.tolist() == [0, 0]
    assert measured(Correlation(()), torch.ones(1, 1), torch.ones(1)).tolist() == [0, 0]


# Classes


@pytest.mark.parametrize("classes", [2, 4])
def test_f1_and_matthews_are_scikit_learn_s(classes: int) -> None:
    chance = torch.Generator().manual_seed(classes)
    labels = torch.randint(classes, (60,), generator=chance)
    outputs = torch.nn.functional.one_hot(labels, classes) + torch.randn(60, classes, generator=chance)
    names = tuple(map(str, range(classes)))
    given = outputs.argmax(1)
    f1 = ClassF1(names)
    average = "binary" if classes == 2 else "macro"
    assert f1.value(measured(f1, outputs, labels)) == pytest.approx(
        sklearn.metrics.f1_score(labels, given, average=average), abs=1e-6
    )
    matthews = Matthews(names)
    assert matthews.value(measured(matthews, outputs, labels)) == pytest.approx(
        sklearn.metrics.matthews_corrcoef(labels, given), abs=1e-6
    )


def test_one_class_alone_has_no_correlation() -> None:
    outputs = torch.tensor([[1.0, 0.0]] * 6)
    assert Matthews(("0", "1")).value(measured(Matthews(("0", "1")), outputs, torch.tensor([0, 1, 0, 1, 1, 0]))) == 0
    wrong = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert Matthews(("0", "1")).value(measured(Matthews(("0", "1")), wrong, torch.tensor([0, 1]))) == -1


# Names


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ("B-PER I-PER O B-LOC", [("PER", 0, 1), ("LOC", 3, 3)]),
        ("B-PER B-PER", [("PER", 0, 0), ("PER", 1, 1)]),
        ("I-PER I-PER O", [("PER", 0, 1)]),
        ("B-PER I-LOC I-LOC", [("PER", 0, 0), ("LOC", 1, 2)]),
        ("O I-LOC B-LOC I-LOC", [("LOC", 1, 1), ("LOC", 2, 3)]),
        ("S-PER B-LOC I-LOC E-LOC E-LOC", [("PER", 0, 0), ("LOC", 1, 3), ("LOC", 4, 4)]),
        ("O O", []),
    ],
)
def test_names_begin_and_end_as_conlleval_has_it(tags: str, names: list[tuple[str, int, int]]) -> None:
    assert list(names_in(tags.split())) == names


TAGS = ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")


def tagged(*texts: str) -> Tensor:
    """The numbers of tags of texts, -100 where there is none."""
    numbers = [[TAGS.index(tag) if tag != "-" else -100 for tag in text.split()] for text in texts]
    return torch.tensor(numbers)


def test_a_name_counts_if_its_kind_and_both_ends_are_right() -> None:
    asked = tagged("- B-PER I-PER - O B-LOC -", "- B-PER I-PER - O O -")
    given = tagged("O B-PER I-PER O O B-PER O", "O B-PER O B-LOC O O O")
    outputs = torch.nn.functional.one_hot(given.clamp(min=0), len(TAGS)).float()
    score = NameF1(TAGS)
    kept = measured(score, outputs, asked, 1)
    assert score.kinds == ["LOC", "PER"]
    assert kept.tolist() == [[0, 0, 1], [1, 3, 2]]
    assert score.value(kept) == pytest.approx(2 * 1 / (3 + 3))
    assert score.packed(kept)["f1_of"] == {"LOC": 0.0, "PER": pytest.approx(0.4)}
    assert score.value(torch.zeros_like(kept)) == 0
    accuracy = WordAccuracy(TAGS)
    assert accuracy.value(measured(accuracy, outputs, asked, 1)) == pytest.approx(6 / 8)


def test_tags_mark_names_or_they_do_not() -> None:
    assert marks_names(TAGS)
    assert not marks_names(("NOUN", "VERB"))
    assert not marks_names(("O",))
    assert not marks_names(("O", "NOUN"))


# Answers


def test_the_best_span_is_the_best_of_all_that_are_allowed() -> None:
    chance = np.random.default_rng(0)
    for _ in range(20):
        length = 50
        logits = torch.from_numpy(chance.normal(size=(length, 2)))
        places = torch.full((length, 2), -1)
        places[5:45] = torch.stack([torch.arange(40) * 3, torch.arange(40) * 3 + 2], 1)
        spans = [(i, j) for i in range(5, 45) for j in range(i, min(45, i + LONGEST))]
        best = max(spans, key=lambda span: float(logits[span[0], 0] + logits[span[1], 1]))
        score, begin, end = best_span(logits, places)
        assert (begin, end) == (int(places[best[0], 0]), int(places[best[1], 1]))
        assert score == pytest.approx(float(logits[best[0], 0] + logits[best[1], 1]))
    assert best_span(logits, torch.full((length, 2), -1))[1:] == (0, 0)


def test_answers_are_judged_over_questions_and_their_most_confident_window() -> None:
    context = "The cat sat on the red mat."
    words = [(0, 3), (4, 7), (8, 11), (12, 14), (15, 18), (19, 22), (23, 26), (26, 27)]
    places = torch.tensor([(-1, -1), *words])

    def window(question: int, first: int, last: int, confidence: float, *answers: str) -> tuple[Tensor, dict]:
        logits = torch.zeros(len(places), 2)
        logits[1 + first, 0] = logits[1 + last, 1] = confidence
        return logits, {"question": question, "answers": list(answers)}

    windows = [
        window(7, 4, 6, 2.0, "red mat"),  # the red mat: articles do not count
        window(7, 1, 1, 1.0, "red mat"),
        window(9, 1, 2, 1.0, "a dog", "cat"),  # cat sat
    ]
    targets = {
        "question": torch.tensor([one["question"] for _, one in windows]),
        "places": places.expand(len(windows), -1, -1),
        "context": [context] * len(windows),
        "answers": [one["answers"] for _, one in windows],
    }
    score = AnswerF1(())
    total = score.of_batch(torch.stack([logits for logits, _ in windows]), targets)
    kept = score.kept(total)
    assert {number: best.text for number, best in total.items()} == {7: "the red mat", 9: "cat sat"}
    f1, exact = kept.tolist()
    assert exact == pytest.approx(0.5)
    assert f1 == pytest.approx((1 + 2 * 0.5 * 1 / 1.5) / 2)
    assert score.value(kept) == pytest.approx(f1)
    assert torch.equal(score.unpacked(score.packed(kept)), kept)
