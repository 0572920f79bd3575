"""One contract, every reader; the words that a sentence is narrowed to; what ranks sentences.

A reader that joins READERS inherits the contract.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from app.assemble import seeds_folder
from app.question import kind_of
from app.reader import Passage, Reader, Sentence
from app.reader.evidence import EvidenceReader
from app.reader.narrow import holds, narrow
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


# --- From a sentence to the words that answer -----------------------------------------------------


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("Who called?", "It was Ada Okafor who called.", "Ada Okafor"),
        (
            "Who was there?",
            "Okafor, Bo Lindqvist and the Mayor.",
            "Okafor, Bo Lindqvist and the Mayor",
        ),
        ("When was it?", "It was closed in March 2019 for good.", "in March 2019"),
        ("When was it?", "It was closed after the flood, they say.", "after the flood"),
        ("When will it open?", "It opens tomorrow.", "tomorrow"),
        ("Where was it?", "They met in Kyiv.", "Kyiv"),
        ("Where did they meet?", "They met near Lake Vänern and Oslo.", "Lake Vänern and Oslo"),
        ("How many came?", "Over four hundred guests came.", "four hundred guests"),
        ("How many came?", "It was a feast; 5,000 young people came.", "5,000 young people"),
        ("How much is it?", "It costs about $11,500.50, tax and all.", "about $11,500.50"),
        ("How long did it last?", "It took two and a half hours.", "two and a half hours"),
        ("Why was it closed?", "It was closed because the pier was rotten.", "the pier was rotten"),
        ("Why was it closed?", "It was closed, citing its age.", "its age"),
        # Nothing of the kind is in it: the sentence without what leads in to it.
        ("What did he say?", "He said that the pier was rotten.", "the pier was rotten"),
        ("What did he say?", "And Lindqvist added the pier is safe.", "the pier is safe"),
        ("What is it?", "But it is a pier!", "it is a pier"),
        ("Why?", "It is closed.", "It is closed"),
        # What the question says itself is no answer to it.
        ("Who called Okafor?", "Okafor was called by Lindqvist.", "Lindqvist"),
        ("Where in Kyiv?", "They met in Kyiv, at Maidan.", "Maidan"),
        ("What?", "?!", "?!"),
    ],
)
def test_narrow(question: str, sentence: str, words: str) -> None:
    before = "Once upon a time. "
    text = before + sentence + " And 3 more in Rome."
    place = (len(before), len(before) + len(sentence))
    start, end = narrow(question, kind_of(question), text, place)
    assert text[start:end] == words


@pytest.mark.parametrize("question", QUESTIONS[:6])
def test_narrowing_cuts_no_word(question: str) -> None:
    (seed,) = seeds_folder().glob("trump*.txt")
    text = seed.read_text(encoding="utf-8")
    for place in sentences(text):
        start, end = narrow(question, kind_of(question), text, place)
        assert place[0] <= start < end <= place[1]
        around = text[start - 1 : start + 1], text[end - 1 : end + 1]
        assert not any(len(edge) == 2 and edge.isalnum() for edge in around), text[start:end]


@pytest.mark.parametrize(
    ("question", "sentence", "held"),
    [
        ("Who called?", "It was Ada Okafor.", 1.0),
        ("Who called?", "It was somebody.", 0.0),
        ("Who called?", "Then.", 0.0),
        ("Who is Ada Okafor?", "It was Ada Okafor.", 0.0),
        ("When was it?", "It was in 2019.", 1.0),
        ("When was it?", "It was not.", 0.0),
        ("Where was it?", "It was in Kyiv.", 1.0),
        ("Where was it?", "It was in print.", 0.0),
        ("How many?", "There were 12.", 1.0),
        ("How many?", "There were none.", 0.0),
        ("Why was it?", "It was so because it was late.", 1.0),
        ("Why was it?", "It was so.", 0.0),
        ("What was it?", "It was in Kyiv in 2019.", 0.0),
    ],
)
def test_holds(question: str, sentence: str, held: float) -> None:
    assert holds(kind_of(question), question, sentence) == held


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
