"""Batches of like length and padding; sessions on files that are what they should be."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import OnRecordError
from index.onnx import by_length, open_session, padded


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


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OnRecordError, match=r"model\.onnx: the model cannot be read \(No such"):
        open_session(tmp_path / "model.onnx", "0" * 64, threads=1)


def test_a_model_with_another_hash(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"something else")
    with pytest.raises(OnRecordError, match=r"model\.onnx: the model is damaged or of another"):
        open_session(file, sha256(b"the model").hexdigest(), threads=1)
