"""Hybrid retrieval: scores weighed, and searches kept to a transcript or to a speaker's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from index.embed import DEFAULT_MODEL, open_embedder
from index.retrieve import HybridRetriever, Query
from index.store import Vectors
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING, REPORT

FILLER = "It rained a little more. " * 35
LONG = (
    f"Ada: The harbour was on the table again, until late. {FILLER}\n"
    f"Ben: The windmill is what we spoke of. {FILLER}\n"
    f"Ada: The railway is to be sold. {FILLER}\n"
)
TEXTS = {"long": LONG, "meeting": MEETING, "report": REPORT}


@pytest.fixture
def retriever(shelf: Shelf) -> HybridRetriever:
    for name, text in TEXTS.items():
        shelf.write(f"{name}.txt", text)
    shelf.build_all()
    folder = shelf.open()
    return HybridRetriever(folder, shelf.embedder)


def texts(retriever: HybridRetriever, query: Query) -> list[str]:
    """The texts of the chunks found, best first."""
    chunks = [hit.chunk for hit in retriever.retrieve(query, 9)]
    return [TEXTS[chunk.transcript_id][chunk.start : chunk.end] for chunk in chunks]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Who spoke of the windmill?", "Ben: The windmill is what we spoke of."),
        ("Is the railway to be sold?", "Ada: The railway is to be sold."),
        ("What will the bridge cost?", "The bridge will cost eleven million"),
        ("Are the crew proud of the terminal?", "We are very proud of it."),
    ],
)
def test_the_chunk_that_speaks_of_it_comes_first(
    retriever: HybridRetriever, question: str, words: str
) -> None:
    assert words in texts(retriever, Query(question))[0]


def test_k_is_the_most(retriever: HybridRetriever) -> None:
    assert [len(retriever.retrieve(Query("the harbour"), k)) for k in (1, 2, 3)] == [1, 2, 3]


def test_scores_fall(retriever: HybridRetriever) -> None:
    scores = [hit.score for hit in retriever.retrieve(Query("the harbour bridge"), 9)]
    assert scores == sorted(scores, reverse=True)


def test_one_transcript_only(retriever: HybridRetriever) -> None:
    hits = retriever.retrieve(Query("What will the bridge cost?", transcript_id="report"), 9)
    assert {hit.chunk.transcript_id for hit in hits} == {"report"}


def test_one_speakers_words_only(retriever: HybridRetriever) -> None:
    begin, end = LONG.index("Ben"), LONG.index("Ada: The railway")
    chunks = [hit.chunk for hit in retriever.retrieve(Query("the railway", speaker="Ben"), 9)]
    assert chunks
    for chunk in chunks:
        assert chunk.transcript_id == "long"
        assert chunk.start < end
        assert begin < chunk.end
    assert len(chunks) < len(texts(retriever, Query("the railway", "long")))
    assert retriever.retrieve(Query("the windmill", "report", "Ben"), 9) == []


@pytest.mark.parametrize("question", ["?", "the of and", "字", "\u202e", "'\"; --"])
def test_a_question_without_words_is_answered_by_the_vectors_alone(
    retriever: HybridRetriever, question: str
) -> None:
    assert len(retriever.retrieve(Query(question), 3)) == 3


def test_a_chunk_found_by_its_words_alone_has_its_likeness(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in TEXTS.items():
        shelf.write(f"{name}.txt", text)
    shelf.build_all()
    folder = shelf.open()
    whole = HybridRetriever(folder, shelf.embedder)
    question = Query("Who spoke of the windmill and the bridge?")
    likeness = {hit.chunk: hit.likeness for hit in whole.retrieve(question, 99)}
    assert 0 < max(likeness.values()) <= 1.0001

    store = folder.store()

    class Shallow:
        """A store that finds one chunk, unless it is told which to look at."""

        def search(self, vector: Vectors, k: int, allowed: Sequence[int] | None) -> Any:
            return store.search(vector, k if allowed is not None else 1, allowed)

    monkeypatch.setattr(folder, "store", Shallow)
    monkeypatch.setattr("index.retrieve.DEPTH", 1)
    found = HybridRetriever(folder, shelf.embedder).retrieve(question, 99)
    assert len(found) > 1
    assert {hit.chunk: hit.likeness for hit in found}.items() <= likeness.items()


def test_a_hit_has_its_sentences_and_how_near_they_are(retriever: HybridRetriever) -> None:
    (hit, *_) = retriever.retrieve(Query("What will the bridge cost?"), 9)
    text = TEXTS[hit.chunk.transcript_id]
    assert all(hit.chunk.start <= near.start < near.end <= hit.chunk.end for near in hit.sentences)
    nearest = max(hit.sentences, key=lambda near: near.likeness)
    assert "bridge" in text[nearest.start : nearest.end]


def test_the_words_count_as_much_as_they_are_told_to(shelf: Shelf) -> None:
    for name, text in TEXTS.items():
        shelf.write(f"{name}.txt", text)
    shelf.build_all()
    folder = shelf.open()
    question = Query("Who spoke of the windmill and the bridge?")
    (without, *_) = HybridRetriever(folder, shelf.embedder, words=0.0, vouching=0.0).retrieve(
        question, 9
    )
    assert without.score == pytest.approx(without.likeness)
    for hit in HybridRetriever(folder, shelf.embedder, words=0.0, vouching=2.0).retrieve(
        question, 9
    ):
        best = max(near.likeness for near in hit.sentences)
        assert hit.score == pytest.approx(hit.likeness + 2 * best)


# --- What is hard to search -----------------------------------------------------------------------


def test_ten_thousand_sentences_that_are_alike_are_embedded_once(shelf: Shelf) -> None:
    shelf.write("alike.txt", "Ada: Yes.\nBen: No.\n" * 5_000)
    shelf.write("meeting.txt", MEETING)
    shelf.build_all()
    assert len(shelf.embedder.embedded) == len(set(shelf.embedder.embedded)) < 100
    retriever = HybridRetriever(shelf.open(), shelf.embedder)
    (first, *_) = retriever.retrieve(Query("What will the bridge cost?"), 9)
    assert first.chunk.transcript_id == "meeting"
    (alike, *_) = retriever.retrieve(Query("Yes or no?"), 9)
    assert alike.chunk.transcript_id == "alike"


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> HybridRetriever:
    """The real model over a meeting, a turn of nothing but fillers, and a talk in German."""
    shelf = Shelf(tmp_path_factory.mktemp("spoken"))
    shelf.embedder = open_embedder(DEFAULT_MODEL, threads=2)
    shelf.write("meeting.txt", MEETING)
    shelf.write("fillers.txt", "Ada: Um. Uh, hm. Mm-hmm. Yeah, um.\nBen: Uh. Mm. Okay. Um, so.\n")
    shelf.write(
        "rathaus.txt",
        "Anna: Die Fähre nach Norderney fährt erst im April wieder.\n"
        "Bernd: Der Hafenmeister hat das gestern bestätigt.\n",
    )
    shelf.build_all()
    return HybridRetriever(shelf.open(), shelf.embedder)


@pytest.mark.model
@pytest.mark.parametrize(
    ("question", "transcript"),
    [
        ("How expensive is the crossing going to be?", "meeting"),
        ("Wann fährt die Fähre nach Norderney wieder?", "rathaus"),
        ("Norderney Fähre", "rathaus"),
        ("What will the bridge cost? " + "And who said so, and why? " * 80, "meeting"),
    ],
    ids=["in other words", "another language", "its words alone", "longer than the window"],
)
def test_the_real_model_finds_it(spoken: HybridRetriever, question: str, transcript: str) -> None:
    hits = spoken.retrieve(Query(question), 3)
    assert hits[0].chunk.transcript_id == transcript
    assert len(hits) == 3
