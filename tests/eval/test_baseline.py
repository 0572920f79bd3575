"""The trained reader against the picker that was before it, on the questions of development."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.answer import Answerer
from app.assemble import open_parts
from app.reader import Reader
from app.settings import Settings
from eval.metrics import f1, mean
from eval.questions import load
from tests.picker import SentencePicker


@pytest.mark.model
def test_the_trained_reader_marks_the_answering_words_better(seed_index: Path) -> None:
    settings = Settings.from_environment(index=seed_index)
    parts = open_parts(settings)
    questions = [q for q in load("seed") if q.split == "dev" and q.answerable and not q.multi]

    def f1_of(reader: Reader) -> float:
        answerer = Answerer(parts.folder, parts.retriever, reader, settings.policy)
        answers = [answerer.ask(question.question) for question in questions]
        words = [(*found.quotes, *found.nearest)[0].answer for found in answers]
        golds = [[gold.text for gold in question.golds] for question in questions]
        return mean([f1(said, its) for said, its in zip(words, golds, strict=True)]) or 0.0

    assert f1_of(parts.reader) > f1_of(SentencePicker(parts.embedder)) > 0.3
