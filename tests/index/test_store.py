"""What every Store does. A new implementation joins STORES and is held to the same."""

from __future__ import annotations

import numpy as np
import pytest

from index.store import FaissStore, Vectors

STORES = [FaissStore]
AXES = np.eye(4, dtype=np.float32)
HALF = np.sqrt(np.float32(0.5))
BETWEEN = np.array([HALF, HALF, 0, 0], dtype=np.float32)


@pytest.fixture(params=STORES, ids=lambda store: store.__name__)
def kind(request: pytest.FixtureRequest) -> type[FaissStore]:
    kind: type[FaissStore] = request.param
    return kind


@pytest.fixture
def store(kind: type[FaissStore]) -> FaissStore:
    """The four axes, and number 4 between the first two."""
    return kind.from_vectors(np.vstack([AXES, BETWEEN]))


def test_the_nearest_first(store: FaissStore) -> None:
    found = store.search(AXES[1], 3, None)
    assert [number for number, _ in found[:2]] == [1, 4]
    assert [score for _, score in found] == pytest.approx([1, HALF, 0])


def test_scores_are_inner_products_with_their_sign(store: FaissStore) -> None:
    found = dict(store.search(-BETWEEN, 5, None))
    assert found == pytest.approx({0: -HALF, 1: -HALF, 2: 0, 3: 0, 4: -1})


def test_allowed_restricts_the_numbers(store: FaissStore) -> None:
    assert [number for number, _ in store.search(AXES[1], 5, [0, 4])] == [4, 0]
    assert [number for number, _ in store.search(AXES[1], 1, [3, 2, 4])] == [4]
    assert store.search(AXES[1], 5, []) == []


def test_no_more_than_there_are(store: FaissStore) -> None:
    assert len(store) == 5
    assert len(store.search(AXES[0], 50, None)) == 5
    assert len(store.search(AXES[0], 50, [1])) == 1


def test_the_vectors_come_back_as_they_were_added(kind: type[FaissStore]) -> None:
    vectors: Vectors = np.random.default_rng(1).normal(size=(50, 7)).astype(np.float32)
    back = kind.from_vectors(vectors).vectors()
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, vectors)


def test_bytes_and_back(kind: type[FaissStore], store: FaissStore) -> None:
    data = store.to_bytes()
    again = kind.from_bytes(data)
    np.testing.assert_array_equal(again.vectors(), store.vectors())
    assert again.search(BETWEEN, 5, [1, 3, 4]) == store.search(BETWEEN, 5, [1, 3, 4])
    assert again.to_bytes() == data


@pytest.mark.parametrize("rows", [slice(None, None, 2), slice(None, None, -1)])
def test_vectors_need_not_stand_in_one_piece(kind: type[FaissStore], rows: slice) -> None:
    np.testing.assert_array_equal(kind.from_vectors(AXES[rows]).vectors(), AXES[rows])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"no index at all",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data[1:],
        lambda data: bytes(len(data)),
    ],
    ids=["empty", "text", "half", "last byte gone", "first byte gone", "zeros"],
)
def test_damaged_bytes_are_refused(kind: type[FaissStore], store: FaissStore, damage) -> None:
    with pytest.raises(ValueError, match="not a FAISS index"):
        kind.from_bytes(damage(store.to_bytes()))
