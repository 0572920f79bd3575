"""The trained reader against the picker that was before it, on the questions of development."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.answer import Answerer
from app.assemble import open_parts
from app.reader import Reader
from app.settings import Settings
from eval.metrics import mean
from eval.questions import load
from tests.picker import SentencePicker


@pytest.mark.model
def test_the_trained_reader_puts_no_fewer_right_sentences_first(seed_index: Path) -> None:
    settings = Settings.from_environment(index=seed_index)
    parts = open_parts(settings)
    questions = [q for q in load("seed") if q.split == "dev" and q.answerable]

    def right_first(reader: Reader) -> float:
        answerer = Answerer(parts.folder, parts.retriever, reader, settings.policy)
        answers = [(answerer.ask(q.question), q.golds) for q in questions]
        firsts = [((*found.quotes, *found.nearest)[0], golds) for found, golds in answers]
        right = [
            any(quote.start < gold.end and gold.start < quote.end for gold in golds)
            for quote, golds in firsts
        ]
        return mean([float(one) for one in right]) or 0.0

    assert right_first(parts.reader) >= right_first(SentencePicker(parts.embedder)) > 0.5
