"""Trained models to int8 ONNX, as `index.onnx` runs them."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import BertModel


def export_onnx(
    model: torch.nn.Module, bert: BertModel, inputs: Sequence[str], output: str, file: Path
) -> None:
    """Export a module around `bert` to fp32 ONNX, its attention fused.

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
    # Fused they are slower; see `open_session`.
    fusion.enable_skip_layer_norm = fusion.enable_bias_skip_layer_norm = False
    fusion.enable_bias_gelu = False
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


def quantize(full: Path, file: Path, apart: str | None = None) -> str:
    """Make the int8 model `file` of the fp32 one `full`; gives the new file's sha256.

    Weights are int8 per channel, activations are quantized as they come (onnxruntime's
    dynamic quantization); nodes with `apart` in their names stay as they are.
    """
    from onnx import TensorProto, load
    from onnxruntime.quantization import QuantType, quantize_dynamic

    nodes = load(full).graph.node
    with _quiet():
        quantize_dynamic(
            full,
            file,
            per_channel=True,
            nodes_to_exclude=[one.name for one in nodes if apart and apart in one.name],
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
