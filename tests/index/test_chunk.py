"""Chunks: whole sentences, a little of them shared, each text a slice of its transcript."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.chunk import OVERLAP, SIZE, Chunk, chunks, sentence_spans
from index.formats import parse
from index.sentences import Span
from index.transcript import Transcript


def cut(text: str) -> tuple[Transcript, list[Span], list[Chunk]]:
    made = parse(text, "t")
    spans = sentence_spans(made)
    return made, spans, list(chunks(made, spans))


def texts(text: str) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in cut(text)[2]]


def check(text: str) -> None:
    """Every sentence stands whole in a chunk, chunks advance, and share at most OVERLAP."""
    made, spans, found = cut(text)
    for start, end in spans:
        assert any(chunk.start <= start and end <= chunk.end for chunk in found)
        segment = made.segment_at(start)
        assert segment
        assert end <= segment.end
    for chunk in found:
        assert chunk.transcript_id == "t"
        assert 0 <= chunk.start < chunk.end <= len(text)
        inside = [start for start, end in spans if chunk.start <= start and end <= chunk.end]
        assert len(inside) == 1 or chunk.end - chunk.start <= SIZE
    for before, after in pairwise(found):
        assert before.start < after.start
        assert before.end < after.end
        shared = [s for s, e in spans if after.start <= s and e <= before.end]
        assert not shared or before.end - shared[0] <= OVERLAP


def test_the_seed(seed: Transcript) -> None:
    check(seed.text)
    spans = sentence_spans(seed)
    found = list(chunks(seed, spans))
    assert (len(spans), len(found)) == (55, 9)
    assert seed.text[slice(*spans[3])] == (
        "We just spent two and a half hours talking to Vladimir Putin, "
        "and I think some progress has been made."
    )
    assert seed.text[found[0].start : found[0].start + 10] == "TRANSCRIPT"
    assert seed.text[found[-1].end - 14 : found[-1].end] == "own territory."


def test_a_short_transcript_is_one_chunk_with_its_labels() -> None:
    text = "Ann: Hello. How are you?\nBob: Fine.\n"
    assert texts(text) == ["Ann: Hello. How are you?\nBob: Fine."]


def test_a_chunk_that_begins_with_a_turn_takes_in_its_label() -> None:
    turn = "We talked about it " + "and about it " * 40 + "again."
    heads = ["**Ann:** ", "[00:05] **Bob:** ", "Cay (1:02:03)\n"]
    assert texts("\n".join(head + turn for head in heads)) == [head + turn for head in heads]


def test_no_chunk_lies_inside_another() -> None:
    long_sentence = "We talked about it " + "and about it " * 44 + "again."
    text = "Ann: " + "Yes. " * 39 + f"\n[00:00:05] Project Manager: {long_sentence}"
    assert texts(text)[0] == "Ann: " + "Yes. " * 38 + "Yes."
    check(text)


def test_the_sentences_shared_are_whole_and_the_last_ones() -> None:
    sentences = [f"This is sentence number {n:03} of many." for n in range(60)]
    found = texts(" ".join(sentences))
    size = len(sentences[0]) + 1
    held, shared = (SIZE + 1) // size, (OVERLAP + 1) // size
    assert found[0] == " ".join(sentences[:held])
    assert found[1] == " ".join(sentences[held - shared : 2 * held - shared])


def test_a_sentence_longer_than_the_overlap_is_not_shared() -> None:
    sentence = "We talked about it " + "and about it " * 20 + "again."
    found = texts(" ".join([sentence] * 5))
    assert found == [f"{sentence} {sentence}", f"{sentence} {sentence}", sentence]


def test_repeated_words_are_not_looked_up() -> None:
    """langchain's own start index finds the same words said by another (its issue 29884)."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    first = "It was a long day. " * 41 + "Then we agree."
    text = f"{first}\n\nwe agree."
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=SIZE, chunk_overlap=OVERLAP, add_start_index=True
    )
    theirs = splitter.create_documents([text])[-1]
    assert theirs.page_content == "we agree."
    assert theirs.metadata["start_index"] == len(first) - len("we agree.")
    assert cut(text)[1][-1] == (len(first) + 2, len(text))
    assert cut(text)[2][-1].end == len(text)


@pytest.mark.parametrize("unit", ["and then we went to sea ", "abcdefghij"], ids=["spaces", "none"])
def test_one_endless_line(unit: str) -> None:
    check(unit * (100_000 // len(unit)))


TURNS = st.lists(
    st.tuples(
        st.sampled_from(["Ann: ", "[00:05] Bob: ", "**Cay:** ", "", "Dan (1:02)\n"]),
        st.sampled_from(["Yes. ", "We went to sea. ", "no end in sight ", "y" * 300, "« so » "]),
        st.integers(1, 50),
    ),
    min_size=1,
    max_size=5,
)


@given(TURNS)
def test_any_transcript(turns: list[tuple[str, str, int]]) -> None:
    check("\n".join(label + unit * times for label, unit, times in turns))
