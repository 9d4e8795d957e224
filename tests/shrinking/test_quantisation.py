"""8-bit files: near the float file on real images, smaller, of any batch size, and saying what the float file says."""

import json
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.named import load_named
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.settings import SourceSettings
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.export import Provenance, export_onnx
from robust_tickets.shrinking.quantisation import quantise

SIDE = 8
SAID = Provenance(ticket="sha256:1", network="sha256:2", seed=3)


def digits() -> tuple[Tensor, Tensor]:
    """Return 1797 handwritten digits [N, 1, 8, 8] in [0, 1], in a fixed random order, and their classes."""
    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    images = torch.tensor(found.images, dtype=torch.float32)[:, None] / 16
    return images[order], torch.tensor(found.target)[order]


@pytest.fixture(scope="module")
def trained() -> Network:
    body = load_named(SourceSettings(name="cifar/resnet8", weights="random", num_classes=10, in_channels=1)).body
    network = Network(body, Pixels(mean=(0.3,), std=(0.35,), size=(SIDE, SIDE)), "linear").train()
    torch.manual_seed(0)
    images, labels = digits()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(6):
        for batch in torch.randperm(1300).split(50):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimiser.step()
    return network.eval()


@pytest.fixture(scope="module")
def files(trained: Network, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("int8")
    exact, small = folder / "model.onnx", folder / "model-int8.onnx"
    export_onnx(trained, exact, classes=list("0123456789"), provenance=SAID)
    quantise(exact, small, digits()[0][:200].numpy())
    return exact, small


def test_it_answers_as_the_float_file_does_on_images_it_was_not_calibrated_on(files: tuple[Path, Path]) -> None:
    images, labels = digits()
    exact, small = (load_artefact(file).predict(images[1300:]) for file in files)
    assert (exact.argmax(1) == labels[1300:]).float().mean() > 0.9
    assert (exact.argmax(1) == small.argmax(1)).float().mean() > 0.98
    assert 0 < (exact - small).abs().max() < exact.std()


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_any_batch_size_gives_the_same(files: tuple[Path, Path], batch: int) -> None:
    artefact, images = load_artefact(files[1]), digits()[0][:8]
    assert torch.equal(artefact.predict(images[:batch]), artefact.predict(images)[:batch])


def test_weights_are_bytes_with_a_scale_for_each_channel(files: tuple[Path, Path], trained: Network) -> None:
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(files[1]).graph.initializer}
    kernels = [array for array in tensors.values() if array.dtype == np.int8 and array.ndim == 4]
    assert sum(array.size for array in kernels) == sum(p.numel() for p in trained.parameters() if p.dim() == 4)
    scales = [array.size for array in tensors.values() if array.dtype == np.float32 and array.ndim == 1]
    assert set(map(len, kernels)) <= set(scales)
    assert files[1].stat().st_size < 0.6 * files[0].stat().st_size


def test_it_says_what_the_float_file_says(files: tuple[Path, Path]) -> None:
    exact, small = ({entry.key: json.loads(entry.value) for entry in onnx.load(file).metadata_props} for file in files)
    assert small == exact | {"precision": "int8"}
    assert load_artefact(files[1]).provenance == SAID


def test_a_zero_stays_a_zero(trained: Network, tmp_path: Path) -> None:
    sparse = Network(trained.body, trained.interface, "linear")
    weight = next(p for p in sparse.parameters() if p.shape == (16, 16, 3, 3))
    mask = torch.rand(weight.shape, generator=torch.Generator().manual_seed(0)) < 0.9
    mask[3] = True  # and a filter without anything, whose scale must not be nothing
    before = weight.detach().clone()
    with torch.no_grad():
        weight.masked_fill_(mask, 0)
    try:
        export_onnx(sparse, tmp_path / "f.onnx")
        quantise(tmp_path / "f.onnx", tmp_path / "q.onnx", digits()[0][:32].numpy())
    finally:
        with torch.no_grad():
            weight.copy_(before)
    tensors = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(tmp_path / "q.onnx").graph.initializer]
    kernels = [array for array in tensors if array.shape == (16, 16, 3, 3)]
    assert any((array[mask.numpy()] == 0).all() for array in kernels)
    assert bool(load_artefact(tmp_path / "q.onnx").predict(digits()[0][:4]).isfinite().all())


def test_images_must_fit_and_nothing_is_left_behind(
    files: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(
        UserError, match=r"model\.onnx: calibrates on images of shape \(N, 1, 8, 8\), not \(4, 3, 8, 8\)"
    ):
        quantise(files[0], tmp_path / "q.onnx", np.zeros((4, 3, SIDE, SIDE), np.float32))
    assert list(tmp_path.iterdir()) == []
    quantise(files[0], tmp_path / "q.onnx", np.zeros((4, 1, SIDE, SIDE), np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["q.onnx"]
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers
