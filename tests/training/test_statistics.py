"""What a draw's data say about its weights, each against an account of its own."""

import math
from collections.abc import Callable

import pytest
import torch
from timm.layers import create_conv2d
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.interface import Interface
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.shrinking.counts import counted_multiply_adds
from robust_tickets.tasks.classification import CrossEntropy
from robust_tickets.tasks.target import target_data
from robust_tickets.training import statistics as module
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.layer_inputs import LayerInputs
from robust_tickets.training.settings import Training
from robust_tickets.training.statistics import TrainingStatistics, stored_as

LETTERS = {"name": "digits", "per_class": 4}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    made = rt.load_source("demo/resnet4", weights="random", num_classes=10, in_channels=1)
    return rt.pretrain(made, rt.DataSettings.model_validate(LETTERS), epochs=2, batch_size=20)


@pytest.fixture
def statistics(source: rt.Source) -> TrainingStatistics:
    splits = target_data(rt.DataSettings.model_validate(LETTERS), source, 0)
    batches = ImageBatches(splits, Training(), 0)
    return statistics_of(source.network, batches)


def statistics_of(network: Network, batches: ImageBatches | None) -> TrainingStatistics:
    names = prunable_weights(network)
    return TrainingStatistics(network, network.body, names, dict, batches, CrossEntropy(0.0))


def examples(statistics: TrainingStatistics, count: int) -> tuple[Tensor, Tensor]:
    (batch,) = statistics.chosen(count, count)
    return batch.inputs, batch.targets


def test_gradients_are_those_of_single_examples_in_evaluation_mode(statistics: TrainingStatistics) -> None:
    network = statistics.network
    network.train()
    found = statistics.gradients(5)
    assert network.training, "modes come back"
    images, labels = examples(statistics, 5)
    network.eval()
    for number in range(5):
        loss = nn.functional.cross_entropy(network(images[number : number + 1]), labels[number : number + 1])
        exact = torch.autograd.grad(loss, statistics.weights)
        for name, one in zip(statistics.names, exact, strict=True):
            assert torch.allclose(found[name][number], one, atol=1e-6)
    assert all(weight.grad is None for weight in statistics.weights)


def test_gradients_of_several_examples_are_means(statistics: TrainingStatistics) -> None:
    alone = {name: one.clone() for name, one in statistics.gradients(32).items()}
    statistics.forget()
    together = statistics.gradients(2, together=16)
    for name, one in together.items():
        assert torch.allclose(one[0], alone[name][:16].mean(0), atol=1e-6)
        assert torch.allclose(one[1], alone[name][16:].mean(0), atol=1e-6)


def test_fewer_examples_give_fewer_gradients(statistics: TrainingStatistics) -> None:
    assert {len(one) for one in statistics.gradients(1000, together=9).values()} == {4}


def test_what_weights_said_is_not_said_of_others(statistics: TrainingStatistics, source: rt.Source) -> None:
    first = statistics.gradients(3)
    assert statistics.gradients(3) is first
    statistics.forget()
    assert statistics.gradients(3) is not first


def test_the_hessian_is_the_slope_of_gradients(statistics: TrainingStatistics) -> None:
    """Central differences in float64, whose step is too small to meet a kink of ReLU."""
    statistics.network.double()
    statistics.criterion = InDoubles()
    count, step = 12, 1e-8
    try:
        images, labels = examples(statistics, count)
        statistics.network.eval()
        direction = {
            name: torch.randn(weight.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
            for name, weight in zip(statistics.names, statistics.weights, strict=True)
        }

        def slope(sign: int) -> tuple[Tensor, ...]:
            with torch.no_grad():
                for name, weight in zip(statistics.names, statistics.weights, strict=True):
                    weight += sign * step * direction[name]
            loss = nn.functional.cross_entropy(statistics.network(images.double()), labels)
            found = torch.autograd.grad(loss, statistics.weights)
            with torch.no_grad():
                for name, weight in zip(statistics.names, statistics.weights, strict=True):
                    weight -= sign * step * direction[name]
            return found

        exact = [(up - down) / (2 * step) for up, down in zip(slope(1), slope(-1), strict=True)]
        found = curvature_in_doubles(statistics, direction, count)
        for name, one in zip(statistics.names, exact, strict=True):
            assert (found[name] - one).norm() <= 1e-4 * one.norm(), name
    finally:
        statistics.network.float()


class InDoubles(CrossEntropy):
    """The loss as it is, which is otherwise computed in fp32."""

    def __init__(self) -> None:
        super().__init__(0.0)

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, labels)


def curvature_in_doubles(statistics: TrainingStatistics, direction: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """Ask with images in float64, as the network is."""
    chosen = statistics.chosen
    statistics.chosen = lambda count, together: (  # pyright: ignore[reportAttributeAccessIssue]
        type(batch)(batch.inputs.double(), batch.targets) for batch in chosen(count, together)
    )
    try:
        return dict(statistics.curvature(direction, count))
    finally:
        del statistics.chosen


def test_input_moments_give_the_energy_of_every_output(statistics: TrainingStatistics) -> None:
    """For a row w of a layer without bias, w H w is the mean square of that output."""
    moments = statistics.input_moments(16)
    energy: dict[str, Tensor] = {}

    def seen(name: str):
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            bias = getattr(layer, "bias", None)
            features = output if isinstance(layer, nn.Linear) else output.movedim(1, -1)
            plain = features - (bias if bias is not None else 0)
            energy[name] = (plain.detach().double() ** 2).flatten(0, -2).mean(0)

        return hook

    body = statistics.body
    layers = {name: body.get_submodule(name.removesuffix(".weight")) for name in statistics.names}
    handles = [layer.register_forward_hook(seen(name)) for name, layer in layers.items()]
    statistics.network.eval()
    statistics.network(examples(statistics, 16)[0])
    for handle in handles:
        handle.remove()
    for name, weight in zip(statistics.names, statistics.weights, strict=True):
        rows = weight.detach().double().reshape(len(moments[name]), -1, moments[name].shape[-1])
        found = ((rows @ moments[name]) * rows).sum(-1).flatten()
        assert torch.allclose(found, energy[name], rtol=1e-4, atol=1e-8), name


class Divided(nn.Module):
    """Convolutions of every kind that inputs are read of: strided, dilated, grouped, of one dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.strided = nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False)
        self.grouped = nn.Conv2d(4, 6, (3, 1), groups=2, dilation=(2, 1), bias=False)
        self.line = nn.Conv1d(6, 4, 3, padding=1, bias=False)
        self.head = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = self.grouped(self.strided(images).relu()).relu()
        return self.head(self.line(features.flatten(2)).relu().mean(2))


def test_strides_dilations_divisions_and_lines_are_read_alike(source: rt.Source) -> None:
    torch.manual_seed(0)
    network = Network(Divided(), source.network.interface, "head")
    splits = target_data(rt.DataSettings.model_validate(LETTERS), source, 0)
    test_input_moments_give_the_energy_of_every_output(statistics_of(network, ImageBatches(splits, Training(), 0)))


class Padded(nn.Module):
    """Convolutions that pad in their own forward pass, in every way there is."""

    def __init__(self) -> None:
        super().__init__()
        self.same = create_conv2d(1, 4, 3, stride=2, padding="same")  # timm's Conv2dSame
        self.even = create_conv2d(4, 4, 2, stride=2, padding="same", dilation=2)
        self.reflected = nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect")
        self.circular = nn.Conv2d(6, 4, (3, 1), padding=(1, 0), padding_mode="circular", groups=2)
        self.named = nn.Conv2d(4, 4, (4, 3), padding="same", dilation=(1, 2))
        self.line = nn.Conv1d(4, 4, 2, padding="same")
        self.head = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = self.even(self.same(images[:, :, :-1, :-3]).relu()).relu()
        features = self.named(self.circular(self.reflected(features).relu()).relu()).relu()
        return self.head(self.line(features.flatten(2)).relu().mean(2))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_convolutions_that_pad_by_themselves_are_read_behind_their_padding(source: rt.Source) -> None:
    torch.manual_seed(0)
    network = Network(Padded(), source.network.interface, "head")
    splits = target_data(rt.DataSettings.model_validate(LETTERS), source, 0)
    test_input_moments_give_the_energy_of_every_output(statistics_of(network, ImageBatches(splits, Training(), 0)))


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (9, 2, 2), (9, 4, 3), (8, 5, 1)])
def test_borders_count_as_timm_pads_them(size: int, kernel: int, stride: int) -> None:
    """TensorFlow's padding, of which the odd zero comes last, against columns of an image padded by hand."""
    layer = create_conv2d(2, 3, kernel, stride=stride, padding="same")
    images = torch.rand(2, 2, size, size, generator=torch.Generator().manual_seed(0))
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    before, after = total // 2, total - total // 2
    columns = nn.functional.unfold(nn.functional.pad(images, (before, after, before, after)), kernel, stride=stride)
    rows: list[Tensor] = []
    with torch.no_grad(), LayerInputs({"weight": layer.weight}, lambda name, found: rows.append(found), None):
        outputs = layer(images)
    (found,) = rows
    assert torch.equal(found, columns.mT.reshape(1, -1, columns.shape[1]))
    expected = outputs - (layer.bias[:, None, None] if layer.bias is not None else 0)
    assert torch.allclose(found[0] @ layer.weight.flatten(1).T, expected.movedim(1, -1).reshape(-1, 3), atol=1e-6)


class Attentive(nn.Module):
    """A transformer of torch's own, all of which may be one fused call in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.block = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
        self.head = nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.block(self.patches(images).flatten(2).mT).mean(1))


def test_fused_attention_is_named_and_the_layers_around_it_are_read(source: rt.Source) -> None:
    torch.manual_seed(0)
    network = Network(Attentive(), source.network.interface, "head")
    splits = target_data(rt.DataSettings.model_validate(LETTERS), source, 0)
    statistics = statistics_of(network, ImageBatches(splits, Training(), 0))
    with pytest.raises(UserError, match=r"^the inputs of block\.self_attn\.in_proj_weight are not known: [^\n]*$"):
        statistics.input_moments(16)
    statistics.names = tuple(name for name in statistics.names if "self_attn" not in name)
    assert {"block.linear1.weight", "block.linear2.weight"} <= set(statistics.names)
    test_input_moments_give_the_energy_of_every_output(statistics)


def test_the_flow_is_conserved_from_layer_to_layer(source: rt.Source) -> None:
    """In a chain without biases every layer's products w dR/dw add up to R, which is SynFlow's law."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 10))
    network = Network(body, source.network.interface, "4")
    size = network.interface.example(1).shape
    body[1] = nn.Linear(size[1] * size[2] * size[3], 20)
    statistics = TrainingStatistics(network, body, ("1.weight", "4.weight"), dict, None, CrossEntropy(0.0))
    flow = statistics.flow()
    sums = [float((body.get_parameter(name).detach().abs().double() * flow[name]).sum()) for name in statistics.names]
    first, last = (body.get_parameter(name).abs().double() for name in statistics.names)
    assert sums == pytest.approx([float((last @ first).sum())] * 2)


def test_the_flow_of_a_deep_network_does_not_overflow(source: rt.Source) -> None:
    layers = [nn.Linear(64, 64, bias=False) for _ in range(200)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1.0)
    pixels = source.network.interface.example(1)[0].numel()
    body = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 64), *layers, nn.Linear(64, 10))
    network = Network(body, source.network.interface, str(len(body) - 1))
    names = tuple(f"{number}.weight" for number in (2, 100, 201))
    flow = TrainingStatistics(network, body, names, dict, None, CrossEntropy(0.0)).flow()
    assert all(bool(one.isfinite().all()) and float(one.min()) > 0 for one in flow.values())


class Gated(nn.Module):
    """A gate multiplies activations by activations."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(pixels, 8), nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = self.first(images.flatten(1))
        return self.head(features * features)


def test_gates_have_no_flow(source: rt.Source) -> None:
    body = Gated(source.network.interface.example(1)[0].numel())
    network = Network(body, source.network.interface, "head")
    statistics = TrainingStatistics(network, body, ("first.weight",), dict, None, CrossEntropy(0.0))
    with pytest.raises(UserError, match="needs outputs that are sums over paths"):
        statistics.flow()


class Excited(nn.Module):
    """Squeeze and excitation: a sigmoid, which is 1 where flows are large, multiplies channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.squeeze, self.head = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 1), nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = 1e6 * self.first(images)
        return self.head((features * self.squeeze(features.mean((2, 3), keepdim=True)).sigmoid()).mean((2, 3)))


def test_gates_that_are_open_have_no_flow_either(source: rt.Source) -> None:
    network = Network(Excited(), source.network.interface, "head")
    statistics = TrainingStatistics(network, network.body, ("first.weight",), dict, None, CrossEntropy(0.0))
    with pytest.raises(UserError, match="needs outputs that are sums over paths"):
        statistics.flow()


class Activated(nn.Module):
    """One activation, as a module or as a function."""

    def __init__(self, pixels: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.activation, self.head = nn.Linear(pixels, 8), activation, nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.activation(self.first(images.flatten(1))))


@pytest.mark.parametrize(
    "activation",
    [
        nn.GELU(),
        nn.functional.gelu,
        nn.functional.silu,
        nn.ReLU6(),
        nn.functional.relu6,
        nn.functional.relu,
        torch.relu,
    ],
)
def test_activations_pass_the_flow_however_they_are_called(
    activation: Callable[[Tensor], Tensor], source: rt.Source
) -> None:
    torch.manual_seed(0)
    body = Activated(source.network.interface.example(1)[0].numel(), activation)
    network = Network(body, source.network.interface, "head")
    flow = TrainingStatistics(network, body, ("first.weight",), dict, None, CrossEntropy(0.0)).flow()["first.weight"]
    expected = body.head.weight.detach().double().abs().sum(0)[:, None].expand_as(flow)
    assert torch.allclose(flow, expected)


def test_too_many_gradients_are_refused_with_how_many_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda device: 10 * 2**30)
    cpu = torch.device("cpu")
    assert stored_as(64, 1_000_000, cpu) == torch.float32
    assert stored_as(64, 23_000_000, cpu) == torch.bfloat16, "ResNet-50: 2.7 GiB"
    with pytest.raises(
        UserError, match=r"1000 gradients of 23,000,000 weights take 42\.8 GiB.*10\.0 GiB.*186 would do"
    ):
        stored_as(1000, 23_000_000, cpu)


class Functional(nn.Module):
    """A layer whose weight its owner multiplies with: by the layer's own function, or as a matrix."""

    def __init__(self, pixels: int, *, plainly: bool) -> None:
        super().__init__()
        self.inner, self.head, self.plainly = nn.Linear(pixels, 8), nn.Linear(8, 10), plainly

    def forward(self, images: Tensor) -> Tensor:
        rows = images.flatten(1)
        return self.head(rows @ self.inner.weight.T if self.plainly else nn.functional.linear(rows, self.inner.weight))


def test_a_weight_that_is_read_in_another_way_is_named(source: rt.Source) -> None:
    interface: Interface = source.network.interface
    splits = target_data(rt.DataSettings.model_validate(LETTERS), source, 0)
    pixels = interface.example(1)[0].numel()
    batches = ImageBatches(splits, Training(), 0)
    called = Network(Functional(pixels, plainly=False), interface, "head")
    assert statistics_of(called, batches).input_moments(4)["inner.weight"].shape == (1, pixels, pixels)
    multiplied = Network(Functional(pixels, plainly=True), interface, "head")
    with pytest.raises(UserError, match=r"^the inputs of inner\.weight are not known: [^\n]*exempt it from pruning"):
        statistics_of(multiplied, batches).input_moments(4)


def test_weights_are_multiplied_once_for_each_output_pixel(source: rt.Source) -> None:
    """So that size times this is what the layers' multiply-adds add up to, which torch counts."""
    network = source.network
    names = tuple(name for name, weight in network.body.named_parameters() if weight.ndim > 1)
    found = TrainingStatistics(network, network.body, names, dict, None, CrossEntropy(0.0)).multiplications()
    counted = counted_multiply_adds(network, network.interface.timed(1)).by_layer
    assert {name: found[name] * network.body.get_parameter(name).numel() for name in names} == {
        name: counted[name.removesuffix(".weight")] for name in names
    }
