"""One forward pass decides what the head is and what takes part, and leaves no trace."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.sources import load_source
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.draw import draw

COLOUR = Pixels(mean=(0.5,) * 3, std=(0.5,) * 3, size=(16, 16))


class Net(nn.Module):
    """A body of three layers and a head, `fc`, with a `proj` declared after it that nothing calls."""

    def __init__(self, finish: Callable[["Net", Tensor], Any] | None = None, **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.mid = nn.Conv2d(6, 6, 3, padding=1)
        self.fc = nn.Linear(6, 4)
        self.proj = nn.Linear(6, 10)
        self.finish = finish or (lambda net, features: net.fc(features))
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.finish(self, self.mid(F.relu_(self.bn(self.stem(x)))).mean((2, 3)))


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return 2 * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return 2 * gradient


def loaded(net: nn.Module) -> Any:
    return load_source(net, preprocessing=COLOUR)


def refusal(net: nn.Module) -> str:
    with pytest.raises(UserError) as caught:
        loaded(net)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_layer_that_is_never_called_is_neither_head_nor_prunable() -> None:
    source = loaded(Net())
    assert source.network.head == "fc"
    assert source.identity.num_classes == 4
    assert prunable_weights(source.network) == ("stem.weight", "mid.weight")
    assert source.identity.notes == ("never called: proj; neither pruned nor trained",)


def test_what_is_computed_and_thrown_away_is_not_prunable() -> None:
    source = loaded(Net(lambda net, x: [net.fc(x), net.proj(x)][0]))
    assert prunable_weights(source.network) == ("stem.weight", "mid.weight")
    assert source.identity.notes == ("without effect on the output: proj; neither pruned nor trained",)


def test_weights_used_without_calling_their_layer_are_prunable() -> None:
    source = loaded(Net(lambda net, x: net.fc(F.linear(x, net.inner.weight)), inner=nn.Linear(6, 6, bias=False)))
    assert "inner.weight" in prunable_weights(source.network)


@pytest.mark.parametrize(
    "finish",
    [
        lambda net, x: F.dropout(net.fc(x), training=False),
        lambda net, x: net.fc(x).mul_(2).add_(1),
        lambda net, x: (net.fc(x) + net.fc(-x)) / 2,
        lambda net, x: net.fc(x[:, None]).squeeze(1),
        lambda net, x: {"logits": net.fc(x), "features": x},
        lambda net, x: (net.fc(x),),
        lambda net, x: [net.fc(x), net.fc(net.proj(x)[:, :6])][0],
    ],
    ids=["dropout", "in place", "called twice", "squeezed", "dictionary", "tuple of one", "also called for nothing"],
)
def test_the_head_is_the_layer_whose_output_is_the_output(finish: Callable[[Net, Tensor], Any]) -> None:
    source = loaded(Net(finish))
    assert source.network.head == "fc"
    source.network.reset_head(7, seed=0)
    assert source.network.eval()(torch.rand(2, 3, 16, 16)).shape == (2, 7)


def test_a_head_under_two_names_is_replaced_under_both() -> None:
    net = Net(lambda net, x: net.classifier(x))
    net.classifier = net.fc
    source = loaded(net)
    source.network.reset_head(7, seed=0)
    assert source.network.eval()(torch.rand(2, 3, 16, 16)).shape == (2, 7)


def test_log_probabilities_serve_as_logits_and_are_noted() -> None:
    source = loaded(Net(lambda net, x: F.log_softmax(net.fc(x), 1)))
    assert source.network.head == "fc"
    assert any("log-probabilities" in note for note in source.identity.notes)


@pytest.mark.parametrize(
    ("net", "problem"),
    [
        (Net(lambda net, x: net.fc(x).softmax(1)), "has passed a softmax; losses, attacks and calibration need logits"),
        (Net(lambda net, x: net.fc(x).sigmoid()), "has passed a sigmoid"),
        (Net(lambda net, x: (net.fc(x), x)), r"returns a tuple of \[2, 4\], \[2, 6\]; its forward must return the log"),
        (Net(lambda net, x: {"out": net.fc(x)}), "returns a dict with out"),
        (Net(lambda net, x: net.fc(x)[:, :, None, None]), r"\[2, 4, 1, 1\], a prediction for every pixel"),
        (Net(lambda net, x: net.fc(x).argmax(1)), "of type torch.int64; a classifier gives logits"),
        (Net(lambda net, x: net.fc(x).amax(1)), r"shape \[2\], not \[2, 4\] as its head fc gives"),
        (
            Net(lambda net, x: net.fc(x) + net.other(x), other=nn.Linear(6, 4)),
            "its head cannot be identified, because the output is computed from other, fc; give `head`",
        ),
        (
            Net(lambda net, x: net.fc(x) + net.shift, shift=nn.Parameter(torch.zeros(4))),
            "its head cannot be identified, because the output is computed from fc, shift",
        ),
        (
            Net(lambda net, x: x @ net.prototypes.T, prototypes=nn.Parameter(torch.zeros(4, 6))),
            "its head cannot be identified, because the output is computed from the operation mm",
        ),
        (
            Net(lambda net, x: net.square(net.square(x)), square=nn.Linear(6, 6)),
            "its head cannot be identified, because the output is computed from square",
        ),
        (Net(lambda net, x: net.fc(net.nowhere(x))), "a forward pass of two images of 3 x 16 x 16 fails: Attribute"),
    ],
)
def test_what_is_no_classifier_is_refused_in_one_line(net: Net, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        loaded(net)
    assert "\n" not in str(caught.value)


def test_a_second_input_is_refused_with_its_name() -> None:
    class Two(Net):
        def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
            return super().forward(x * mask)

    assert "missing 1 required positional argument: 'mask'" in refusal(Two())


def test_a_head_that_is_given_must_be_the_head() -> None:
    assert load_source(Net(), preprocessing=COLOUR, head="fc").network.head == "fc"
    with pytest.raises(UserError, match="'proj' is not the layer whose output is the output of Net; that is fc"):
        load_source(Net(), preprocessing=COLOUR, head="proj")


def test_one_of_several_layers_is_the_head_where_it_alone_sets_the_number_of_classes() -> None:
    dueling = Net(lambda net, x: net.fc(x) + net.value(x), value=nn.Linear(6, 1))
    assert loaded(dueling).network.head == "fc"


def test_timm_agrees_about_its_own_heads() -> None:
    for name in ("convnext_atto", "ghostnet_050", "efficientvit_b0", "mobilenetv3_small_050"):
        body = timm.create_model(name)
        size = COLOUR.model_copy(update={"size": (64, 64)})
        assert load_source(body, preprocessing=size).network.head == body.pretrained_cfg["classifier"]


def test_weights_that_no_gradient_reaches_are_named() -> None:
    source = loaded(Net(lambda net, x: net.fc(x.detach())))
    assert source.untrained == ("stem.weight", "stem.bias", "bn.weight", "bn.bias", "mid.weight", "mid.bias")
    assert "detached: no gradient reaches stem, bn, mid; full transfer cannot train these" in source.identity.notes
    assert prunable_weights(source.network) == ("stem.weight", "mid.weight")
    without = Net(torch.no_grad()(lambda net, x: net.fc(x)))
    assert "fc.weight" in loaded(without).untrained


def test_a_forward_that_a_copy_would_share_is_refused() -> None:
    net = Net()
    net.forward = torch.no_grad()(net.forward)
    assert "none of its weights reaches the output of a copy" in refusal(net)


def test_a_function_with_its_own_gradient_lets_gradients_through() -> None:
    assert loaded(Net(lambda net, x: net.fc(Twice.apply(x)))).untrained == ()


def test_the_pass_leaves_no_trace() -> None:
    class Noisy(Net):
        def forward(self, x: Tensor) -> Tensor:
            self.calls = getattr(self, "calls", 0) + 1
            self.counter += 1
            return super().forward(x + torch.randn_like(x))

    net = Noisy()
    net.register_buffer("counter", torch.zeros(()))
    net.bn.eval()
    net.stem.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    grads = [parameter.requires_grad for parameter in net.parameters()]
    state = torch.random.get_rng_state()
    source = loaded(net)
    assert source.network.body is net
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert [parameter.requires_grad for parameter in net.parameters()] == grads
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert not hasattr(net, "calls")
    copy.deepcopy(net)


def test_a_size_that_nobody_states_is_found_where_only_one_fits() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))
    identity = load_source(net).identity
    assert identity.preprocessing.size == (28, 28)
    assert identity.notes == ("preprocessing: not given; mean 0, std 1 and 28 x 28, the first size it takes, assumed",)
    with pytest.raises(UserError, match="other sizes fail too, give preprocessing with the size of its images"):
        load_source(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(7, 10)))


def test_what_was_assumed_is_kept_and_told_with_the_ticket(tmp_path: Path) -> None:
    ticket = draw(Net(), sparsity=0.5, folder=tmp_path / "ticket")
    told = (
        "input: 224 x 224 px, bilinear, crop 1, mean 0 0 0, std 1 1 1",
        "output: 4 classes, head fc",
        "preprocessing: not given; mean 0, std 1 and 224 x 224 assumed",
        "never called: proj; neither pruned nor trained",
        "prunable: the weights of 2 layers, stem.weight to mid.weight",
        "left dense: proj.weight (has no effect on the output), fc.weight (the head)",
    )
    assert ticket.description == told
    assert Ticket.load(tmp_path / "ticket").description == told
    card = (tmp_path / "ticket" / "README.md").read_text()
    assert all(f"- {line}\n" in card for line in told)
