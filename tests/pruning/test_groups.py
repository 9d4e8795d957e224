import torch

from robust_tickets.pruning.couplings import Coupling, Member
from robust_tickets.pruning.groups import Element, Kernel, Row, degenerate_layers
from robust_tickets.pruning.select import Selection, select
from tests.pruning.small_network import COUPLINGS, PRUNABLE, small_network, weights_of


def test_row_and_kernel_of_pointwise_and_linear_layers_are_named_as_single_weights() -> None:
    weights = weights_of(small_network())
    assert degenerate_layers(Kernel(), weights) == ("pointwise.weight", "hidden.weight")
    assert degenerate_layers(Row(), weights) == ("pointwise.weight", "hidden.weight")
    assert degenerate_layers(Element(), weights) == ()


def test_n_m_keeps_the_n_largest_of_every_m_consecutive_inputs() -> None:
    weights = {"w": torch.randn(3, 8, 3, 3)}
    mask = select(weights, score="magnitude", group="n-m", scope="layer", sparsity=0.5)["w"]
    runs = weights["w"].abs().permute(0, 2, 3, 1).reshape(-1, 4)
    expected = torch.zeros_like(runs, dtype=torch.bool).scatter_(1, runs.topk(2).indices, True)
    assert torch.equal(mask.permute(0, 2, 3, 1).reshape(-1, 4), expected)


def test_other_ratios_fix_other_sparsities() -> None:
    weights = {"w": torch.randn(3, 6)}
    selection = Selection.model_validate({"group": {"kind": "n-m", "n": 1, "m": 3}, "scope": "layer"})
    mask = selection.select(weights, sparsity=0.667)["w"]
    assert bool((mask.reshape(-1, 3).sum(1) == 1).all())


def test_channels_are_scored_over_all_their_producers() -> None:
    """A residual sum: a channel weak in one producer but strong in the other stays."""
    index = torch.arange(3)[:, None]
    weights = {"a": torch.zeros(3, 2, 1, 1), "b": torch.zeros(3, 5, 1, 1)}
    weights["a"][0], weights["b"][1] = 1.0, 1.0
    coupling = Coupling("a", 3, (Member("a", 0, index), Member("b", 0, index)), (Member("bias", 0, index),))
    masks = select(weights, score="magnitude", group="channel", scope="global", sparsity=1 / 3, couplings=(coupling,))
    assert masks["bias"].tolist() == [True, True, False]
    assert masks["a"].flatten(1).all(1).tolist() == [True, True, False]


def test_a_channel_may_be_several_positions_of_a_parameter() -> None:
    """A grouped convolution goes group by group, and so do its followers' positions."""
    index = torch.arange(6).reshape(3, 2)
    weights = {"a": torch.tensor([5.0, 5, 1, 1, 0, 9]).reshape(6, 1, 1, 1)}
    coupling = Coupling("a", 3, (Member("a", 0, index),), (Member("bias", 0, index),))
    masks = select(weights, score="magnitude", group="channel", scope="layer", sparsity=1 / 3, couplings=(coupling,))
    assert masks["bias"].tolist() == [True, True, False, False, True, True]


def test_one_channel_of_each_coupling_survives_a_global_draw_at_the_exact_count() -> None:
    weights = {"weak": torch.full((4, 2, 3, 3), 1e-3), "strong": torch.rand(8, 4, 3, 3) + 1}
    index = {name: torch.arange(len(weight))[:, None] for name, weight in weights.items()}
    couplings = [Coupling(name, len(weights[name]), (Member(name, 0, index[name]),), ()) for name in weights]
    masks = select(weights, score="magnitude", group="channel", scope="global", sparsity=0.5, couplings=couplings)
    kept = {name: int(mask.flatten(1).any(1).sum()) for name, mask in masks.items()}
    assert kept == {"weak": 1, "strong": 5}


def test_couplings_with_an_exempt_producer_are_left_whole() -> None:
    weights = weights_of(small_network(), tuple(name for name in PRUNABLE if name != "depthwise.weight"))
    masks = select(weights, score="magnitude", group="channel", scope="global", sparsity=0.5, couplings=COUPLINGS)
    assert masks["stem.weight"].all()
    assert int(masks["pointwise.weight"].flatten(1).any(1).sum()) == 8


def test_a_removed_channel_is_exactly_zero_in_the_network() -> None:
    network = small_network()
    masks = select(
        weights_of(network), score="random", group="channel", scope="layer", sparsity=0.5, couplings=COUPLINGS
    )
    with torch.no_grad():
        for name, mask in masks.items():
            network.get_parameter(name).mul_(mask)
        images = torch.randn(2, 4, 6, 6)
        features = network.norm2(network.depthwise(network.norm1(network.stem(images)).relu()))
    removed = ~masks["stem.weight"].flatten(1).any(1)
    assert int(removed.sum()) == 4
    assert not features[:, removed].any()


def test_a_follower_longer_than_its_coupling_keeps_the_length_of_its_present_mask() -> None:
    """A norm behind a concatenation may hold positions that no coupling covers."""
    index = torch.arange(4)[:, None]
    weights = {"a": torch.rand(4, 2, 1, 1)}
    coupling = Coupling("a", 4, (Member("a", 0, index),), (Member("norm", 0, index),))
    present = {"a": torch.ones(4, 2, 1, 1, dtype=torch.bool), "norm": torch.ones(7, dtype=torch.bool)}
    masks = select(
        weights,
        score="magnitude",
        group="channel",
        scope="layer",
        sparsity=0.5,
        couplings=(coupling,),
        masks=present,
    )
    assert masks["norm"].sum() == 5
    assert masks["norm"][4:].all()
