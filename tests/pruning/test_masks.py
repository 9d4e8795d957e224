import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robust_tickets.pruning.masks import full, is_nested, layer_sparsity, pack, sparsity, unpack


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.integers(0, 9))
def test_packing_is_lossless_and_eight_times_smaller(shape: list[int], seed: int) -> None:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) > 0.5
    packed = pack({"w": mask})
    assert packed["w"].dtype == torch.uint8
    assert packed["w"].numel() == (mask.numel() + 7) // 8
    assert torch.equal(unpack(packed, {"w": tuple(shape)})["w"], mask)


def test_a_packed_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="w: 2 bytes"):
        unpack(pack({"w": torch.ones(9, dtype=torch.bool)}), {"w": (8,)})


def test_sparsity_is_the_fraction_removed() -> None:
    masks = {"a": torch.tensor([True, False, False, False]), "b": torch.tensor([True, True])}
    assert sparsity(masks) == 0.5
    assert sparsity(masks, ["b"]) == 0.0
    assert layer_sparsity(masks) == {"a": 0.75, "b": 0.0}


def test_nesting_has_a_direction() -> None:
    outer, inner = {"w": torch.tensor([True, True, False])}, {"w": torch.tensor([True, False, False])}
    assert is_nested(inner, outer)
    assert not is_nested(outer, inner)
    assert is_nested(inner, full(inner))
