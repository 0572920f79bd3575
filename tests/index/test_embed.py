"""What every Embedder does, and how the real one is opened. A new one joins EMBEDDERS."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from index.embed import DEFAULT_MODEL, MODEL, Embedder, Identity, OnnxEmbedder, open_embedder
from index.errors import OnRecordError
from tests.fakes import BagOfWords


def real(threads: int = 1) -> Embedder:
    return open_embedder(DEFAULT_MODEL, threads=threads)


EMBEDDERS = [
    pytest.param(BagOfWords, id="BagOfWords"),
    pytest.param(real, id="OnnxEmbedder", marks=pytest.mark.model),
    pytest.param(partial(real, 2), id="two threads", marks=pytest.mark.model),
]
every_embedder = pytest.mark.parametrize("make", EMBEDDERS)

TEXTS = [
    "The bridge will cost eleven million.",
    "Yes.",
    "",
    "A very long one. " * 400,
    "😀 \u202e\0 字" + "x" * 3_000,
]


@every_embedder
def test_unit_vectors_one_a_text(make: Callable[[], Embedder]) -> None:
    embedder = make()
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.identity.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


@every_embedder
def test_each_text_has_its_own_row(make: Callable[[], Embedder]) -> None:
    """However they are sorted into batches. Int8 vectors differ a little with their company."""
    embedder = make()
    texts = [f"Number {n} is " + "long " * (n * 7 % 40) for n in range(40)]
    together = embedder.embed_passages(texts)
    for n in (0, 17, 39):
        assert together[n] @ embedder.embed_query(texts[n]) > 0.98
        assert np.argmax(together @ embedder.embed_query(texts[n])) == n


@every_embedder
def test_the_same_text_the_same_vector(make: Callable[[], Embedder]) -> None:
    embedder = make()
    np.testing.assert_array_equal(embedder.embed_passages(TEXTS), embedder.embed_passages(TEXTS))
    assert embedder.embed_query("Yes.").shape == (embedder.identity.dimension,)


@every_embedder
def test_no_texts(make: Callable[[], Embedder]) -> None:
    embedder = make()
    assert embedder.embed_passages([]).shape == (0, embedder.identity.dimension)


@every_embedder
def test_the_text_that_shares_words_is_nearest(make: Callable[[], Embedder]) -> None:
    embedder = make()
    vectors = embedder.embed_passages(
        ["The bridge will cost eleven million.", "It rained all day.", "She plays the violin."]
    )
    assert np.argmax(vectors @ embedder.embed_query("What does the bridge cost?")) == 0


@pytest.mark.model
def test_the_real_identity() -> None:
    """The file's own hash: an index made with other weights is told from one of these."""
    digest = hashlib.sha256((MODEL / "retriever.onnx").read_bytes()).hexdigest()
    assert real().identity == Identity("on-record-minilm", digest, "onnx-int8", 384)


def test_the_model_is_small_enough_to_ship() -> None:
    assert (MODEL / "retriever.onnx").stat().st_size < 25_000_000


@pytest.mark.model
def test_meaning_without_a_word_in_common() -> None:
    embedder = real()
    vectors = embedder.embed_passages(["The ferry is delayed by fog.", "The soup was too salty."])
    assert np.argmax(vectors @ embedder.embed_query("Why does the boat come late?")) == 0


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("retriever.onnx", None),
        ("retriever.onnx", -50),
        ("tokenizer.json", None),
        ("tokenizer.json", -50),
        ("model.json", -50),
    ],
    ids=["no model", "model cut", "no tokenizer", "tokenizer cut", "model.json cut"],
)
def test_a_damaged_model_is_told_in_a_sentence(tmp_path: Path, name: str, kept: int | None) -> None:
    copy = tmp_path / "model"
    shutil.copytree(MODEL, copy)
    data = (copy / name).read_bytes()
    (copy / name).unlink()
    if kept is not None:
        (copy / name).write_bytes(data[:kept])
    with pytest.raises(OnRecordError, match=str(copy)) as caught:
        OnnxEmbedder.open(copy, threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.model
def test_a_model_that_is_not_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(OnRecordError, match="is not on this machine"):
        open_embedder(str(tmp_path / "no-such-model"), threads=1)
