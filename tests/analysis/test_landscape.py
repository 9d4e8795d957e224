"""Loss landscapes around a network."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from robust_tickets.analysis.landscape import landscape, random_direction
from robust_tickets.analysis.landscape_settings import LandscapeSettings
from robust_tickets.analysis.loss import OVERFLOWN, reached
from tests.analysis.networks import Unchanged, half, images, network


def parameters(classifier: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in classifier.named_parameters()}


def test_directions_stay_in_the_tickets_subspace() -> None:
    classifier = network()
    masks = half(classifier)
    direction = random_direction(parameters(classifier.body), masks, 0, "first")
    for name, mask in masks.items():
        assert not direction[name][~mask].any()
        assert direction[name][mask].all()


def test_every_filter_of_a_direction_has_the_length_of_the_networks() -> None:
    classifier = network()
    weights = parameters(classifier.body)
    direction = random_direction(weights, half(classifier), 0, "first")
    assert set(direction) == {"0.weight", "3.weight", "5.weight"}, "biases and norms do not move"
    for name, values in direction.items():
        torch.testing.assert_close(values.flatten(1).norm(dim=1), weights[name].flatten(1).norm(dim=1))
    assert not direction["0.weight"][0].any(), "a filter without weights does not move"


def test_directions_are_named_streams() -> None:
    weights = parameters(network().body)
    again, other, seed = (random_direction(weights, {}, s, n)["5.weight"] for s, n in ((0, "a"), (0, "b"), (1, "a")))
    assert torch.equal(again, random_direction(weights, {}, 0, "a")["5.weight"])
    assert not torch.equal(again, other)
    assert not torch.equal(again, seed)


def test_the_centre_is_the_network_and_the_rest_is_what_its_weights_say() -> None:
    classifier = network()
    masks = half(classifier)
    weights = parameters(classifier.body)
    first, second = (random_direction(weights, masks, 0, name) for name in ("first", "second"))
    places = LandscapeSettings(points=3, radius=0.5).places
    assert places == (-0.5, 0.0, 0.5)
    with Unchanged(classifier):
        found = landscape(classifier, "body", (first, second), images(), places)
    assert found.reached[1][1] == reached(classifier, images())
    moved = {
        f"body.{name}": value + 0.5 * first[name] - 0.5 * second[name]
        for name, value in weights.items()
        if name in first
    }
    pictures, labels = (torch.cat(parts) for parts in zip(*images(), strict=True))
    logits = torch.func.functional_call(classifier, moved, (pictures,))
    assert found.reached[0][2].loss == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-5)
    assert found.reached[0][2].error == pytest.approx((logits.argmax(1) != labels).double().mean().item())


def test_a_grid_needs_a_centre() -> None:
    with pytest.raises(ValueError, match="points 8 has no centre; use 9"):
        LandscapeSettings(points=8)


def test_a_loss_beyond_floating_point_is_told_as_a_number() -> None:
    classifier = network()
    weights = parameters(classifier.body)
    far = {name: value * 1e30 for name, value in random_direction(weights, {}, 0, "first").items()}
    found = landscape(classifier, "body", (far, {}), images(), (-1.0, 0.0, 1.0))
    assert found.reached[0][2].loss == OVERFLOWN
    assert found.reached[0][1] == reached(classifier, images())
