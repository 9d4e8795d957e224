"""The line between two networks."""

import pytest
import torch

from robust_tickets.analysis.interpolation import Path, barrier, interpolate
from robust_tickets.analysis.loss import Reached, reached
from robust_tickets.foundation.errors import UserError
from robust_tickets.training.batch_norm import recalibrate
from tests.analysis.networks import Unchanged, images, network

PLACES = (0.0, 0.25, 0.5, 1.0)


def test_the_ends_are_the_networks() -> None:
    first, second = network(0), network(1)
    with Unchanged(first, second):
        path = interpolate(first, second, images(), PLACES)
    assert path.reached[0] == reached(first, images())
    assert path.reached[-1] == reached(second, images())
    assert path.reached[2] != path.reached[0]


def test_between_the_ends_everything_is_between() -> None:
    first, second = network(0), network(1)
    middle = network(2)
    state = {
        name: (value + second.body.state_dict()[name]) / 2 if value.is_floating_point() else value
        for name, value in first.body.state_dict().items()
    }
    middle.body.load_state_dict(state)
    found = interpolate(first, second, images(), PLACES).reached[2]
    assert found.loss == pytest.approx(reached(middle, images()).loss, rel=1e-5)


def test_the_line_from_a_network_to_itself_is_level() -> None:
    path = interpolate(network(), network(), images(), PLACES)
    assert len(set(path.reached)) == 1
    assert (path.barrier, path.loss_barrier) == (0, 0)


def test_recalibrated_ends_are_the_recalibrated_networks() -> None:
    first, second, expected = network(0), network(1), network(1)
    training = images(seed=5)
    with Unchanged(first, second):
        path = interpolate(first, second, images(), PLACES, training)
    recalibrate(expected, training)
    assert path.reached[-1] == reached(expected, images())
    assert path.reached[-1] != reached(second, images())


def test_the_barrier_is_the_highest_point_over_the_mean_of_the_ends() -> None:
    assert barrier([0.1, 0.7, 0.3]) == pytest.approx(0.5)
    assert barrier([0.1, 0.2, 0.5]) == pytest.approx(0.2)
    path = Path((0.0, 0.5, 1.0), (Reached(1.0, 0.2), Reached(3.0, 0.3), Reached(2.0, 0.2)))
    assert (path.barrier, path.loss_barrier) == (pytest.approx(0.1), pytest.approx(1.5))


def test_other_networks_are_refused() -> None:
    other = network()
    other.body[5] = torch.nn.Linear(72, 4)  # pyright: ignore
    with pytest.raises(UserError, match=r"5\.weight differs"):
        interpolate(network(), other, images(), PLACES)
