"""Networks that bring torchvision's frozen batch norms: loaded as they are, pruned by channels, never trained there."""

from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

import robust_tickets as rt
from robust_tickets.models.frozen_norms import freeze_norms, frozen_parameters
from robust_tickets.models.layers import prunable_weights
from robust_tickets.training.trainable import Trainable
from tests.verbs.small import PARTS, QUICK, SmallNet

PREPROCESSING = rt.Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(8, 8))
IMAGES = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def given() -> SmallNet:
    """Return a network with frozen norms that are far from doing nothing."""
    torch.manual_seed(0)
    network = SmallNet()
    for place, width, eps in (("1", 8, 1e-5), ("4", 16, 1e-3)):
        norm = FrozenBatchNorm2d(width, eps=eps)
        for name, buffer in norm.named_buffers():
            buffer.uniform_(0.5, 1.5) if name != "bias" else buffer.normal_(0, 0.2)
        setattr(network.features, place, norm)
    return network


@pytest.fixture
def source() -> rt.Source:
    return rt.load_source(given(), preprocessing=PREPROCESSING)


def test_it_computes_the_same_under_the_same_names(source: rt.Source) -> None:
    theirs = given()
    ours = source.network.plain_state()
    assert all(torch.equal(value, ours.pop(name)) for name, value in theirs.state_dict().items())
    assert not ours
    with torch.no_grad():
        normalised = (IMAGES - 0.5) / 0.25
        torch.testing.assert_close(source.network.eval()(IMAGES), theirs(normalised), atol=1e-6, rtol=1e-5)
    assert source.identity.notes == (
        "norms: 2 frozen batch norms, whose statistics, scales and shifts stay as they are",
    )
    assert prunable_weights(source.network) == ("features.0.weight", "features.3.weight")


def test_training_leaves_them_alone(source: rt.Source) -> None:
    before = source.network.plain_state()
    for options in ({}, {"mode": "linear", "bn": "batch"}, {"mode": "linear", "bn": "recalibrated"}):
        after = rt.transfer(source, PARTS, **{**QUICK, "seeds": (0,)}, **options).runs[0].network.plain_state()
        moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
        assert {"classifier.weight"} <= moved
        assert not {name for name in moved if name.startswith(("features.1.", "features.4."))}
    with pytest.raises(rt.UserError, match=r"recalibrate: .*SmallNet has no batch norm") as caught:
        rt.draw(source, sparsity=0.5, recalibrate=PARTS)
    assert "\n" not in str(caught.value)


def test_a_channel_ticket_masks_scale_and_shift_and_is_removed_exactly(source: rt.Source, tmp_path: Path) -> None:
    ticket = rt.draw(source, sparsity=0.5, group="channel", scope="layer")
    assert frozen_parameters(source.network.body) == {name for name in ticket.masks if name not in ticket.prunable}
    result = rt.transfer(ticket, PARTS, **{**QUICK, "seeds": (0,)})
    state = result.runs[0].network.plain_state()
    for name, mask in ticket.masks.items():
        assert not state[name][~mask].any()
    report = rt.shrink(result, tmp_path / "small.onnx", rounds=3, round_to=1)
    assert report.removal.channels_removed == 12
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx", providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(session.run(None, {"images": IMAGES.numpy()})[0])
    with torch.no_grad():
        torch.testing.assert_close(logits, result.runs[0].network.eval()(IMAGES), atol=1e-4, rtol=1e-4)
    rt.shrink(result, tmp_path / "small.rtk", rounds=3, round_to=1)
    answers = torch.from_numpy(rt.load_runtime(tmp_path / "small.rtk", threads=1)(IMAGES.numpy()))
    torch.testing.assert_close(answers, logits, atol=1e-4, rtol=1e-4)


def test_one_norm_in_two_places_stays_one() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3)
            self.norm = FrozenBatchNorm2d(8)
            self.again = self.norm
            self.fc = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.again(self.norm(self.stem(x))).mean((2, 3)))

    body = rt.load_source(Twice(), preprocessing=PREPROCESSING).network.body
    assert body.norm is body.again


def test_any_batch_norm_can_be_frozen() -> None:
    network = rt.load_source(rt.SourceSettings(name="timm/resnet10t", weights="random")).network
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = network.eval()(images)
        freeze_norms(network)
        Trainable.of(network).train_mode(network)
        assert torch.equal(network(images), before)
    trained = {name for name, parameter in network.body.named_parameters() if parameter.requires_grad}
    assert trained == {
        name for name, parameter in network.body.named_parameters() if parameter.dim() > 1 or name == "fc.bias"
    }
