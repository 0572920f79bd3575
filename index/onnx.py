"""Exporting models to int8 ONNX (with torch, once) and running them (without)."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.errors import OnRecordError

if TYPE_CHECKING:
    import onnxruntime
    import torch

Tokens = NDArray[np.int64]


def open_session(file: Path, sha256: str, *, threads: int) -> onnxruntime.InferenceSession:
    """A session on the model in `file`, which must have this sha256.

    Raises OnRecordError where it is missing or damaged.
    """
    import onnxruntime

    try:
        model = file.read_bytes()
    except OSError as error:
        raise OnRecordError(f"{file}: the model cannot be read ({error.strerror}).") from error
    if hashlib.sha256(model).hexdigest() != sha256:
        raise OnRecordError(
            f"{file}: the model is damaged or of another version; restore it, or delete its "
            "folder if it is in the cache."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # No arena: lengths vary, and an arena keeps memory for the largest batch it ever saw.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


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


def export_int8(model: torch.nn.Module, inputs: Sequence[str], output: str, file: Path) -> str:
    """Export a module of int64 inputs of shape (batch, tokens) to int8 ONNX; gives its sha256.

    Weights are int8 per channel, activations are quantized as they come (onnxruntime's
    dynamic quantization). An fp32 file stands beside `file` while this runs.
    """
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    example = tuple(torch.ones(2, 16, dtype=torch.int64) for _ in inputs)
    full = file.with_suffix(".fp32.onnx")
    axes = {name: {0: "batch", 1: "tokens"} for name in inputs}
    with _quiet():
        # The tracing exporter: its graph quantizes better than the newer one's.
        torch.onnx.export(
            model.eval(),
            example,
            str(full),
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={**axes, output: {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(full, file, per_channel=True, weight_type=QuantType.QInt8)
    full.unlink()
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter and the quantizer warn of what does not concern the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
