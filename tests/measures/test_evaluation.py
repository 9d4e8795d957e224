import copy
import importlib.util
import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from robust_tickets.attacks import AutoAttack, Threat
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import changed
from robust_tickets.measures.accuracy import accuracy, correctness
from robust_tickets.measures.evaluation import Evaluation, balanced_first, evaluate
from robust_tickets.measures.logits import logits
from robust_tickets.measures.robust_accuracy import robust_correctness
from tests.objectives.digits import digits, trained_network
from tests.shared_data import SHARED, needs_shared

needs_autoattack = pytest.mark.skipif(
    importlib.util.find_spec("pyautoattack") is None, reason="needs the extra robust-tickets[robust]"
)


def batches(count: int, size: int = 64) -> list[tuple[torch.Tensor, torch.Tensor]]:
    _, _, images, labels = digits()
    return list(zip(images[:count].split(size), labels[:count].split(size), strict=True))


def test_logits_keep_the_order_of_images():
    _, _, images, labels = digits()
    with evaluation_mode(trained_network(), "cpu") as predict:
        found, order = logits(predict, batches(200, size=33))
    assert torch.equal(order, labels[:200])
    assert torch.allclose(found, trained_network().eval()(images[:200]), atol=1e-5)
    assert not found.requires_grad


def test_evaluation_is_fp32_within_autocast():
    network, seen = copy.deepcopy(trained_network()), []
    network[7].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16), evaluation_mode(network, "cpu") as predict:
        logits(predict, batches(64))
    assert seen == [torch.float32]


def test_robust_accuracy_leaves_the_network_untouched():
    network = copy.deepcopy(trained_network()).train()
    network[0].weight.grad = torch.ones_like(network[0].weight)
    before = copy.deepcopy(network.state_dict())
    with evaluation_mode(network, "cpu") as predict:
        robust_correctness(predict, batches(128), Threat(steps=2), torch.Generator().manual_seed(0))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network.training
    assert network[0].weight.grad.eq(1).all()
    assert network[7].weight.grad is None
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_wrong_images_count_as_wrong_and_are_not_attacked():
    network, sizes = copy.deepcopy(trained_network()), []
    network.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    threat = Threat(epsilon=0.1, steps=3)
    with evaluation_mode(network, "cpu") as predict:
        found = robust_correctness(predict, batches(256, size=256), threat, torch.Generator().manual_seed(0))
    right = int(found.clean.sum())
    assert right < 256
    assert sizes == [256] + [right] * 4
    assert not (found.robust & ~found.clean).any()
    assert found.robust.sum() < found.clean.sum()


def test_robust_correctness_is_that_of_the_attacked_images():
    _, _, images, labels = digits()
    threat = Threat(epsilon=0.1, steps=5)
    with evaluation_mode(trained_network(), "cpu") as predict:
        clean = correctness(predict(images), labels)
        images, labels = images[clean], labels[clean]
        expected = pgd(predict, images, labels, threat, torch.Generator().manual_seed(3))
        withstood = correctness(predict(expected), labels)
        found = robust_correctness(predict, [(images, labels)], threat, torch.Generator().manual_seed(3))
    assert torch.equal(found.robust, withstood)


def test_a_network_that_is_always_wrong_has_no_robustness():
    constant = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.zeros_(constant[1].weight)
    images, labels = torch.rand(8, 1, 8, 8), torch.full((8,), 9)
    constant[1].bias.data = -torch.arange(10.0)
    with evaluation_mode(constant, "cpu") as predict:
        found = robust_correctness(predict, [(images, labels)], Threat(), torch.Generator())
    assert found.robust.sum() == found.clean.sum() == 0


def test_evaluation_is_repeatable_and_depends_on_its_seed_alone():
    evaluation = Evaluation(threat=Threat(epsilon=0.06, steps=1))
    with evaluation_mode(trained_network(), "cpu") as predict:
        first, again = (evaluate(predict, batches(397), evaluation, seed=0) for _ in range(2))
        others = [evaluate(predict, batches(397), evaluation, seed=seed) for seed in range(1, 6)]
    assert torch.equal(first.robust, again.robust)
    assert any(not torch.equal(first.robust, other.robust) for other in others)


def test_by_default_the_evaluation_is_that_of_double_win():
    threat = Evaluation().threat
    assert (threat.norm, threat.epsilon, threat.steps, threat.step_length) == ("linf", 8 / 255, 20, 2 / 255)
    assert threat.random_start
    assert Evaluation().describe() == "PGD-20 in L-inf 8/255"


def test_another_ball_is_still_searched_in_twenty_steps():
    said = Evaluation.model_validate({"threat": {"norm": "l2", "epsilon": 0.5}})
    assert said.describe() == "PGD-20 in L2 0.5"
    assert said.threat.step_length == 0.5 / 4
    assert Evaluation(threat=Threat(norm="l2", epsilon=0.5)) == said
    assert Evaluation.model_validate({"threat": {"epsilon": 8 / 255}}) == Evaluation()
    assert Evaluation.model_validate(said.model_dump()) == said
    # A change of the ball alone takes the length of the steps with it.
    assert changed(said, {"threat": {"epsilon": 1.0}}).threat.step_length == 1.0 / 4
    assert Evaluation.model_validate({"threat": {"steps": 7}}).threat.step_length == pytest.approx(2.5 * 8 / 255 / 7)
    assert Evaluation.model_validate({"threat": {"steps": 7}}).describe() == "PGD-7 in L-inf 8/255"


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("apgd", "APGD-CE, 100 steps, in L-inf 8/255, 5 restarts"),
        ({"kind": "apgd", "loss": "dlr", "steps": 30}, "APGD-DLR, 30 steps, in L-inf 8/255, 5 restarts"),
        ({"kind": "square", "queries": 500}, "Square, 500 queries, in L-inf 8/255, 5 restarts"),
        ("autoattack", "AutoAttack in L-inf 8/255"),
        ("pgd", "PGD-20 in L-inf 8/255, 5 restarts"),
    ],
)
def test_an_attack_is_named_by_its_kind_and_says_what_it_does(attack, words):
    said = Evaluation.model_validate({"attack": attack, "threat": {"restarts": 5}})
    assert said.describe() == words
    assert Evaluation.model_validate_json(said.model_dump_json()) == said


def test_a_limit_is_balanced_over_classes_of_a_sorted_folder():
    labels = [0] * 50 + [1] * 3 + [2] * 50
    chosen = balanced_first(labels, 13)
    assert [sum(labels[i] == c for i in chosen) for c in (0, 1, 2)] == [5, 3, 5]
    assert chosen == sorted(chosen)
    assert chosen[:5] == [0, 1, 2, 3, 4]
    assert balanced_first(labels, 1000) == list(range(103))


@needs_autoattack
@pytest.mark.parametrize(
    "ball",
    [
        {"norm": "linf", "epsilon": 0.1},
        pytest.param({"norm": "l2", "epsilon": 0.5}, marks=pytest.mark.slow),
    ],
)
def test_autoattack_is_at_least_as_strong_as_pgd_and_pgd_is_close(ball):
    # The package seeds torch's global generator; that must not show.
    pgd = Evaluation(threat=Threat(steps=20, restarts=3, **ball))
    before = torch.random.get_rng_state()
    with evaluation_mode(trained_network(), "cpu") as predict:
        by_pgd = evaluate(predict, batches(12), pgd, seed=0)
        by_ensemble = evaluate(predict, batches(12), pgd.model_copy(update={"attack": AutoAttack()}), seed=0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(by_pgd.clean, by_ensemble.clean)
    assert by_ensemble.robust.sum() <= by_pgd.robust.sum() <= by_ensemble.robust.sum() + 2
    assert 0 < by_pgd.robust.sum() < by_pgd.clean.sum()


@needs_autoattack
def test_autoattack_on_two_classes():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    images = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = network(images).argmax(1)
    evaluation = Evaluation(attack="autoattack", threat=Threat(epsilon=0.9))
    with evaluation_mode(network, "cpu") as predict:
        found = evaluate(predict, [(images, labels)], evaluation, seed=0)
    assert found.clean.all()
    assert not found.robust.any()


def test_without_the_extra_one_line_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    with evaluation_mode(trained_network(), "cpu") as predict, pytest.raises(UserError, match=r"\[robust\]"):
        evaluate(predict, batches(8), Evaluation(attack="autoattack"), seed=0)


@needs_shared
def test_a_public_robust_network_has_the_robust_accuracy_it_is_known_for():
    """An adversarially trained CIFAR-10 network: 69.75 % clean, 54.5 % under PGD in L-inf 2/255."""
    assert SHARED is not None
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
    std = torch.tensor([0.2023, 0.1994, 0.2010]).view(1, 3, 1, 1)
    body = nn.Sequential(
        *(nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(2048, 100), nn.ReLU(), nn.Linear(100, 10)),
    )
    body.load_state_dict(torch.load(SHARED / "weights" / "cifar_cnn_a_adv.model", weights_only=True))
    with np.load(SHARED / "cifar10" / "cifar10_test.npz", allow_pickle=False) as file:
        webp, offset, label = file["webp"], file["offset"], file["label"]
    files = (io.BytesIO(webp[offset[i] : offset[i + 1]].tobytes()) for i in range(1000))
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(label[:1000]).long()
    threat = Threat(epsilon=2 / 255, steps=20, step_size=0.5 / 255)
    with evaluation_mode(body, "cpu") as network:
        found = robust_correctness(
            lambda x: network((x - mean) / std), [(images, labels)], threat, torch.Generator().manual_seed(0)
        )
    assert accuracy(found.clean) == pytest.approx(0.6975, abs=0.02)
    assert accuracy(found.robust) == pytest.approx(0.545, abs=0.02)
