"""Chunks: windows over the sentences, whose texts are exactly the transcript's."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_text_splitters import RecursiveCharacterTextSplitter

from index.chunk import OVERLAP, SIZE, Chunk, chunks, sentence_spans
from index.formats import parse
from index.sentences import LONGEST
from tests.fixtures.transcripts import MEETING, REPORT

LONGEST_LABEL = 80


def windows(text: str) -> list[Chunk]:
    transcript = parse(text, "t")
    return list(chunks(transcript, sentence_spans(transcript)))


def texts(text: str) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in windows(text)]


def test_a_short_transcript_is_one_chunk_with_the_label_of_its_first_turn() -> None:
    assert texts(MEETING) == [MEETING.strip()]


def test_a_chunk_of_a_report_leaves_out_the_quotation_mark_in_front() -> None:
    assert texts('"We have won the big game."\nThat was all.\n') == [
        'We have won the big game."\nThat was all.'
    ]


def test_a_window_that_begins_with_a_turn_begins_with_its_label() -> None:
    words = "we shall see what comes of it all, " * 16 + "and that is that."
    turns = [f"[00:01] Ada Okafor: {words}", f"[00:31] Ben: {words}", f"**Cleo:** {words}"]
    assert texts("\n".join(turns)) == turns


def test_no_window_lies_inside_another() -> None:
    long = "We talked about it " + "and about it " * 44 + "again."
    text = "Ann: " + "Yes. " * 39 + f"\n[00:00:05] Project Manager: {long}\n"
    found = windows(text)
    assert (found[0].start, found[-1].end) == (0, len(text) - 1)
    assert [chunk.end for chunk in found] == sorted({chunk.end for chunk in found})


def test_windows_overlap_by_whole_sentences() -> None:
    text = "".join(f"This is sentence number {n:04} of the long report. " for n in range(100))
    found = windows(text)
    assert len(found) > 5
    for one, following in pairwise(found):
        assert one.start < following.start < one.end < following.end
        assert 0 < one.end - following.start <= OVERLAP
        assert text[following.start :].startswith("This is sentence")


SENTENCES = st.lists(
    st.one_of(
        st.sampled_from(["Yes.", "No!", "It went well, I think.", "Really?"]),
        st.integers(1, 150).map(lambda n: "word " * n + "end."),
        st.integers(1, 2 * LONGEST).map(lambda n: "x" * n),
    ),
    min_size=1,
    max_size=12,
)
TRANSCRIPTS = st.one_of(
    st.lists(
        st.tuples(st.sampled_from(["Ada", "Ben Hale"]), SENTENCES), min_size=2, max_size=8
    ).map(lambda turns: "".join(f"{name}: {' '.join(words)}\n" for name, words in turns)),
    SENTENCES.map("\n".join),
    SENTENCES.map(" ".join),
    st.just(REPORT),
)


# The next sentence fits behind the shared one, but not with the label in front of that.
@example(f"Ada: Yes.\nAda: {'word ' * 39}end. {'word ' * 119}end.\n")
@given(TRANSCRIPTS)
def test_windows_cover_every_sentence_and_are_not_too_long(text: str) -> None:
    transcript = parse(text, "t")
    spans = sentence_spans(transcript)
    found = list(chunks(transcript, spans))
    for chunk in found:
        assert chunk.transcript_id == "t"
        assert 0 <= chunk.start < chunk.end <= len(text)
        assert chunk.end - chunk.start <= max(SIZE, LONGEST + LONGEST_LABEL)
    for start, end in spans:
        assert any(chunk.start <= start and end <= chunk.end for chunk in found)
    for one, following in pairwise(found):
        assert one.start < following.start
        assert one.end < following.end
        assert one.end - following.start <= OVERLAP + LONGEST_LABEL


@given(TRANSCRIPTS)
def test_sentences_lie_each_in_one_segment(text: str) -> None:
    transcript = parse(text, "t")
    for start, end in sentence_spans(transcript):
        segment = transcript.segment_at(start)
        assert segment
        assert end <= segment.end


def test_no_sentences_no_chunks() -> None:
    assert list(chunks(parse(MEETING, "t"), [])) == []


@pytest.mark.parametrize("words", ["Yes. ", "chunk "])
def test_the_splitters_own_offsets_are_wrong_where_ours_are_right(words: str) -> None:
    """langchain#29884: with an overlap `add_start_index` finds repeated words too early.

    If the first assertion fails one day, the splitter was mended; ours need not change.
    """
    text = words * 400
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=len(words), chunk_overlap=len(words), separators=[" ", ""], add_start_index=True
    )
    theirs = [document.metadata["start_index"] for document in splitter.create_documents([text])]
    assert len(theirs) == 400
    assert theirs != sorted(set(theirs))

    ours = windows(text)
    assert [chunk.start for chunk in ours] == sorted({chunk.start for chunk in ours})
    assert all(chunk.start % len(words) == 0 for chunk in ours)
    assert ours[-1].end == len(text.rstrip())
