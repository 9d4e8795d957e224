"""Damaged files are one line, never a traceback, and never another network than the one that was saved."""

import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.convert import convert
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from tests.models.test_formats import load, network_state

STATE = {
    "conv.weight": torch.arange(54.0).reshape(2, 3, 3, 3),
    "conv.bias": torch.tensor([0.5, 1.0]),
    "bn.num_batches_tracked": torch.tensor(3),
}
MUTANTS = 1000

# What is caught is no single error but that of every mutant that is refused.
# ruff: noqa: PT017


def zipped(path: Path) -> None:
    torch.save({"state_dict": STATE, "epoch": 3}, path)


def legacy(path: Path) -> None:
    torch.save({"state_dict": STATE, "epoch": 3}, path, _use_new_zipfile_serialization=False)


def safe(path: Path) -> None:
    save_file(STATE, path)


def mutant(whole: bytes, chance: random.Random) -> bytes:
    """Change, cut off, drop or put in some bytes."""
    content, place = bytearray(whole), chance.randrange(len(whole))
    match chance.randrange(4):
        case 0:
            for _ in range(chance.randint(1, 4)):
                content[chance.randrange(len(content))] = chance.randrange(256)
        case 1:
            del content[place:]
        case 2:
            del content[place : place + chance.randint(1, 64)]
        case _:
            content[place:place] = chance.randbytes(chance.randint(1, 16))
    return bytes(content)


def tensors_of(content: Any) -> dict[str, Tensor]:
    """Return all tensors of a checkpoint, whatever it has become."""
    items = content.items() if isinstance(content, dict) else ()
    found = {str(name): value for name, value in items if isinstance(value, Tensor)}
    for _, value in items:
        found |= tensors_of(value)
    return found


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("save", "checked"), [(zipped, True), (legacy, False), (safe, False)])
def test_a_thousand_damaged_files_are_refused_or_load_equal(
    tmp_path: Path, save: Callable[[Path], None], checked: bool
) -> None:
    """Only zip files have checksums: in the two others a changed number is a number, a changed name a name."""
    path = tmp_path / "net.pt"
    save(path)
    whole, chance = path.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(MUTANTS):
        path.write_bytes(mutant(whole, chance))
        try:
            content = read_checkpoint(path)
        except UserError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)
            continue
        if checked:
            found = tensors_of(content)
            assert found.keys() == STATE.keys()
            assert all(torch.equal(found[name], tensor) for name, tensor in STATE.items())
    assert refused > 0.8 * MUTANTS


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_damaged_pickles_are_no_more_than_refused_where_they_are_converted(tmp_path: Path) -> None:
    path, out = tmp_path / "net.pt", tmp_path / "net.safetensors"
    chance = random.Random(1)
    for save in (zipped, legacy):
        save(path)
        whole = path.read_bytes()
        for _ in range(MUTANTS // 10):
            path.write_bytes(mutant(whole, chance))
            try:
                convert(path, out, allow_pickle=True)
            except UserError as error:
                assert str(error).startswith(f"{path}: ")


def test_a_changed_number_in_a_zip_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    zipped(path)
    whole = path.read_bytes()
    number = STATE["conv.weight"].numpy().tobytes()[40:80]
    assert whole.count(number) == 1
    path.write_bytes(whole.replace(number, number[::-1]))
    with pytest.raises(UserError, match=r"broken or cut short \(Bad CRC-32.*download it again"):
        read_checkpoint(path)


def test_files_saved_without_checksums_load(tmp_path: Path) -> None:
    path, before = tmp_path / "net.pt", torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        zipped(path)
    finally:
        torch.serialization.set_crc32_options(before)
    assert torch.equal(read_checkpoint(path)["state_dict"]["conv.weight"], STATE["conv.weight"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty; download it again"),
        (b"\n <!DOCTYPE html><html>Sign in</html>", "is a web page, not weights"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a Git LFS pointer.*git lfs pull"),
        (b'<?xml version="1.0"?><net name="resnet"/>', "is an XML file.*OpenVINO"),
        (b'{"error": "not found"}', "is JSON, not weights"),
        (b"GGUF\x03\0\0\0" + bytes(64), "is a quantised GGUF file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "is an HDF5 file, as written by Keras"),
        (b"\x1c\0\0\0TFL3" + bytes(64), "is a TensorFlow Lite model"),
        (b"\x89RTK\r\n\x1a\n" + bytes(64), "is a runtime file"),
        (b"\x1f\x8b\x08" + bytes(64), "is compressed with gzip; unpack it"),
        (b"net/" + bytes(253) + b"ustar\0" + bytes(64), "is a tar archive; unpack it"),
        (b"\x93NUMPY\x01\0" + bytes(64), "is a numpy array"),
        (b"epoch,accuracy\n", "is not a weights file; PyTorch"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "is an image"),
    ],
)
def test_what_was_saved_as_weights_and_is_something_else_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"net.pth: {problem}"):
        load_source(SourceSettings(name="torchvision/resnet18", weights=str(path)))


def test_archives_that_torch_did_not_write_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    np.savez(tmp_path / "net.npz", weight=np.zeros(3))
    path.write_bytes((tmp_path / "net.npz").read_bytes())
    with pytest.raises(UserError, match=r"is a zip archive of weight\.npy, not a PyTorch file; unpack it"):
        read_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"\x89HDF")
    with pytest.raises(UserError, match="a Keras model; convert its weights to PyTorch first"):
        read_checkpoint(path)


def test_an_onnx_file_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x0a\x12\x07pytorch")
    with pytest.raises(UserError, match="is an ONNX model, which cannot be trained"):
        read_checkpoint(path)


def test_of_a_folder_the_files_in_it_are_named(tmp_path: Path) -> None:
    (tmp_path / "last.pth").touch()
    with pytest.raises(UserError, match=r"is a folder; give the weights file in it, such as last\.pth"):
        load_source(SourceSettings(name="torchvision/resnet18", weights=str(tmp_path)))


def test_tensors_of_other_kinds(tmp_path: Path) -> None:
    path, state = tmp_path / "net.pt", network_state()
    weight = state["fc.weight"]
    torch.save({**state, "fc.weight": (weight * (weight > 0)).to_sparse()}, path)
    assert torch.equal(load(path).network.plain_state()["fc.weight"], weight * (weight > 0))
    others = {
        "fc.weight contains int8, but the network has floating-point weights": (weight * 100).to(torch.int8),
        "fc.weight contains complex numbers": weight.to(torch.complex64),
        "fc.weight is on the meta device": weight.to("meta"),
        "fc.weight is quantised": torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
    }
    for problem, tensor in others.items():
        torch.save({**state, "fc.weight": tensor}, path)
        with pytest.raises(UserError, match=problem):
            load(path)


def test_parts_that_do_not_belong_together_stay_apart(tmp_path: Path) -> None:
    path, state = tmp_path / "net.pt", network_state()
    weight = state.pop("fc.weight")
    for parts in (
        {"fc.weight_g": torch.ones(4, 1), "fc.weight_v": weight},
        {"fc.weight_orig": weight, "fc.weight_u": torch.ones(4), "fc.weight_v": torch.ones(7)},
        {"fc.weight_orig": weight, "fc.weight_mask": torch.ones(3)},
        {"fc.weight": weight, "__nncf_hooks.post_hooks.fc:weight__0.0.binary_mask": torch.ones(2, 2)},
    ):
        torch.save({**state, **parts}, path)
        with pytest.raises(UserError, match="does not fit torchvision/shufflenet_v2_x0_5"):
            load(path)
    wrong = {f"fc.parametrizations.weight.{n}": t for n, t in (("original0", torch.ones(3)), ("original1", weight))}
    torch.save({**state, **wrong}, path)
    with pytest.raises(UserError, match=r"fc\.weight has a parametrisation whose code is not in the file"):
        load(path)
