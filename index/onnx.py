"""Running int8 ONNX models, without torch: sessions on checked files, batches of tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.errors import OnRecordError

if TYPE_CHECKING:
    import onnxruntime

Tokens = NDArray[np.int64]
Item = TypeVar("Item")
Made = TypeVar("Made")


def open_session(file: Path, sha256: str) -> onnxruntime.InferenceSession:
    """A session on the model in `file`, which must have this sha256; `at_once` runs it.

    Raises OnRecordError where it is missing or damaged.
    """
    import onnxruntime

    try:
        model = file.read_bytes()
    except OSError as error:
        raise OnRecordError(f"{file}: the model cannot be read ({error.strerror}).") from error
    if hashlib.sha256(model).hexdigest() != sha256:
        raise OnRecordError(
            f"{file}: the model is damaged or of another version; install On Record again."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # The arena keeps what the largest batch took; batches are small, and memory from the
    # system anew for each would cost a third of the time.
    try:
        return onnxruntime.InferenceSession(
            model,
            options,
            providers=["CPUExecutionProvider"],
            # Fused they are slower than their parts, normalization three times.
            disabled_optimizers=["SkipLayerNormFusion", "BiasGeluFusion"],
        )
    except Exception as error:  # onnxruntime's errors share no class
        raise OnRecordError(
            f"{file}: onnxruntime {onnxruntime.__version__} cannot run the model ({error}); "
            "install the versions of constraints.txt."
        ) from error


def at_once(make: Callable[[Item], Made], items: Sequence[Item], threads: int) -> list[Made]:
    """What is made of each item, in order: `threads` of them at a time, one thread each.

    Threads that share a batch wait for one another at every step of it. What one raises is raised.
    """
    if threads == 1 or len(items) < 2:
        return [make(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(make, items))


def by_length(lengths: Sequence[int], batch: int) -> Iterator[list[int]]:
    """Batches of indices of items of like length, so that little is padded."""
    order = sorted(range(len(lengths)), key=lambda n: lengths[n])
    for begin in range(0, len(order), batch):
        yield order[begin : begin + batch]


def padded(rows: Sequence[Sequence[int]]) -> Tokens:
    """Rows of token ids as one array, shape (rows, longest), padded with 0 on the right."""
    width = max(map(len, rows))
    array = np.zeros((len(rows), width), dtype=np.int64)
    for n, row in enumerate(rows):
        array[n, : len(row)] = row
    return array
