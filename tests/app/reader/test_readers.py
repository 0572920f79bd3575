"""One contract for every reader; and what ranks sentences where evidence does.

A reader that joins READERS inherits the contract.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reader import Passage, Reader, Sentence
from app.reader.evidence import EvidenceReader
from index.sentences import sentences
from tests.fakes import BagOfWords


def passage(text: str, speaker: str | None = "Ada Okafor") -> Passage:
    return Passage(text, tuple(Sentence(a, b, speaker) for a, b in sentences(text)))


READERS: dict[str, Callable[[], Reader]] = {"evidence": lambda: EvidenceReader(BagOfWords())}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Reader:
    return READERS[request.param]()


# --- The contract of every reader -------------------------------------------------------------

LONG = " ".join(f"Answer number {n} of them all is {n * n}." for n in range(400))
TEXTS = {
    "plain": "The bridge will cost eleven million. Who pays for it? Nobody knows.",
    "one word": "Yes.",
    "control characters": "The \0 bridge \x07 will\x1b[31m cost \r\v eleven \x7f\u2028 million.",
    "emoji": "Eleven 🙂 million 👩‍👩‍👧 for the 🇸🇪 bridge. 🙂🙂🙂",
    "right to left": "\u202bسيكلف الجسر أحد عشر مليونا.\u202c הגשר יעלה אחד עשר מיליון.",
    "combining marks": "Z\u0308o\u0308e\u0301 pays. Ü\u0301ber-Åse pays not.",
    "no sentence ends": "uh the bridge eleven million " * 40,
    "no space": "eleven" * 1_700,
    "no space, no alphabet": "橋は千百万です" * 1_500,
    "long": LONG,
    "marks only": "?!... — ««»» \"\" ''",
}
QUESTIONS = [
    "Who pays?",
    "When is it?",
    "Where is the bridge?",
    "How many answers?",
    "Why eleven?",
    "What?",
    "橋はいくらですか",
    "word " * 399,
]


def read_well(reader: Reader, question: str, passages: list[Passage]) -> None:
    """Read, and check all that a reader promises."""
    found = reader.read(question, passages)
    assert len(found) == len(passages)
    for each, spans in zip(passages, found, strict=True):
        for span in spans:
            assert 0 <= span.start < span.end <= len(each.text)
            assert math.isfinite(span.score)
        scores = [span.score for span in spans]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question[:12])
def test_every_text_is_read(reader: Reader, question: str) -> None:
    passages = [passage(text) for text in TEXTS.values()]
    read_well(reader, question, passages)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_without_sentences_is_read(reader: Reader, text: str) -> None:
    read_well(reader, "Who pays?", [Passage(text, ())])
    read_well(reader, "Who pays?", [Passage(text, (Sentence(0, len(text), None),))])


def test_without_passages_there_is_nothing(reader: Reader) -> None:
    assert reader.read("Who pays?", []) == []


def test_an_empty_passage_has_no_answer(reader: Reader) -> None:
    assert reader.read("Who pays?", [Passage("", ())]) == [[]]
    empty = [Passage("", ()), passage("The county pays."), Passage(" \n", ())]
    first, second, third = reader.read("Who pays?", empty)
    assert (first, third) == ([], [])
    assert len(second) >= 1


def test_reading_again_gives_the_same(reader: Reader) -> None:
    passages = [passage(text) for text in TEXTS.values()]
    assert reader.read("Who pays?", passages) == reader.read("Who pays?", passages)


# --- What speaks for a sentence -------------------------------------------------------------------


def test_the_sentence_that_answers_comes_first() -> None:
    text = "The weather was fine. The bridge will cost eleven million. The crew is proud."
    reader = EvidenceReader(BagOfWords())
    ((best, *_),) = reader.read("How much will the bridge cost?", [passage(text)])
    assert text[best.start : best.end] == "eleven million"


def test_of_equal_sentences_the_one_of_the_person_asked_for_comes_first() -> None:
    text = "The pier is safe. The pier is safe."
    said = Passage(text, (Sentence(0, 17, "Ada Okafor"), Sentence(18, 35, "Ben Lindqvist")))
    reader = EvidenceReader(BagOfWords())
    for question, start in (("What did Okafor say?", 0), ("What did Lindqvist say?", 18)):
        ((best, *_),) = reader.read(question, [said])
        assert best.start == start


def test_a_sentence_is_embedded_once_over_many_questions() -> None:
    embedder = BagOfWords()
    reader = EvidenceReader(embedder)
    for question in ("Who pays?", "Who pays for it?", "Where?"):
        reader.read(question, [passage("The county pays. The town does not.")])
    of_the_passage = [text for text in embedder.embedded if "county" in text or "town" in text]
    assert of_the_passage
    assert len(of_the_passage) == len(set(of_the_passage))


WORDS = st.sampled_from(["Rome", " in ", "Yes. ", "5,000 ", "because ", "\n", "🙂", "\u0301", "橋"])
ANY_TEXT = st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=12).map("".join))


@pytest.mark.parametrize("make", READERS.values(), ids=READERS.keys())
@given(question=ANY_TEXT, texts=st.lists(ANY_TEXT, max_size=3), speaker=st.none() | st.text())
def test_any_question_and_passages(
    make: Callable[[], Reader], question: str, texts: list[str], speaker: str | None
) -> None:
    read_well(make(), question, [passage(text, speaker) for text in texts])
