"""Weights come back bit for bit from every encoding, and the smallest is taken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Weight
from robust_tickets.runtime.storage.encoding import ENCODINGS, decode, encode
from robust_tickets.runtime.storage.indices import decode_indices, encode_indices


def masked(mask: np.ndarray, seed: int = 0) -> Weight:
    """A weight of random values where the mask is True."""
    values = np.random.default_rng(seed).standard_normal(mask.shape).astype(np.float32)
    return Weight(mask.shape, np.where(mask, values, np.float32(0)).ravel())


def kept(shape: tuple[int, ...], group: tuple[int, ...], density: float) -> np.ndarray:
    """A mask of `shape` whose groups of the shape `group` are kept with probability `density`, some at least."""
    coarse = np.random.default_rng(1).random([side // size for side, size in zip(shape, group, strict=True)]) < density
    coarse.flat[0] = True
    return np.kron(coarse, np.ones(group)).astype(bool)


PATTERNS = {
    "dense": kept((32, 16, 3, 3), (1, 1, 1, 1), 0.99),
    "element": kept((32, 16, 3, 3), (1, 1, 1, 1), 0.1),
    "row": kept((32, 16, 3, 3), (1, 1, 1, 3), 0.1),
    "kernel": kept((32, 16, 3, 3), (1, 1, 3, 3), 0.1),
    "filter": kept((32, 16, 3, 3), (1, 16, 3, 3), 0.2),
    "block8x1": kept((32, 16, 3, 3), (8, 1, 1, 1), 0.1),
    "block16x1": kept((32, 16, 3, 3), (16, 1, 1, 1), 0.1),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_pattern_takes_its_own_encoding_and_comes_back_exactly(encoding: str) -> None:
    weight = masked(PATTERNS[encoding])
    stored, index, values = encode("w", weight, "float32")
    assert stored.encoding == encoding
    assert (stored.index_bytes, stored.value_bytes) == (index.size, values.size)
    decoded = decode(stored, index, values)
    np.testing.assert_array_equal(decoded.dense(), weight.dense())
    if encoding != "dense":
        assert decoded.positions is not None
        np.testing.assert_array_equal(decoded.positions, np.flatnonzero(weight.values))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([(1,), (7,), (300,), (8, 5), (24, 40), (3, 7), (16, 3, 3, 3), (8, 1, 5, 2), (5, 4, 1, 1)]),
    st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["float32", "float16"]),
)
def test_any_weight_comes_back(shape: tuple[int, ...], density: float, seed: int, dtype: str) -> None:
    weight = masked(np.random.default_rng(seed).random(shape) < density, seed)
    stored, index, values = encode("w", weight, dtype)  # type: ignore[arg-type]
    decoded = decode(stored, index, values)
    np.testing.assert_array_equal(decoded.dense(), weight.dense().astype(dtype).astype(np.float32))
    assert stored.bytes <= np.dtype(dtype).itemsize * weight.values.size


def test_zeros_within_groups_are_dropped_when_read() -> None:
    mask = PATTERNS["block16x1"].copy()
    first = tuple(np.argwhere(mask)[0])
    mask[first] = False
    decoded = decode(*encode("w", masked(mask), "float32"))
    np.testing.assert_array_equal(decoded.positions, np.flatnonzero(mask))
    np.testing.assert_array_equal(decoded.dense(), masked(mask).dense())


def test_what_float16_rounds_to_zero_is_gone() -> None:
    weight = Weight((4, 4), np.array([1e-9] + [0] * 14 + [1], np.float32))
    decoded = decode(*encode("w", weight, "float16"))
    np.testing.assert_array_equal(decoded.dense().ravel(), [0] * 15 + [1])


def test_float16_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(RuntimeFileError, match="weight 'head' contains 70000, but float16 ends at 65504"):
        encode("head", Weight((1, 2), np.array([1, -70000], np.float32)), "float16")


@pytest.mark.parametrize(("dtype", "most"), [("float32", 1 / 6), ("float16", 1 / 12)])
def test_a_tenth_of_the_elements_takes_a_sixth_of_the_bytes_at_most(dtype: str, most: float) -> None:
    mask = np.random.default_rng(0).random((256, 128, 3, 3)) < 0.1
    stored, _, _ = encode("w", masked(mask), dtype)  # type: ignore[arg-type]
    assert stored.encoding == "element"
    assert stored.bytes <= most * stored.dense_bytes


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(0, 4000)), st.integers(1, 3000))
def test_indices_come_back_from_gaps_and_from_bitmaps(chosen: set[int], beyond: int) -> None:
    indices = np.array(sorted(chosen), np.int64)
    size = max(chosen, default=0) + beyond
    coding, coded = encode_indices(indices, size)
    assert coded.size <= -(-size // 8), "never larger than the bitmap"
    np.testing.assert_array_equal(decode_indices(coding, coded, size, indices.size), indices)


@pytest.mark.parametrize("gap", [0, 1, 253, 254, 255, 256, 509, 510, 511, 100_000])
def test_gaps_around_the_escape(gap: int) -> None:
    indices = np.array([gap, 2 * gap + 1], np.int64)
    coding, coded = encode_indices(indices, 10**6)
    assert coding == "gaps"
    assert coded.size == 2 * (gap // 255 + 1)
    np.testing.assert_array_equal(decode_indices(coding, coded, 10**6, 2), indices)


@pytest.mark.parametrize(
    ("coding", "coded", "count", "complaint"),
    [
        ("gaps", [9, 0], 1, "has 2 indices but announces 1"),
        ("gaps", [9, 0], 2, "index 10 is beyond 10"),
        ("gaps", [255] * 9 + [0], 1, "index 2295 is beyond 10"),
        ("gaps", [3, 255], 2, "has 1 indices but announces 2"),
        ("bitmap", [255], 8, "bitmap of 1 bytes for 10 indices"),
        ("bitmap", [255, 255], 16, "has 10 indices but announces 16"),
    ],
)
def test_bytes_that_contradict_their_entry_are_refused(
    coding: str, coded: list[int], count: int, complaint: str
) -> None:
    with pytest.raises(RuntimeFileError, match=complaint):
        decode_indices(coding, np.array(coded, np.uint8), 10, count)
