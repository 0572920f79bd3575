"""From a sentence to the words that answer, by kind of question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chunk import sentence_spans
from index.transcript import Transcript
from tests.picker.narrow import Kind, holds, kind_of, narrow

KINDS: list[Kind] = ["who", "when", "where", "how_many", "why", "what"]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How long did Trump and Putin talk?", "how_many"),
        ("How many people died?", "how_many"),
        ("What percentage agreed?", "how_many"),
        ("When did the talks break off?", "when"),
        ("On which day did they meet?", "when"),
        ("Where did they meet?", "where"),
        ("What venues are possible?", "where"),
        ("Why was Amnesty banned?", "why"),
        ("What is the reason for it?", "why"),
        ("Who called whom?", "who"),
        ("Which leader was briefed?", "who"),
        ("What did Putin say?", "what"),
        ("WHY?", "why"),
        ("Was sagte Putin?", "what"),
        ("Did the whole show end somewhere?", "what"),
    ],
)
def test_kinds(question: str, kind: str) -> None:
    assert kind_of(question) == kind


def answer(question: str, sentence: str) -> str:
    start, end = narrow(question, kind_of(question), sentence, (0, len(sentence)))
    return sentence[start:end]


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("How long did they talk?",
         "We just spent two and a half hours talking.", "two and a half hours"),
        ("How many people were killed?",
         "5,000 young people every single week are being killed.", "5,000 young people"),
        ("How much will it cost?", "It will cost $3.5 million.", "$3.5 million"),
        ("When did it break off?", "It broke off back in 2022.", "back in 2022"),
        ("When do they meet?", "They meet on Monday, in Rome.", "on Monday"),
        ("When was he briefed?", "He was briefed both before and after the call.",
         "both before and after the call"),
        ("Where do they meet?", "They meet in Rome or New York.", "Rome or New York"),
        ("Where was the meeting?", "He said that Trump met him in Istanbul.", "Istanbul"),
        ("Where will they build?", "Ada will build in the North of Spain.", "the North of Spain"),
        ("Why was it banned?", "It was banned, citing its support for Ukraine.",
         "its support for Ukraine"),
        ("Why does the county pay?", "It pays because the harbour belongs to it.",
         "the harbour belongs to it"),
        ("Who was thanked?", "He thanked the President of the United States.",
         "the President of the United States"),
        ("Who opened it?", "Jane Doe opened it.", "Jane Doe"),
        ("What was said of the call?", "Mr Ushakov added that the call ended warmly.",
         "the call ended warmly"),
        ("What will happen?", "I think something is going to happen.",
         "something is going to happen"),
        ("How many came?", "It was a feast; 5,000 young people came.", "5,000 young people"),
        ("Who was it?", "It was Ada Okafor who called.", "Ada Okafor"),
        ("When was it?", "It was closed after the flood, they say.", "after the flood"),
        ("When was it?", "Thereafter the pier was closed in 2019.", "in 2019"),
        ("Who paid?", "More than Europe paid.", "Europe"),
        ("What was it?", "And very important.", "very important"),
        ("What?", "?!", "?!"),
        ("What was said?", "Yes.", "Yes"),
    ],
)  # fmt: skip
def test_the_answering_words(question: str, sentence: str, words: str) -> None:
    assert answer(question, sentence) == words


def test_what_the_question_says_already_is_no_answer() -> None:
    assert answer("Who met Jane Doe?", "Jane Doe met Tom Hale.") == "Tom Hale"


def test_the_place_is_in_the_text_not_in_the_sentence() -> None:
    text = "In Rome. They meet in Rome. In Rome."
    start, end = narrow("Where do they meet?", "where", text, (9, 27))
    assert (start, end, text[start:end]) == (22, 26, "Rome")


@pytest.mark.parametrize(
    ("kind", "sentence", "has"),
    [
        ("how_many", "Eleven million people, or 11.", 1.0),
        ("how_many", "Nobody knows.", 0.0),
        ("where", "They meet in Rome.", 1.0),
        ("where", "They meet that Thursday.", 0.0),
        ("why", "Because it rains, they stay.", 0.0),
        ("why", "They stay because it rains.", 1.0),
        ("what", "They stay because it rains.", 0.0),
    ],
)
def test_holds(kind: Kind, sentence: str, has: float) -> None:
    assert holds(kind, "What of it?", sentence) == has


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_cut(kind: Kind, seed: Transcript) -> None:
    for place in sentence_spans(seed):
        start, end = narrow("What of it?", kind, seed.text, place)
        around = seed.text[start - 1 : start + 1], seed.text[end - 1 : end + 1]
        assert not any(len(edge) == 2 and edge.isalnum() for edge in around), seed.text[start:end]


PIECES = st.sampled_from(
    ["in ", "Rome", " and ", "2022", "because ", "the ", "half ", "one ", "before ", ", ", ". ",
     "A", " said that ", "I think ", "And ", "$", "%", "字", "\n", "x", "So, "]
)  # fmt: skip


@given(
    st.sampled_from(KINDS),
    st.one_of(st.text(min_size=1), st.lists(PIECES, min_size=1).map("".join)),
    st.text(),
)
def test_the_words_are_inside_the_sentence(kind: Kind, sentence: str, question: str) -> None:
    text = f"Before. {sentence} After."
    start, end = narrow(question, kind, text, (8, 8 + len(sentence)))
    assert 8 <= start < end <= 8 + len(sentence)
    assert holds(kind, question, sentence) in (0.0, 1.0)
