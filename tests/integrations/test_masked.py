"""Zeros stay zeros in a loop of one's own, through any optimiser of torch's, however the model is wrapped."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import robust_tickets as rt
from tests.integrations.loops import drawn, examples, moved, network, nonzero, train

OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "sgd, momentum and decay": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-2, nesterov=True),
    "sgd, foreach": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, foreach=True),
    "sgd, fused": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-2, fused=True),
    "adam, amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=1e-2),
    "adam, fused": lambda p: torch.optim.Adam(p, lr=0.01, fused=True),
    "adamw, foreach": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, foreach=True),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.1),
    "adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01, initial_accumulator_value=0.1),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
    "asgd": lambda p: torch.optim.ASGD(p, lr=0.01),
    "adafactor": lambda p: torch.optim.Adafactor(p, lr=0.01),
    "lbfgs": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3),
}


def test_without_masks_a_third_of_the_zeros_is_lost_in_three_steps() -> None:
    """What this room is for; otherwise the tests below would say nothing."""
    model = network()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1))
    removed = sum(int((~mask).sum()) for mask in drawn().masks.values())
    assert nonzero(model.body, drawn()) > removed / 3


@pytest.mark.parametrize("name", OPTIMISERS)
def test_zeros_are_exact_under_every_optimiser(name: str) -> None:
    model = network()
    optimizer = OPTIMISERS[name](model.parameters())
    with rt.masked(model, drawn(), optimizer):
        train(model, optimizer)
        assert nonzero(model.body, drawn()) == 0
    assert nonzero(model.body, drawn()) == 0
    assert moved(model.body, drawn())


def test_muon_moves_what_has_no_gradient_and_zeros_stay() -> None:
    """Its step is an orthogonalised momentum: zero gradients alone would not keep a weight at zero."""
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
    masks = {"0.weight": torch.rand(8, 8, generator=torch.Generator().manual_seed(0)) < 0.5}
    optimizer = torch.optim.Muon([module.weight for module in model], lr=0.1)
    with rt.masked(model, masks, optimizer):
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(2, 8)).square().sum().backward()
            optimizer.step()
    assert bool((model[0].weight[~masks["0.weight"]] == 0).all())
    assert bool((model[0].weight[masks["0.weight"]] != 0).all())


def test_momentum_of_removed_weights_is_zero_also_of_an_optimiser_that_trained_before() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train(model, optimizer)
    with rt.masked(model, drawn(), optimizer):
        for checked in range(2):
            for name, mask in drawn().masks.items():
                momentum = optimizer.state[model.body.get_parameter(name)]["momentum_buffer"]
                assert not momentum[~mask].any()
                assert momentum[mask].any()
            if not checked:
                train(model, optimizer)


def test_gradient_norms_that_are_clipped_do_not_count_removed_weights() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images, labels = examples()
    with rt.masked(model, drawn(), optimizer):
        for half in (images[:24], labels[:24]), (images[24:], labels[24:]):  # accumulated
            (F.cross_entropy(model(half[0]), half[1]) / 2).backward()
        kept = [
            parameter.grad[drawn().masks[name]] if name in drawn().masks else parameter.grad
            for name, parameter in model.body.named_parameters()
        ]
        expected = math.sqrt(sum(float(gradient.square().sum()) for gradient in kept))
        assert float(nn.utils.clip_grad_norm_(model.parameters(), 0.1)) == pytest.approx(expected, rel=1e-5)
        optimizer.step()
    assert nonzero(model.body, drawn()) == 0


def test_masked_training_is_what_the_product_itself_does() -> None:
    """Masks in a plain loop give what masking gradients and weights around each step gives, bit for bit."""
    from robust_tickets.pruning.applier import MaskApplier

    mine, ours = network(), network()
    optimizers = [
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3) for model in (mine, ours)
    ]
    with rt.masked(mine, drawn(), optimizers[0]):
        train(mine, optimizers[0])
    applier = MaskApplier(dict(ours.body.named_parameters()), drawn().masks)
    optimizers[1].register_step_pre_hook(lambda *_: applier.apply_to_gradients())
    optimizers[1].register_step_post_hook(lambda *_: applier.apply_to_weights())
    # Hooks run before a closure does, so the gradients are masked where there are some.
    images, labels = examples()
    for step in range(3):
        part = slice(16 * step, 16 * step + 16)
        optimizers[1].zero_grad()
        F.cross_entropy(ours(images[part]), labels[part]).backward()
        optimizers[1].step()
    for name, parameter in mine.named_parameters():
        assert torch.equal(parameter, ours.get_parameter(name)), name


def test_loss_scaling_skips_and_takes_steps_as_without_masks() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
    images, labels = examples()
    with rt.masked(model, drawn(), optimizer):
        for factor in (1.0, float("inf"), 1.0):
            optimizer.zero_grad()
            scaler.scale(F.cross_entropy(model(images), labels) * factor).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            assert all(bool(parameter.isfinite().all()) for parameter in model.parameters())
    assert nonzero(model.body, drawn()) == 0
    assert scaler.get_scale() == 2.0**7


def test_averages_of_weights_are_masked_too_even_those_that_began_dense() -> None:
    model = network()
    dense = copy.deepcopy(drawn().load_source().network)
    average = AveragedModel(dense, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    average.n_averaged += 1  # the first update would copy
    assert nonzero(average.module.body, drawn())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with rt.masked(model, drawn(), optimizer, copies=[average]):
        for _ in range(2):
            train(model, optimizer, 1)
            average.update_parameters(model)
            assert nonzero(average.module.body, drawn()) == 0


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda model: model, id="classifier"),
        pytest.param(lambda model: model.body, id="plain"),
        pytest.param(nn.DataParallel, id="data parallel"),
        pytest.param(lambda model: nn.ModuleDict({"student": model, "other": nn.Linear(2, 2)}), id="a part"),
        pytest.param(lambda model: nn.ModuleDict({"module": nn.ModuleDict({"_orig_mod": model})}), id="nested"),
    ],
)
def test_the_network_is_found_whatever_holds_it(wrap) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with rt.masked(wrap(model), drawn(), optimizer):
        train(model, optimizer)
    assert nonzero(model.body, drawn()) == 0


def test_a_compiled_model_trains_masked() -> None:
    model = network()
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.AdamW(compiled.parameters(), lr=0.01)
    with rt.masked(compiled, drawn(), optimizer):
        train(compiled, optimizer)
    assert nonzero(model.body, drawn()) == 0
    assert moved(model.body, drawn())


def test_one_process_of_ddp_trains_masked(tmp_path) -> None:
    model = network()
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel(model)
        optimizer = torch.optim.AdamW(parallel.parameters(), lr=0.01)
        with rt.masked(parallel, drawn(), optimizer):
            train(parallel, optimizer)
            assert not any(model.body.get_parameter(name).grad[~mask].any() for name, mask in drawn().masks.items())
    finally:
        torch.distributed.destroy_process_group()
    assert nonzero(model.body, drawn()) == 0


def test_param_groups_frozen_layers_and_layers_that_thaw() -> None:
    model = network()
    head = set(model.body.get_submodule(model.head).parameters())
    body = [parameter for parameter in model.parameters() if parameter not in head]
    for parameter in body:
        parameter.requires_grad_(False)
    optimizer = torch.optim.SGD([{"params": list(head), "lr": 1.0}, {"params": body, "lr": 0.1}], momentum=0.9)
    with rt.masked(model, drawn(), optimizer):
        train(model, optimizer)
        for parameter in body:
            parameter.requires_grad_(True)
        train(model, optimizer)
    assert nonzero(model.body, drawn()) == 0


def test_without_an_optimiser_every_step_of_the_process_is_followed() -> None:
    model = network()
    with rt.masked(model, drawn()):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        train(model, optimizer)
        assert nonzero(model.body, drawn()) == 0
    train(model, optimizer)
    assert nonzero(model.body, drawn()), "masks are let go of"


def test_after_an_error_the_model_is_let_go_of() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    held = rt.masked(model, drawn(), optimizer)
    with pytest.raises(ZeroDivisionError), held:
        _ = 1 / 0
    assert repr(held).endswith("not held)")
    train(model, optimizer)
    assert nonzero(model.body, drawn())


def test_state_dict_and_copies_stay_plain() -> None:
    model = network()
    keys = list(model.state_dict())
    with rt.masked(model, drawn(), torch.optim.SGD(model.parameters(), lr=0.1)):
        assert list(model.state_dict()) == keys
        train(twin := copy.deepcopy(model), torch.optim.SGD(twin.parameters(), lr=0.1))
    assert nonzero(twin.body, drawn())
    assert not nonzero(model.body, drawn())


def test_a_folder_or_masks_alone_will_do(tmp_path) -> None:
    drawn().save(tmp_path / "ticket")
    for ticket in (tmp_path / "ticket", str(tmp_path / "ticket"), drawn().masks):
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with rt.masked(model, ticket, optimizer):
            train(model, optimizer, 1)
        assert nonzero(model.body, drawn()) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: rt.masked(nn.Linear(2, 2), drawn()),
            "the ticket masks conv1.weight, and Linear has no such parameter",
        ),
        (
            lambda: rt.masked(nn.ModuleDict({"a": network(), "b": network()}), drawn()),
            r"several networks that the ticket fits \(a.body and b.body\); give one",
        ),
        (
            lambda: rt.masked(nn.Linear(2, 2), {"weight": torch.ones(3, 2, dtype=torch.bool)}),
            r"mask of weight has shape \[3, 2\], but the parameter \[2, 2\]",
        ),
        (lambda: rt.masked(nn.Linear(2, 2), {"weight": torch.rand(2, 2)}), "is torch.float32; it should be a bool"),
        (
            lambda: rt.masked(network(), drawn(), torch.optim.SGD(network().parameters(), lr=0.1)),
            "the optimiser trains none of the parameters that the ticket masks",
        ),
        (
            lambda: rt.masked(network(), drawn(), object()),
            r"object is not one of torch's optimisers; .* call `apply\(\)`",
        ),
        (lambda: rt.masked(network(), "nowhere"), "is not a ticket"),
    ],
)
def test_what_does_not_fit_is_one_line(call, message: str) -> None:
    with pytest.raises(rt.UserError, match=message):
        call()
