"""What every Store does. A new one joins IMPLEMENTATIONS and inherits the tests."""

from __future__ import annotations

import numpy as np
import pytest

from index.store import FaissStore, Vectors

IMPLEMENTATIONS = [FaissStore]
every_store = pytest.mark.parametrize("store_type", IMPLEMENTATIONS)

# Four directions in the plane, at 0, 60, 90 and 180 degrees.
VECTORS: Vectors = np.array([[1, 0], [0.5, 0.75**0.5], [0, 1], [-1, 0]], dtype=np.float32)
EAST: Vectors = VECTORS[0]


@every_store
def test_the_nearest_first_with_their_cosines(store_type: type[FaissStore]) -> None:
    found = store_type.from_vectors(VECTORS).search(EAST, 3, None)
    assert [number for number, _ in found] == [0, 1, 2]
    assert [score for _, score in found] == pytest.approx([1, 0.5, 0], abs=1e-6)


@every_store
def test_no_more_than_there_are(store_type: type[FaissStore]) -> None:
    found = store_type.from_vectors(VECTORS).search(EAST, 10, None)
    assert [number for number, _ in found] == [0, 1, 2, 3]


@every_store
@pytest.mark.parametrize(
    ("allowed", "expected"),
    [([1, 3], [1, 3]), ([3, 2], [2, 3]), ([2], [2]), ([], []), (range(4), [0, 1, 2])],
)
def test_only_what_is_allowed(
    store_type: type[FaissStore], allowed: list[int], expected: list[int]
) -> None:
    found = store_type.from_vectors(VECTORS).search(EAST, 3, list(allowed))
    assert [number for number, _ in found] == expected


@every_store
def test_bytes_and_back(store_type: type[FaissStore]) -> None:
    store = store_type.from_vectors(VECTORS)
    again = store_type.from_bytes(store.to_bytes())
    assert len(again) == 4
    np.testing.assert_array_equal(again.vectors(), VECTORS)
    assert again.search(EAST, 2, None) == store.search(EAST, 2, None)
    assert again.to_bytes() == store.to_bytes()


@every_store
def test_no_vectors(store_type: type[FaissStore]) -> None:
    store = store_type.from_vectors(np.empty((0, 2), dtype=np.float32))
    again = store_type.from_bytes(store.to_bytes())
    assert len(again) == 0
    assert again.search(EAST, 3, None) == []
    assert again.vectors().shape == (0, 2)


@every_store
@pytest.mark.parametrize("kept", [0, 1, 4, 20, -1])
def test_bytes_cut_short_are_refused(store_type: type[FaissStore], kept: int) -> None:
    data = store_type.from_vectors(VECTORS).to_bytes()
    with pytest.raises(ValueError, match="not a FAISS index"):
        store_type.from_bytes(data[:kept])


@every_store
@pytest.mark.parametrize("data", [b"not an index at all" * 9, b"\xff" * 99, b"\0" * 99])
def test_bytes_of_something_else_are_refused(store_type: type[FaissStore], data: bytes) -> None:
    with pytest.raises(ValueError, match="not a FAISS index"):
        store_type.from_bytes(data)
