"""Named random streams and content hashes."""

from pathlib import Path

import torch

from robust_tickets.foundation.digests import file_digest, tensors_digest
from robust_tickets.foundation.seeds import generator, global_stream, stream_seed


def test_streams_are_addressed_by_name_alone() -> None:
    assert stream_seed(0, "order", 3) == stream_seed(0, "order", 3)
    names = [(0, "order", 3), (0, "order", 4), (1, "order", 3), (0, "order"), (0, "attack", 3), (0, "order", "3", "x")]
    assert len({stream_seed(*name) for name in names}) == len(names)
    assert all(0 <= stream_seed(seed, "x") < 2**63 for seed in range(100))
    one, two = (torch.rand(4, generator=generator(7, "noise", 2)) for _ in range(2))
    assert torch.equal(one, two)


def test_a_global_stream_is_restored() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with global_stream(0, "init"):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with global_stream(0, "init"):
        assert torch.equal(torch.rand(3), inside)


def test_a_digest_is_of_names_types_shapes_and_values() -> None:
    base = {"b": torch.arange(6.0), "a": torch.ones(2, dtype=torch.bool)}
    digest = tensors_digest(base)
    assert digest == tensors_digest(dict(reversed(base.items())))
    assert digest == tensors_digest({"a": base["a"], "b": torch.arange(12.0)[::2] / 2})
    others = [
        {**base, "b": torch.arange(6.0).reshape(2, 3)},
        {**base, "b": torch.arange(6.0).double()},
        {**base, "b": torch.arange(6.0) + 1e-6},
        {"a": base["a"], "c": base["b"]},
        {"a": base["a"]},
    ]
    assert len({digest, *map(tensors_digest, others)}) == 6
    tensors_digest({"scalar": torch.tensor(3), "empty": torch.zeros(0), "half": torch.zeros(2, dtype=torch.bfloat16)})


def test_a_files_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert file_digest(tmp_path / "file") == f"sha256:{empty}"
