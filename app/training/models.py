"""The networks of readers: ours, of all-MiniLM-L6-v2, and a larger one that teaches it."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from app.training.eased import APART, plain
from index.embed import load_transformer, packaged_weights
from index.errors import OnRecordError

# What MPNet calls the three words that BERT's vocabulary names otherwise.
IN_MPNET = {"[PAD]": "<pad>", "[CLS]": "<s>", "[SEP]": "</s>"}


def tokenizer() -> Tokenizer:
    found = Tokenizer.from_file(str(packaged_weights() / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


class SpanModel(torch.nn.Module):
    """MiniLM with a start and an end score for each token; position 0 stands for no answer."""

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.bert = bert
        self.spans = torch.nn.Linear(bert.config.hidden_size, 2)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """Scores of shape (batch, tokens, 2)."""
        scores: torch.Tensor = self.spans(self.words(input_ids, attention_mask, token_type_ids))
        return scores

    def words(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """What it makes of each token, which the scores are read off: (batch, tokens, size)."""
        words: torch.Tensor = self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        return words


def new_model() -> SpanModel:
    """The model before training: the packaged weights, checked, under a fresh head."""
    transformer: Any = load_transformer(str(packaged_weights()))[0]
    transformer.auto_model.set_attn_implementation("eager")  # the faster one, backwards
    return SpanModel(transformer.auto_model)


def start_from(model: SpanModel, file: Path) -> None:
    """Give the model the weights of an exported int8 reader, as fine as int8 keeps them."""
    from onnx import load, numpy_helper

    graph = load(str(file)).graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}

    def full(name: str) -> torch.Tensor:
        scale, zero = arrays[f"{name}_scale"], arrays[f"{name}_zero_point"]
        whole = (arrays[f"{name}_quantized"].astype("float32") - zero) * scale
        return torch.from_numpy(whole.astype("float32"))

    state = {
        name: torch.from_numpy(array.copy())
        for name, array in arrays.items()
        if name.startswith(("bert.", "spans.")) and name.endswith((".weight", ".bias", ".scale"))
    }
    for name in arrays:
        if name.startswith("bert.embeddings.") and name.endswith("_quantized"):
            state[name.removesuffix("_quantized")] = full(name.removesuffix("_quantized"))
    layers = 0
    for node in graph.node:
        if node.op_type == "QAttention":
            prefix = f"bert.encoder.layer.{layers}.attention.self"
            weights = full(node.input[1].removesuffix("_quantized")).chunk(3, dim=1)
            biases = torch.from_numpy(arrays[node.input[2]].copy()).chunk(3)
            for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
                state[f"{prefix}.{part}.weight"] = weight.T
                state[f"{prefix}.{part}.bias"] = bias
            layers += 1
        elif node.op_type == "MatMulInteger":
            # /bert/encoder/layer.0/output/dense/MatMul_output_0_output_quantized
            place = node.output[0].split("/MatMul")[0].strip("/").replace("/", ".")
            state[f"{place}.weight"] = full(node.input[1].removesuffix("_quantized")).T
        elif node.op_type == "MatMul" and APART in node.name:
            place = node.name.removesuffix("/MatMul").strip("/").replace("/", ".")
            state[f"{place}.weight"] = torch.from_numpy(arrays[node.input[1]].copy()).T
    missing, unknown = model.load_state_dict(plain(state), strict=False)
    missing = [name for name in missing if "pooler" not in name and "position_ids" not in name]
    if missing or unknown:
        raise ValueError(f"{file}: this is no reader of ours; {[*missing, *unknown]}")


def average(model: SpanModel, start: Path, keep: float) -> None:
    """Bring the model's weights by a share of `keep` back to those of the reader in `start`.

    The model has to have learned on from that file: easing puts the neurons in an order of its own.
    """
    before = new_model()
    start_from(before, start / "reader.onnx")
    known = before.state_dict()
    model.load_state_dict(
        {
            name: torch.lerp(value, known[name], keep) if value.is_floating_point() else value
            for name, value in model.state_dict().items()
        }
    )


class TeacherModel(SpanModel):
    """MPNet under the reader's head. Takes the reader's token ids and scores the same tokens.

    The two vocabularies hold the same words; `numbers` gives each its number in MPNet's.
    """

    def __init__(self, mpnet: Any, numbers: torch.Tensor) -> None:
        super().__init__(mpnet)
        self.numbers: torch.Tensor
        self.register_buffer("numbers", numbers)

    def words(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """What it makes of each token: (batch, tokens, size). MPNet knows no token types."""
        words: torch.Tensor = self.bert(self.numbers[input_ids], attention_mask).last_hidden_state
        return words


class Likeness(torch.nn.Module):
    """How well a teacher's words can be told from a reader's, by one linear map.

    A reader that takes in what its teacher makes of every token learns more of a window than from
    two scores a token (after Jiao et al. 2020, TinyBERT, here the last layer alone).
    """

    def __init__(self, size: int, taught_size: int) -> None:
        super().__init__()
        self.told = torch.nn.Linear(size, taught_size)
        self.mean: torch.Tensor
        self.spread: torch.Tensor
        self.register_buffer("mean", torch.zeros(taught_size))
        self.register_buffer("spread", torch.ones(taught_size))

    def fit(self, words: torch.Tensor, taught: torch.Tensor) -> None:
        """Begin with the best map of `words`, (tokens, size), to `taught`: least squares."""
        self.mean, self.spread = taught.mean(0), taught.std(0)
        with_one = torch.nn.functional.pad(words, (0, 1), value=1.0)
        square = with_one.T @ with_one + torch.eye(with_one.shape[1])
        best = torch.linalg.solve(square, with_one.T @ ((taught - self.mean) / self.spread))
        with torch.no_grad():
            self.told.weight.copy_(best[:-1].T)
            self.told.bias.copy_(best[-1])

    def forward(self, words: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        """The share of what `taught` varies by that `words` do not tell: a number, best 0."""
        apart = self.told(words) - (taught - self.mean) / self.spread
        share: torch.Tensor = apart.square().mean()
        return share


def new_teacher(folder: Path) -> TeacherModel:
    """The teacher before training, of the folder of all-mpnet-base-v2 (Apache 2.0).

    Raises OnRecordError where the folder holds another model or none.
    """
    from transformers import MPNetModel

    try:
        words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        theirs = {word: number for number, word in enumerate(words)}
        ours = sorted(tokenizer().get_vocab().items(), key=operator.itemgetter(1))
        numbers = [theirs[IN_MPNET.get(word, word)] for word, _ in ours]
        mpnet = MPNetModel.from_pretrained(folder, add_pooling_layer=False)
    except (OSError, ValueError, KeyError) as error:
        raise OnRecordError(
            f"{folder}: this is not the folder of all-mpnet-base-v2 ({error}); name another."
        ) from error
    return TeacherModel(mpnet, torch.tensor(numbers))
