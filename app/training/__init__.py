"""Making the models that ship: the reader and the retriever. Needs the extra `train`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import OnRecordError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def knows_bf16() -> bool:
    """Whether the processor multiplies bf16: half the time. Where it does not, fp32 is faster."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def begin(run: Path, settings: DataclassInstance, **made_of: str | None) -> None:
    """Make the folder of a run, or go on with it.

    Raises OnRecordError where it was begun with other settings or made of something else.
    """
    run.mkdir(parents=True, exist_ok=True)
    about, kept = json.dumps(asdict(settings) | made_of, indent=1) + "\n", run / "settings.json"
    if kept.exists() and kept.read_text(encoding="utf-8") != about:
        raise OnRecordError(f"{run}: this run was begun with other settings; name another folder.")
    kept.write_text(about, encoding="utf-8")
