import pytest
import torch
from torch import nn

from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.pruning.masks import full
from robust_tickets.pruning.select import select
from tests.pruning.small_network import small_network, weights_of

OPTIMISERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-2),
    "nesterov": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1),
}


def train(network: nn.Module, applier: MaskApplier, optimiser: torch.optim.Optimizer, steps: int) -> None:
    for step in range(steps):
        optimiser.zero_grad()
        network(torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(step))).square().mean().backward()
        applier.apply_to_gradients()
        optimiser.step()
        applier.apply_to_weights()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_removed_weights_are_exactly_zero_after_every_step_even_if_momentum_points_elsewhere(
    name: str,
) -> None:
    network = small_network()
    optimiser = OPTIMISERS[name](network.parameters())
    train(network, MaskApplier({}, {}), optimiser, 3)
    masks = select(weights_of(network), score="magnitude", group="element", scope="global", sparsity=0.7)
    applier = MaskApplier(dict(network.named_parameters()), masks)
    for _ in range(4):
        train(network, applier, optimiser, 1)
        for weight, mask in masks.items():
            assert not network.get_parameter(weight)[~mask].any()
            assert not network.get_parameter(weight).grad[~mask].any()  # pyright: ignore[reportOptionalSubscript]


def test_kept_weights_train_as_if_there_were_no_mask() -> None:
    masked, dense = small_network(), small_network()
    applier = MaskApplier(dict(masked.named_parameters()), full(weights_of(masked)))
    train(masked, applier, OPTIMISERS["sgd"](masked.parameters()), 3)
    train(dense, MaskApplier({}, {}), OPTIMISERS["sgd"](dense.parameters()), 3)
    assert all(torch.equal(a, b) for a, b in zip(masked.parameters(), dense.parameters(), strict=True))


def test_parameters_without_a_gradient_are_left_alone() -> None:
    weight = nn.Parameter(torch.ones(2, 2))
    applier = MaskApplier({"w": weight}, {"w": torch.eye(2, dtype=torch.bool)})
    applier.apply_to_gradients()
    assert weight.grad is None
    applier.apply_to_weights()
    assert weight.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="w has shape"):
        MaskApplier({"w": torch.ones(2, 2)}, {"w": torch.ones(2, 3, dtype=torch.bool)})
