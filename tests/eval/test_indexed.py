"""What is indexed, tried: each way shows what its name says, and the first does as the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.assemble import open_parts
from app.settings import Settings
from eval.indexed import (
    WAYS,
    Searched,
    Way,
    just_asked,
    rankings,
    titled,
    who_speaks,
    words_alone,
)
from eval.retrieval import Collected, Search, found
from eval.system import index_of
from index.build import spoken
from index.chunk import chunks, sentence_spans
from index.formats import parse
from tests.fakes import BagOfWords
from tests.fixtures.transcripts import MEETING

PIER = "Ada: The pier is closed until the spring.\nBen: The storm took it."
SMALL = {"size": 80, "overlap": 0}


def searched(way: Way, texts: dict[str, str]) -> Searched:
    transcripts = [parse(text, name) for name, text in texts.items()]
    spans = [sentence_spans(transcript) for transcript in transcripts]
    embedder = BagOfWords()
    said = [spoken(t, span) for t, its in zip(transcripts, spans, strict=True) for span in its]
    return Searched(way, transcripts, spans, embedder.embed_passages(said), embedder)


def test_what_each_way_shows() -> None:
    transcript = parse(PIER, "pier-2026-03-04", source="pier-2026-03-04.txt")
    (whole,) = chunks(transcript, sentence_spans(transcript))
    assert (
        words_alone(transcript, whole) == "The pier is closed until the spring.\nThe storm took it."
    )
    assert who_speaks(transcript, whole) == PIER
    assert titled(transcript, whole) == f"{transcript.title}, 2026-03-04\n{PIER}"
    assert just_asked(transcript, whole) == PIER
    talk = parse("Ada: Is it closed? I ask. Why so?\nBen: It is. The storm took it.", "talk")
    *_, last = chunks(talk, sentence_spans(talk), size=20, overlap=0)
    assert talk.text[last.start : last.end] == "The storm took it."
    assert who_speaks(talk, last) == "Ben: The storm took it."
    assert just_asked(talk, last) == "Why so?\nThe storm took it."


@pytest.mark.usefixtures("fakes")
def test_the_first_way_finds_as_the_program_does(tmp_path: Path) -> None:
    texts = {"meeting": MEETING, "pier": PIER}
    asked = ("What will the bridge cost?", "Who pays for the lighthouse?", "the storm", "Yes")
    searches = [Search(question, (("pier", 0, 4),)) for question in asked]
    parts = open_parts(Settings.from_environment(index=index_of(texts, tmp_path)))
    for given in (
        Collected(texts, searches, whole=True),
        Collected(texts, searches, whole=False),
    ):
        tried = list(rankings(searched(WAYS[0], texts), given, BagOfWords()))
        assert tried == list(found(parts, given, {}))


def test_chunks_beside_a_good_one_gain_where_neighbours_count() -> None:
    texts = {"meeting": MEETING, "pier": PIER}
    given = Collected(texts, [Search("The storm took it", (("pier", 0, 4),))], whole=True)
    plain = searched(Way("plain", **SMALL), texts)
    beside = searched(Way("beside", **SMALL, neighbours=5.0), texts)
    query = BagOfWords().embed_query("The storm took it")
    names = [c.transcript_id for c in beside.find("The storm took it", query, None)]
    last = len([c for c in plain.chunks if c.transcript_id == "pier"])
    assert names[:last] == ["pier"] * last
    assert next(rankings(plain, given, BagOfWords()))[1] == {"pier"}
