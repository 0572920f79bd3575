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
    from transformers import BertModel

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
            f"{file}: the model is damaged or of another version; install On Record again, or "
            "delete its folder if it is in the cache."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # No arena: lengths vary, and an arena keeps memory for the largest batch it ever saw.
    options.enable_cpu_mem_arena = False
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no class
        raise OnRecordError(
            f"{file}: onnxruntime {onnxruntime.__version__} cannot run the model ({error}); "
            "install the versions of constraints.txt."
        ) from error


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


def export_onnx(
    model: torch.nn.Module, bert: BertModel, inputs: Sequence[str], output: str, file: Path
) -> None:
    """Export a module around `bert` to fp32 ONNX, attention, GELU and normalization fused.

    The module's inputs are int64 of shape (batch, tokens).
    """
    import torch
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    # Plainly written attention is what the fusion knows.
    bert.set_attn_implementation("eager")
    axes = {name: {0: "batch", 1: "tokens"} for name in inputs}
    fusion = FusionOptions("bert")
    fusion.enable_embed_layer_norm = False  # it wants other inputs than these
    with _quiet():
        # The tracing exporter: its graph quantizes better than the newer one's.
        torch.onnx.export(
            model.eval(),
            tuple(torch.ones(2, 16, dtype=torch.int64) for _ in inputs),
            str(file),
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={**axes, output: {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )
        fused = optimize_model(
            str(file),
            model_type="bert",
            num_heads=bert.config.num_attention_heads,
            hidden_size=bert.config.hidden_size,
            optimization_options=fusion,
            opt_level=0,
        )
        fused.save_model_to_file(str(file))


def quantize(full: Path, file: Path) -> str:
    """Make the int8 model `file` of the fp32 one `full`; gives the new file's sha256.

    Weights are int8 per channel, activations are quantized as they come (onnxruntime's
    dynamic quantization).
    """
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            full,
            file,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # Fused nodes do not say what they give.
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )
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
