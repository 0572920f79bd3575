"""Making the models that ship: the reader and the retriever. Needs the extra `train`."""

from __future__ import annotations


def knows_bf16() -> bool:
    """Whether the processor multiplies bf16: half the time. Where it does not, fp32 is faster."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
