"""One contract for every reader; and how the evidence for a span is weighed.

A reader that joins READERS inherits the contract.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reader import Passage, Reader, Sentence, Span
from app.reader.evidence import (
    FIRST,
    MARGIN,
    MARGIN_ALONE,
    Evidence,
    EvidenceReader,
    Weights,
    lead,
    ranking,
    sentence_of,
)
from app.reader.span import MODEL, SpanReader
from index.errors import OnRecordError
from tests.app.reader.conftest import CLOSE, OPEN, passage, small_model
from tests.fakes import BagOfWords, OverlapReader
from tests.picker import SentencePicker

WEIGHTS = Weights(
    ranking=Evidence(0.5, 4.0, 1.0, -1.0, 2.0, 2.0, 1.0),
    answering=Evidence(0.5, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    lead=0.5,
    bias=-2.0,
)


@cache
def shipped() -> SpanReader:
    return SpanReader.open(threads=2)


READERS: dict[str, Callable[[], Reader]] = {
    "picker": lambda: SentencePicker(BagOfWords()),
    "evidence": lambda: EvidenceReader(OverlapReader(), WEIGHTS),
    "shipped": shipped,
}
PARAMETERS = [
    pytest.param(make, id=name, marks=[pytest.mark.model] if name == "shipped" else [])
    for name, make in READERS.items()
]


@pytest.fixture(params=PARAMETERS)
def reader(request: pytest.FixtureRequest) -> Reader:
    made: Reader = request.param()
    return made


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


# --- How the evidence is weighed -------------------------------------------------------------


def weighed(**ranking: float) -> EvidenceReader:
    """A reader by one kind of evidence, over the words that question and sentence share."""
    nothing = dict.fromkeys(Evidence.__slots__, 0.0)
    weights = Weights(Evidence(**{**nothing, **ranking}), MARGIN_ALONE.answering, 0.0, 0.0)
    return EvidenceReader(OverlapReader(), weights)


def test_the_sentence_that_answers_comes_first() -> None:
    text = "The bridge is fine. The bridge will cost much. The crew is proud."
    question = "What will it cost?"
    for kind in ("margin", "meaning", "words"):
        ((best, *_),) = weighed(**{kind: 1.0}).read(question, [passage(text, asked=question)])
        assert text[best.start : best.end] == "cost"


def test_of_equal_sentences_the_one_of_the_person_asked_for_comes_first() -> None:
    text = "The pier is safe. The pier is safe."
    said = Passage(text, (Sentence(0, 17, "Ada Okafor"), Sentence(18, 35, "Ben Lindqvist")))
    for question, start in (
        ("What did Okafor say of the pier?", 0),
        ("What did Lindqvist say of the pier?", 18),
    ):
        ((best, *_),) = weighed(speaker=1.0).read(question, [said])
        assert best.start >= start
        assert best.end <= start + 17


def test_the_first_span_has_the_log_odds_and_the_others_are_as_far_behind_as_they_rank() -> None:
    text = "The bridge will cost much. The bridge is fine."
    reader = EvidenceReader(OverlapReader(), WEIGHTS)
    asked = [passage(text)]
    ranked = ranking(WEIGHTS, reader.evidence("What will the bridge cost?", asked))
    ((first, second),) = reader.read("What will the bridge cost?", asked)
    best = ranked[0][1].evidence
    ahead = ranked[0][0] - ranked[1][0]
    assert lead(ranked) == pytest.approx(ahead)
    assert first.score == pytest.approx(-2 + 0.5 * ahead + 0.5 * best.margin + 2 * best.meaning)
    assert second.score == pytest.approx(first.score - ahead)


def test_a_sentence_of_two_passages_is_no_rival_to_itself() -> None:
    text = "The bridge will cost much."
    reader = EvidenceReader(OverlapReader(), WEIGHTS)
    twice = [passage(text), passage(f"{text} The bridge is fine.")]
    ranked = ranking(WEIGHTS, reader.evidence("What will the bridge cost?", twice))
    assert lead(ranked) > 0.1
    alone = ranking(WEIGHTS, reader.evidence("What will the bridge cost?", twice[:1]))
    assert lead(alone) == 0


def test_only_what_may_be_quoted_is_weighed() -> None:
    text = "The pier is safe. The pier is safe."
    told = Passage(text, (Sentence(0, 17, "Ada", False), Sentence(18, 35, "Ben", True)))
    reader = EvidenceReader(OverlapReader(), WEIGHTS)
    found = reader.evidence("Is the pier safe?", [told])
    assert [one.said for one in found] == ["Ben: The pier is safe."]


def test_what_was_found_first_counts_where_that_is_weighed() -> None:
    first, second = passage("The pier."), replace(passage("The pier."), behind=0.3)
    found = weighed(behind=-1.0).evidence("The pier?", [first, second])
    assert [one.evidence.behind for one in found] == [0.0, 0.3]
    better, worse = weighed(behind=-1.0).read("The pier?", [first, second])
    assert better[0].score > worse[0].score


def test_likeness_is_the_passages() -> None:
    near, far = replace(passage("The pier."), likeness=0.8), passage("The pier.")
    found = weighed(likeness=1.0).evidence("The pier?", [far, near])
    assert [one.evidence.likeness for one in found] == [0.0, 0.8]
    worse, better = weighed(likeness=1.0).read("The pier?", [far, near])
    assert better[0].score == pytest.approx(worse[0].score + 0.8)


def test_a_margin_tells_nothing_more_beyond_its_bound() -> None:
    class Sure:
        def read(self, question: str, passages: list[Passage], /) -> list[list[Span]]:
            return [[Span(0, 3, 99.0)], [Span(0, 3, -99.0)]]

    found = EvidenceReader(Sure(), WEIGHTS).evidence("The?", [passage("The end.")] * 2)
    assert [one.evidence.margin for one in found] == [MARGIN, -MARGIN]


def test_where_the_first_passages_answer_clearly_the_others_are_not_read() -> None:
    read: list[str] = []

    class Noting:
        def read(self, question: str, passages: list[Passage], /) -> list[list[Span]]:
            read.extend(passage.text for passage in passages)
            return OverlapReader().read(question, passages)

    texts = ["The bridge will cost much."] + [f"The pier number {n} is safe." for n in range(6)]
    passages = [passage(text, asked="What will the bridge cost?") for text in texts]
    for bias, enough in ((9.0, FIRST), (-9.0, len(texts))):
        read.clear()
        weights = replace(WEIGHTS, bias=bias)
        found = EvidenceReader(Noting(), weights).read("What will the bridge cost?", passages)
        assert read == texts[:enough]
        assert len(found) == len(texts)
        assert found[0]
        assert all(not spans for spans in found[enough:])


def test_a_label_belongs_to_the_sentence_behind_it() -> None:
    text = "Ada: It is late. Ben: It is not."
    first, second = Sentence(5, 16, "Ada"), Sentence(22, 32, "Ben")
    said = Passage(text, (first, second))
    assert sentence_of(said, Span(0, 3, 0.0)) == sentence_of(said, Span(8, 10, 0.0)) == first
    assert sentence_of(said, Span(17, 20, 0.0)) == second
    assert sentence_of(said, Span(32, 33, 0.0)) == second
    assert sentence_of(Passage(text, ()), Span(17, 20, 0.0)) == Sentence(0, 32, None)


# --- The shipped model ----------------------------------------------------------------------------


@pytest.mark.model
def test_what_is_read_beside_a_passage_changes_nothing_in_it() -> None:
    """In int8, values that share a batch share a scale; so a window is read alone."""
    passages = [passage(text) for text in TEXTS.values()]
    question = "Who pays for the bridge?"
    together = shipped().read(question, passages)
    assert together == [shipped().read(question, [one])[0] for one in passages]
    assert together[::-1] == shipped().read(question, passages[::-1])


@pytest.mark.model
def test_the_shipped_reader_opens() -> None:
    text = "The meeting began late. The county pays for the lighthouse. Nobody objected."
    reader = EvidenceReader.open(threads=1)
    ((best, *_),) = reader.read("Who pays for the lighthouse?", [passage(text, None)])
    assert "county" in text[best.start : best.end]


def test_the_shipped_model_is_small_and_has_a_card() -> None:
    assert (MODEL / "reader.onnx").stat().st_size <= 30 * 10**6
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    for part in ("Licence", "Data", "Figures", "Limits", "Train it again"):
        assert f"## {part}" in card
    assert not re.search(r"@[A-Z_]+@", card)


@pytest.mark.model
def test_a_passage_is_read_alike_beside_a_longer_one() -> None:
    """What pads a batch is not read; int8 scales over the whole of it, so only nearly the same."""
    short = passage("The meeting began late. The county pays for the lighthouse.", None)
    long = passage("The weather was fine and the crew was proud of the terminal. " * 9, None)
    (alone,) = shipped().read("Who pays for the lighthouse?", [short])
    beside, _ = shipped().read("Who pays for the lighthouse?", [short, long])
    assert (alone[0].start, alone[0].end) == (beside[0].start, beside[0].end)
    assert alone[0].score == pytest.approx(beside[0].score, abs=1.0)


def spoil(folder: Path, weights: object) -> None:
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**about, "weights": weights}))


@pytest.mark.parametrize(
    "weights",
    [
        None,
        [],
        {},
        {"ranking": {"margin": 1}},
        {"ranking": {}, "answering": {}, "lead": 0},
        {**asdict(WEIGHTS), "ranking": {**asdict(WEIGHTS.ranking), "margin": None}},
        {**asdict(WEIGHTS), "answering": 3},
        {**asdict(WEIGHTS), "lead": float("nan")},
        {**asdict(WEIGHTS), "bias": "much"},
    ],
)
def test_weights_that_do_not_fit_are_told_in_a_sentence(tmp_path: Path, weights: object) -> None:
    small_model(tmp_path)
    spoil(tmp_path, weights)
    with pytest.raises(OnRecordError, match=r"the reader's files are missing or damaged .*install"):
        EvidenceReader.open(threads=1, folder=tmp_path)


def test_weights_that_fit_are_read(tmp_path: Path) -> None:
    small_model(tmp_path)
    spoil(tmp_path, asdict(WEIGHTS))
    reader = EvidenceReader.open(threads=1, folder=tmp_path)
    text = f"So it is. We said {OPEN} eleven {CLOSE}."
    ((best, *_),) = reader.read("How much?", [passage(text)])
    assert text[best.start : best.end] == f"{OPEN} eleven {CLOSE}"


WORDS = st.sampled_from(["Rome", " in ", "Yes. ", "5,000 ", "because ", "\n", "🙂", "\u0301", "橋"])
ANY_TEXT = st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=12).map("".join))


@pytest.mark.parametrize("make", PARAMETERS)
@given(question=ANY_TEXT, texts=st.lists(ANY_TEXT, max_size=3), speaker=st.none() | st.text())
def test_any_question_and_passages(
    make: Callable[[], Reader], question: str, texts: list[str], speaker: str | None
) -> None:
    read_well(make(), question, [passage(text, speaker) for text in texts])
