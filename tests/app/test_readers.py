"""What every Reader does with odd passages, and each one's own ranking. A new one joins READERS."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reader import Passage, Reader, Sentence, Span
from app.reader.evidence import SPANS_PER_PASSAGE, EvidenceReader
from app.reader.span import MODEL, SpanReader
from index.errors import OnRecordError
from index.sentences import sentences
from tests.fakes import BagOfWords, OverlapReader

HAS_MODEL = (MODEL / "reader.onnx").exists()
needs_model = [
    pytest.mark.model,
    pytest.mark.skipif(not HAS_MODEL, reason="the trained reader is not in app/reader/model"),
]
READERS = [
    pytest.param(OverlapReader, id="OverlapReader"),
    pytest.param(lambda: EvidenceReader(BagOfWords()), id="EvidenceReader"),
    pytest.param(lambda: SpanReader.open(threads=1), id="SpanReader", marks=needs_model),
]
every_reader = pytest.mark.parametrize("make", READERS)


def passage(text: str, speaker: str | None = None) -> Passage:
    return Passage(text, tuple(Sentence(start, end, speaker) for start, end in sentences(text)))


def assert_sound(found: list[list[Span]], passages: list[Passage]) -> None:
    """One list a passage; spans inside it, best first, their scores finite."""
    assert len(found) == len(passages)
    for spans, given_ in zip(found, passages, strict=True):
        for span in spans:
            assert 0 <= span.start < span.end <= len(given_.text)
            assert math.isfinite(span.score)
        assert [s.score for s in spans] == sorted((s.score for s in spans), reverse=True)


FERRY = "Ada: The ferry runs every hour because the county pays for it. Ben: It rains in Rome."
ODD = {
    "empty": "",
    "white space": " \n\t ",
    "control characters": "The ferry\0 runs\x07 every\x1b hour\x7f.",
    "emoji": "The ferry 🚢 runs 👩‍👩‍👧 every hour ⏰.",
    "right to left": "העבורת יוצאת כל שעה. قالت آدا إن العبارة تعمل كل ساعة. \u202eferry\u202c",
    "combining": "Thé férry ru\u0301\u0301ns. İstanbul ﬁrst.",
    "no spaces": "x" * 10_000,
    "no spaces, 字": "渡船每小时一班" * 1_500,
    "longer than the window": "The ferry runs every hour, and it rains. " * 300,
    "one letter": "A",
    "punctuation": "... — !?",
}


@every_reader
@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_odd_passages(make: Callable[[], Reader], text: str) -> None:
    passages = [passage(text), passage(FERRY, "Ada"), passage(text, "字 😀")]
    for question in ("How often does the ferry run?", "字?", "🚢", "ferry " * 300):
        assert_sound(make().read(question, passages), passages)


@every_reader
def test_no_passages(make: Callable[[], Reader]) -> None:
    assert make().read("How often does the ferry run?", []) == []


@every_reader
def test_a_passage_without_sentences(make: Callable[[], Reader]) -> None:
    passages = [Passage("", ()), Passage("...", ())]
    assert_sound(make().read("How often does the ferry run?", passages), passages)


@every_reader
def test_the_passage_that_answers_scores_best(make: Callable[[], Reader]) -> None:
    passages = [passage("It rained in the hills all night long."), passage(FERRY)]
    rain, ferry = make().read("Why does the ferry run every hour?", passages)
    assert ferry
    assert not rain or rain[0].score < ferry[0].score
    best = ferry[0]
    assert 0 < best.start
    assert best.end <= FERRY.index(" Ben:")


@every_reader
def test_the_same_again(make: Callable[[], Reader]) -> None:
    reader, passages = make(), [passage(FERRY), passage(ODD["emoji"])]
    question = "How often does the ferry run?"
    assert reader.read(question, passages) == reader.read(question, passages)


def lists_of_passages() -> st.SearchStrategy[list[Passage]]:
    words = st.sampled_from(["ferry ", "Rome. ", "every hour. ", "\n", "😀", "\u0301", "字", "Yes. "])
    text = st.one_of(st.text(), st.lists(words).map("".join))
    return st.lists(st.builds(passage, text, st.sampled_from([None, "Ada"])), max_size=3)


@every_reader
@given(question=st.text(), passages=lists_of_passages())
def test_any_question_and_passages(
    make: Callable[[], Reader], question: str, passages: list[Passage]
) -> None:
    assert_sound(make().read(question, passages), passages)


# --- by evidence -------------------------------------------------------------------------


def test_evidence_ranks_by_words_kind_and_speaker() -> None:
    text = "It rained. The talks lasted two hours. The talks were frank. They ate."
    made = Passage(
        text,
        tuple(
            Sentence(start, end, speaker)
            for (start, end), speaker in zip(
                sentences(text), ["Ada", "Ada", "Ben", None], strict=True
            )
        ),
    )
    reader = EvidenceReader(BagOfWords())

    def best(question: str) -> str:
        ((first, *_),) = reader.read(question, [made])
        return text[first.start : first.end]

    assert best("How long did the talks last?") == "two hours"
    assert best("How were the talks, in the words of Ben?") == "The talks were frank"
    ((*spans,),) = reader.read("How long did the talks last?", [made])
    assert len(spans) <= SPANS_PER_PASSAGE


def test_evidence_for_each_sentence() -> None:
    reader = EvidenceReader(BagOfWords())
    ((rain, talks),) = reader.evidence(
        "How long did Ada talk?", [passage("It rained. They talk two hours.", "Ada")]
    )
    assert (rain.words, rain.kind, rain.speaker) == (pytest.approx(0, abs=0.6), 0.0, 1.0)
    assert (talks.kind, talks.speaker) == (1.0, 1.0)
    assert talks.words > rain.words
    assert talks.meaning > rain.meaning
    assert rain.unheard == talks.unheard < 1


def test_what_nobody_spoke_of_is_unheard() -> None:
    reader = EvidenceReader(BagOfWords())
    ((only,),) = reader.evidence("Is the submarine yellow?", [passage("It rained in Rome.")])
    assert (only.unheard, only.words) == (1.0, 0.0)


def test_sentence_vectors_are_remembered() -> None:
    embedder = BagOfWords()
    reader = EvidenceReader(embedder)
    reader.read("Why?", [passage(FERRY)])
    embedder.embedded.clear()
    reader.read("How often does the ferry run?", [passage(FERRY)])
    assert embedder.embedded == []


# --- the trained one ---------------------------------------------------------------------


def test_a_reader_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OnRecordError, match=f"{tmp_path}: the reader's files are missing") as caught:
        SpanReader.open(tmp_path, threads=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("about", ["", "{", "[]", "null", '{"format": 1}', '{"format": 1, "x": 2}'])
def test_a_reader_whose_description_is_damaged(tmp_path: Path, about: str) -> None:
    (tmp_path / "model.json").write_text(about)
    with pytest.raises(OnRecordError, match="missing or damaged"):
        SpanReader.open(tmp_path, threads=1)


def test_a_reader_of_another_format(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"format": 99}')
    with pytest.raises(OnRecordError, match="this reader has format 99, On Record reads format"):
        SpanReader.open(tmp_path, threads=1)


@pytest.mark.model
@pytest.mark.skipif(not HAS_MODEL, reason="the trained reader is not in app/reader/model")
@pytest.mark.parametrize("name", ["reader.onnx", "tokenizer.json", "model.json"])
@pytest.mark.parametrize("kept", [None, 0, -50])
def test_a_reader_cut_short(tmp_path: Path, name: str, kept: int | None) -> None:
    copy = tmp_path / "model"
    shutil.copytree(MODEL, copy)
    data = (copy / name).read_bytes()
    (copy / name).unlink()
    if kept is not None:
        (copy / name).write_bytes(data[:kept])
    with pytest.raises(OnRecordError, match=str(copy)):
        SpanReader.open(copy, threads=1)


@pytest.mark.model
@pytest.mark.skipif(not HAS_MODEL, reason="the trained reader is not in app/reader/model")
def test_a_reader_with_weights_of_another(tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(MODEL, copy)
    about = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps({**about, "sha256": "0" * 64}))
    with pytest.raises(OnRecordError, match="damaged or of another version"):
        SpanReader.open(copy, threads=1)
