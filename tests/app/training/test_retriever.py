"""Training the retriever: what a batch is made of, and that a killed run goes on.

The model is tiny and learns nothing that is worth anything.
"""

from __future__ import annotations

import gzip
import importlib
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.training import retriever
from app.training.retriever import Round, Settings, batches, groups, passes, window_of
from app.training.sets import Row
from index.chunk import SIZE
from index.embed import OnnxEmbedder
from index.errors import OnRecordError
from tests.fakes import BagOfWords

TOPICS = ("bridge", "harbour", "windmill", "railway", "violin", "ferry")


def row(question: str, context: str, answer: str) -> Row:
    start = context.index(answer)
    return Row("speech", "t", question, context, ((start, start + len(answer)),))


def shelf(count: int = 24) -> list[Row]:
    """Rows of which four at a time share a topic, none a passage."""
    return [
        row(
            f"What of the {TOPICS[n % len(TOPICS)]}, number {n}?",
            f"Of the {TOPICS[n % len(TOPICS)]} they said: answer{n}.",
            f"answer{n}",
        )
        for n in range(count)
    ]


class Bag:
    """As much of a SentenceTransformer as `encode` asks for."""

    def encode(self, texts: Sequence[str], **_: object) -> np.ndarray[Any, Any]:
        return BagOfWords().embed_passages(texts)


def test_a_group_is_of_passages_that_are_taken_for_one_another() -> None:
    rows = shelf()
    found = list(groups(rows, Bag(), 4, random.Random(1)))  # type: ignore[arg-type]
    assert sorted(one.question for group in found for one in group) == sorted(
        one.question for one in rows
    )
    topics = [{topic for topic in TOPICS if any(topic in r.question for r in g)} for g in found]
    assert sum(len(its) == 1 for its in topics) >= len(topics) / 2


def test_a_passage_with_the_answer_is_no_negative() -> None:
    same = [
        row("Who pays for the bridge?", "The county pays for the bridge.", "The county"),
        row("What of the bridge?", "the COUNTY pays for the bridge, of course.", "pays"),
        row("Is the bridge red?", "The bridge is red.", "red"),
    ]
    for group in groups(same, Bag(), 3, random.Random(3)):  # type: ignore[arg-type]
        words = [one.context[slice(*one.answers[0])].casefold() for one in group[:1]]
        assert not any(words[0] in other.context.casefold() for other in group[1:])


def test_no_batch_has_a_passage_twice() -> None:
    one, two = shelf(2)
    again = replace(one, question="And once more?")
    found = batches([[one, again], [two], [again, two]], 2)
    assert all(len({r.context for r in batch}) == 2 for batch in found)
    assert found[0] == [one, two]


def test_what_fills_no_batch_is_left_out() -> None:
    assert batches([shelf(5)], 2) == [shelf(5)[:2], shelf(5)[2:4]]


def test_every_row_comes_once_before_any_comes_again() -> None:
    rows = shelf(5)
    drawn = list(passes(rows, 12, random.Random(1)))
    assert [len(its) for its in drawn] == [5, 5, 2]
    assert all(len({r.question for r in its}) == len(its) for its in drawn)


def test_a_window_holds_the_answer_and_begins_with_a_sentence_or_turn() -> None:
    sentences = [f"Ada: sentence {n} of many, with words. Ben: yes, {n}." for n in range(60)]
    context = "\n".join(sentences)
    asked = row("Which?", context, "sentence 31 of")
    for seed in range(40):
        window = window_of(asked, 300, random.Random(seed))
        assert "sentence 31 of" in window
        assert len(window) <= 300
        assert window.startswith(("Ada: ", "Ben: "))
    whole = row("Which?", context, context[: SIZE * 2])
    assert len(window_of(whole, 300, random.Random(1))) == SIZE
    short = row("Who pays?", "The county pays.", "county")
    assert window_of(short, 300, random.Random(1)) == short.context


# --- A run ----------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("train/speech", "dev/speech_dev"):
        path = tmp_path / f"{name}.jsonl.gz"
        path.parent.mkdir()
        with gzip.open(path, "wt", encoding="utf-8") as file:
            for one in shelf():
                (place,) = one.answers
                answers = [{"text": one.context[slice(*place)], "start": place[0]}]
                about = {"title": "t", "context": one.context, "question": one.question}
                file.write(json.dumps({**about, "answers": answers, "answerable": True}) + "\n")
    return tmp_path


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two rounds of six steps of four pairs on a small model."""
    from index.embed import load_transformer, packaged_weights

    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    torch.manual_seed(1)
    small = load_transformer(str(packaged_weights()))
    transformer: Any = small[0]
    transformer.model = transformers.BertModel(
        transformers.BertConfig(
            vocab_size=30522,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
        )
    )
    small.save_pretrained(str(tmp_path / "small"), create_model_card=False)
    new_model = retriever.new_model
    monkeypatch.setattr(
        retriever,
        "new_model",
        lambda place: new_model(tmp_path / "small" if "gt_all" in str(place) else place),
    )
    monkeypatch.setattr(retriever, "SAVE_STEPS", 2)
    monkeypatch.setattr(retriever, "LOG_STEPS", 2)
    rounds = (Round({"speech": 24}, 1e-3), Round({"speech": 24}, 1e-3))
    return Settings(rounds=rounds, batch=4, group=2)


def weights(model: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.model
def test_a_killed_run_goes_on_where_it_was(
    data: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch: Any = importlib.import_module("torch")
    losses: Any = importlib.import_module("sentence_transformers.sentence_transformer.losses")
    whole = weights(retriever.train(data, tmp_path / "whole", settings))
    forward = losses.MultipleNegativesRankingLoss.forward
    steps = 0

    def killed(*arguments: Any, **options: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 10:
            raise KeyboardInterrupt
        return forward(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(losses.MultipleNegativesRankingLoss, "forward", killed)
        with pytest.raises(KeyboardInterrupt):
            retriever.train(data, tmp_path / "killed", settings)
    again = weights(retriever.train(data, tmp_path / "killed", settings))
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    lines = (tmp_path / "killed" / "log.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    assert {(entry["round"], entry["of"]) for entry in logged} == {(1, 6), (2, 6)}


@pytest.mark.model
def test_a_run_does_not_go_on_with_other_settings(
    data: Path, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.json").write_text("{}")
    with pytest.raises(OnRecordError, match="begun with other settings; name another folder"):
        retriever.train(data, tmp_path / "run", settings)


@pytest.mark.model
def test_what_is_exported_embeds_as_the_model_does(settings: Settings, tmp_path: Path) -> None:
    from index.embed import packaged_weights

    model = retriever.new_model(packaged_weights())
    (tmp_path / "run").mkdir()
    retriever.export(model, tmp_path / "run")
    embedder = OnnxEmbedder.open(tmp_path / "run" / "model", threads=1)
    texts = [one.context for one in shelf()] + ["Yes.", "A long one. " * 90]
    theirs = model.encode(texts, normalize_embeddings=True)
    assert embedder.identity.dimension == theirs.shape[1]
    assert (embedder.embed_passages(texts) * theirs).sum(axis=1).min() > 0.95
