"""Batches of like length and padding; sessions on files that are what they should be."""

from __future__ import annotations

import threading
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import OnRecordError
from index.onnx import at_once, by_length, open_session, padded


def test_rows_are_padded_with_0_on_the_right() -> None:
    array = padded([[5, 6, 7], [8], []])
    assert array.dtype == np.int64
    assert array.tolist() == [[5, 6, 7], [8, 0, 0], [0, 0, 0]]


def test_batches_hold_items_of_like_length() -> None:
    assert list(by_length([9, 1, 5, 1, 7], 2)) == [[1, 3], [2, 4], [0]]
    assert list(by_length([], 2)) == []


@given(st.lists(st.integers(0, 99)), st.integers(1, 9))
def test_every_item_is_in_one_batch(lengths: list[int], batch: int) -> None:
    batches = list(by_length(lengths, batch))
    assert sorted(n for rows in batches for n in rows) == list(range(len(lengths)))
    assert all(len(rows) == batch for rows in batches[:-1])
    in_order = [lengths[n] for rows in batches for n in rows]
    assert in_order == sorted(lengths)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_what_is_made_at_once_comes_in_order(threads: int) -> None:
    assert at_once(lambda n: n * n, range(9), threads) == [n * n for n in range(9)]
    assert at_once(lambda n: n * n, [], threads) == []


def test_so_many_are_made_at_once() -> None:
    """Each waits for the others, which alone it would do in vain."""
    together = threading.Barrier(3, timeout=30)
    assert sorted(at_once(lambda _: together.wait(), range(6), 3)) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("threads", [1, 2])
def test_what_fails_is_raised(threads: int) -> None:
    with pytest.raises(ZeroDivisionError):
        at_once(lambda n: 1 / n, [2, 1, 0, 1], threads)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OnRecordError, match=r"model\.onnx: the model cannot be read \(No such"):
        open_session(tmp_path / "model.onnx", "0" * 64)


def test_a_model_with_another_hash(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"something else")
    with pytest.raises(OnRecordError, match=r"model\.onnx: the model is damaged or of another"):
        open_session(file, sha256(b"the model").hexdigest())
