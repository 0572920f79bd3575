"""The span reader: windows, words and offsets over a small model, and models that do not open."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from app.reader import Passage, Sentence
from app.reader.span import FORMAT, SpanReader, _whole_words, _with_labels
from index.errors import OnRecordError
from tests.app.reader.conftest import CLOSE, OPEN, passage, small_model, write_about

# --- Reading with the small model ---------------------------------------------------------------


def test_what_the_model_marks_is_the_span(small: SpanReader) -> None:
    text = f"We said {OPEN} eleven million {CLOSE} and nothing more."
    ((best, *others),) = small.read("How much?", [passage(text, None)])
    assert text[best.start : best.end] == f"{OPEN} eleven million {CLOSE}"
    # Start 4 and end 4 over no answer's 0 and 0.
    assert best.score == 8.0
    assert all(span.score < 0 for span in others)


def test_the_better_answer_is_first_and_no_two_overlap(small: SpanReader) -> None:
    text = f"one {CLOSE}. {OPEN} two {CLOSE}. {OPEN} three. four {CLOSE} {OPEN}"
    (spans,) = small.read("Which?", [passage(text, None)])
    assert text[spans[0].start : spans[0].end] == f"{OPEN} two {CLOSE}"
    places = sorted((span.start, span.end) for span in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(places))


@pytest.mark.parametrize("before", [0, 100, 240, 250, 256, 600])
def test_an_answer_is_found_wherever_the_windows_fall(small: SpanReader, before: int) -> None:
    text = "word " * before + f"{OPEN} the answer {CLOSE}" + " word" * 300
    ((best, *_),) = small.read("Which?", [Passage(text, ())])
    assert (best.start, best.end) == (5 * before, 5 * before + 22)
    assert best.score == 8.0


def test_the_answer_stands_in_its_own_passage(small: SpanReader) -> None:
    texts = ["nothing here", f"{OPEN} yes {CLOSE}", "word " * 700, f"so {OPEN} no {CLOSE} then"]
    found = small.read("Which?", [Passage(text, ()) for text in texts])
    assert [bool(spans) and spans[0].score > 0 for spans in found] == [False, True, False, True]
    best = found[3][0]
    assert texts[3][best.start : best.end] == f"{OPEN} no {CLOSE}"


def test_a_name_that_is_put_in_can_be_no_answer(small: SpanReader) -> None:
    text = "They met. It was late."
    told = Passage(text, (Sentence(0, 9, None), Sentence(10, 22, f"{OPEN} {CLOSE}")))
    (spans,) = small.read("Who?", [told])
    assert spans
    assert all(span.score < 0 for span in spans)


def test_a_label_that_stands_in_the_text_can_be_an_answer(small: SpanReader) -> None:
    text = f"{OPEN} {CLOSE}: It was late."
    start = text.index("It was")
    ((best, *_),) = small.read("Who?", [Passage(text, (Sentence(start, len(text), text[:11]),))])
    assert (text[best.start : best.end], best.score) == (f"{OPEN} {CLOSE}", 8.0)


def test_a_part_of_a_word_is_widened_to_the_word(tmp_path: Path) -> None:
    pieces = SpanReader.open(small_model(tmp_path, token=rf"{OPEN}|{CLOSE}|\S"), threads=1)
    text = f"No, pre{OPEN}sub and pre{CLOSE}sub."
    ((best, *_),) = pieces.read("Which?", [Passage(text, ())])
    assert text[best.start : best.end] == f"pre{OPEN}sub and pre{CLOSE}sub"


@pytest.mark.parametrize(
    ("text", "token", "words"),
    [
        ("So Zoe\u0308 pays.", "Zoe", "Zoe\u0308"),
        ("So \u05d0\u05b7\u05d1 pays.", "\u05d0", "\u05d0\u05b7\u05d1"),
        ("A \u2764\ufe0f there.", "\u2764", "\u2764\ufe0f"),
        ("\u6771\u4eac\u306e\u6a4b", "\u4eac", "\u4eac"),
        ("sub\u00adway and more", "more", "more"),
    ],
)
def test_a_span_takes_in_its_marks_and_no_other_ideographs(
    text: str, token: str, words: str
) -> None:
    start = text.index(token)
    a, b = _whole_words(text, start, start + len(token))
    assert text[a:b] == words


def test_a_name_is_put_in_where_the_label_does_not_stand(small: SpanReader) -> None:
    text = "Annual figures. Ann: Fine. They grew."
    told = Passage(text, (Sentence(0, 15, None), Sentence(21, 26, "Ann"), Sentence(27, 37, "Bo")))
    pieces = [piece for piece, _ in _with_labels(told)]
    assert pieces == ["Annual figures. Ann: ", "Fine. ", "Bo:", "They grew."]
    told = Passage(text, (Sentence(0, 15, None), Sentence(16, 26, "Ann")))
    assert ("Ann:", None) in list(_with_labels(told))


# --- Opening a model ------------------------------------------------------------------------------


def cut_short(folder: Path) -> None:
    data = (folder / "reader.onnx").read_bytes()
    (folder / "reader.onnx").write_bytes(data[: len(data) // 2])


def not_json(folder: Path) -> None:
    (folder / "model.json").write_bytes(b"\x80\x00{]")


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "reader.onnx cut short": (cut_short, "damaged or of another version"),
    "reader.onnx of another build": (
        lambda folder: write_about(folder, sha256="0" * 64),
        "damaged or of another version",
    ),
    "reader.onnx missing": (lambda folder: (folder / "reader.onnx").unlink(), "cannot be read"),
    "tokenizer.json missing": (
        lambda folder: (folder / "tokenizer.json").unlink(),
        "missing or damaged",
    ),
    "tokenizer.json of another version": (
        lambda folder: write_about(folder, tokenizer_sha256="0" * 64),
        "missing or damaged (tokenizer.json is not this model's)",
    ),
    "tokenizer.json garbage": (
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
        "missing or damaged",
    ),
    "model.json missing": (lambda folder: (folder / "model.json").unlink(), "missing or damaged"),
    "model.json garbage": (not_json, "missing or damaged"),
    "model.json a list": (
        lambda folder: (folder / "model.json").write_text("[1]"),
        "missing or damaged",
    ),
    "model.json empty": (
        lambda folder: (folder / "model.json").write_text("{}"),
        "missing or damaged",
    ),
    "another format": (
        lambda folder: write_about(folder, format=FORMAT + 1),
        f"has format {FORMAT + 1}, On Record reads format {FORMAT}; install",
    ),
}


@pytest.mark.parametrize(("spoil", "told"), SPOILED.values(), ids=SPOILED.keys())
def test_a_spoiled_model_is_told_in_a_sentence(
    tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    small_model(tmp_path)
    SpanReader.open(tmp_path, threads=1)
    spoil(tmp_path)
    with pytest.raises(OnRecordError) as error:
        SpanReader.open(tmp_path, threads=1)
    assert_sentence(str(error.value), tmp_path, told)


def test_a_missing_model_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OnRecordError) as error:
        SpanReader.open(tmp_path / "none", threads=1)
    assert_sentence(str(error.value), tmp_path / "none", "missing or damaged")


def assert_sentence(message: str, folder: Path, told: str) -> None:
    assert message.startswith(str(folder))
    assert told in message
    assert message.endswith(".")
    assert "\n" not in message
