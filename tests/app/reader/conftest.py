"""A span reader whose scores are looked up by token: it marks OPEN to CLOSE and all between."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from app.reader import Passage, Sentence
from app.reader.span import FORMAT, SpanReader
from index.sentences import sentences
from tests.fakes import BagOfWords

OPEN, CLOSE = "alpha", "omega"


def passage(text: str, speaker: str | None = "Ada Okafor", asked: str = "") -> Passage:
    """A passage; its sentences are as near to what is `asked` as they share words with it."""
    embedder = BagOfWords()
    question = embedder.embed_query(asked)
    return Passage(
        text,
        tuple(
            Sentence(a, b, speaker, likeness=float(embedder.embed_query(text[a:b]) @ question))
            for a, b in sentences(text)
        ),
    )


def small_model(folder: Path, token: str = r"\w+|[^\w\s]+") -> Path:
    """A model whose score of a token is looked up: one that starts an answer, one that ends it.

    `token` says what a token is.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    vocabulary = {f"[{n}]": n for n in range(110)}
    vocabulary |= {"[UNK]": 110, OPEN: 111, CLOSE: 112}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Split(Regex(token), "removed", invert=True)
    tokens.save(str(folder / "tokenizer.json"))
    table = np.full((113, 2), -5, dtype=np.float32)
    table[101] = 0  # [CLS]: no answer
    table[111, 0] = table[112, 1] = 4
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "tokens", 2])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["scores"])],
        "small", inputs, [scores], [numpy_helper.from_array(table, "table")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "reader.onnx")
    digest = sha256((folder / "reader.onnx").read_bytes()).hexdigest()
    words = sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    write_about(folder, sha256=digest, tokenizer_sha256=words)
    return folder


def write_about(folder: Path, **changed: object) -> None:
    file = folder / "model.json"
    about = {"format": FORMAT}
    before = json.loads(file.read_text()) if file.exists() else about
    file.write_text(json.dumps({**before, **changed}))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SpanReader:
    return SpanReader.open(small_model(tmp_path_factory.mktemp("model")), threads=1)
