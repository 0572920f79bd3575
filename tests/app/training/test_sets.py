"""From question sets to training examples: the answer's tokens are where the example says."""

from __future__ import annotations

import functools
import gzip
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from app.reader.span import CLS, SEP
from app.training.sets import (
    NEAREST,
    NEIGHBOURS,
    Example,
    Rivals,
    Row,
    Sets,
    Stage,
    held,
    read_rows,
    read_set,
    window,
)
from index.embed import packaged_weights
from index.errors import OnRecordError
from tests.fakes import BagOfWords

TALK = (
    "Ada: Well, um, the harbour bridge will cost eleven million, not nine. Ben: And who pays? "
    "Ada: The county pays, because the harbour belongs to it. Ben: Fine, then we vote on Friday."
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    found = Tokenizer.from_file(str(packaged_weights() / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def line(question: str, answer: str | None, *, title: str = "t", context: str = TALK) -> dict:
    answers = [{"text": answer, "start": context.index(answer)}] if answer else []
    return {
        "title": title,
        "context": context,
        "question": question,
        "answers": answers,
        "answerable": bool(answers),
    }


def write(folder: Path, name: str, *rows: dict[str, Any]) -> Path:
    (folder / "train").mkdir(exist_ok=True)
    return packed(folder / "train" / f"{name}.jsonl.gz", *rows)


def packed(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return file


@pytest.fixture
def examples(tmp_path: Path, tokenizer: Tokenizer) -> Callable[..., list[Example]]:
    """The examples of one set of rows under a stage's settings."""

    def made(*rows: dict[str, Any], name: str = "speech", count: int = 0, **stage: Any) -> Any:
        write(tmp_path, name, *rows)
        settings = {"window_tokens": (16, 32), **stage}
        plan = Stage(rows={name: count or len(rows)}, **settings)
        read = functools.partial(read_set, tmp_path)
        sets = Sets(read, tokenizer, BagOfWords)
        return [one for its in sets.examples(plan, random.Random(1)) for one in its]

    return made


COST = line("How much is the bridge?", "eleven million")


@pytest.mark.parametrize("size", [4, 16, 200])
def test_the_answer_is_where_the_example_says(
    examples: Callable[..., list[Example]], tokenizer: Tokenizer, size: int
) -> None:
    found = examples(COST, count=20, window_tokens=(size, size))
    assert len(found) == 20
    for example in found:
        assert tokenizer.decode(example.ids[example.start : example.end + 1]) == "eleven million"
        assert example.ids[0] == CLS
        assert example.ids[example.shift - 1] == example.ids[-1] == SEP
        assert len(example.ids) - example.shift - 1 <= size


def test_one_without_an_answer_points_to_the_first_token(
    examples: Callable[..., list[Example]],
) -> None:
    (example,) = examples(line("Who sings?", None))
    assert (example.start, example.end) == (0, 0)


def test_where_a_sentence_answers_the_answer_stands_somewhere_in_it(
    examples: Callable[..., list[Example]], tokenizer: Tokenizer
) -> None:
    sentence = TALK[: TALK.index(" Ben")]
    row = {**line("How much is the bridge?", sentence), "level": "sentence"}
    found = examples(row, count=20, window_tokens=(24, 24))
    assert len(found) == 20
    for example in found:
        assert not example.exact
        words = tokenizer.decode(example.ids[example.start : example.end + 1])
        assert words == tokenizer.decode(tokenizer.encode(sentence, add_special_tokens=False).ids)


def test_sentences_are_put_together_to_passages_again(tmp_path: Path) -> None:
    said = [f"Sentence {n} is about bridge {n}." for n in range(12)]
    rows = [
        {**line(f"Which bridge is {n}?", text, context=text), "id": f"sqs_{n}", "level": "sentence"}
        for n, text in enumerate(said)
    ]
    write(tmp_path, "squad_train_sentences", *rows[::-1], {**rows[5], "id": "sqs_5"})
    found = read_set(tmp_path, "squad_train_sentences")
    assert len(found) == 13
    for row in found:
        ((start, end),) = row.answers
        n = said.index(row.context[start:end])
        assert row.question == f"Which bridge is {n}?"
        assert row.context == " ".join(said[max(0, n - NEIGHBOURS) : n + NEIGHBOURS + 1])
        assert not row.exact


def test_our_own_questions_stand_over_the_words_that_the_data_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "speech", {**line("Who pays?", "The county"), "id": "speech_1"})
    write(tmp_path, "squad_train_small", {**line("When?", "Friday"), "id": "sqt_1"})
    write(tmp_path, "qed", {**line("how much", "eleven", context=f"Pier. {TALK}"), "id": "qed_1"})
    meeting = {"id": "m1", "split": "train", "text": f"Ben: Hello. {TALK}", "queries": []}
    packed(tmp_path / "qmsum_meetings.jsonl.gz", meeting, {**meeting, "split": "val", "id": "m2"})
    (tmp_path / "dev").mkdir()
    packed(tmp_path / "dev" / "speech_dev.jsonl.gz", line("Why?", "county"))
    cost = {"question": "what will it cost", "answer": [44, 58]}
    spoken = packed(
        tmp_path / "spoken.jsonl.gz",
        {**cost, "row": "speech_1"},
        {**cost, "meeting": "m1", "start": 12, "end": 12 + len(TALK)},
        {"question": "Who votes on Monday?", "answer": None, "row": "speech_1"},
    )
    monkeypatch.setattr("app.training.sets.SPOKEN_FILE", spoken)
    for name in ("written", "causes"):
        file = packed(
            tmp_path / f"{name}.jsonl.gz",
            {**cost, "row": "sqt_1"},
            {**cost, "row": "qed_1", "answer": [50, 64]},
            {"question": "What did the pier cost?", "answer": None, "row": "qed_1"},
        )
        monkeypatch.setattr(f"app.training.sets.{name.upper()}_FILE", file)
    for name, unanswerable in (("spoken", 1), ("written", 1), ("causes", 0)):
        found = read_set(tmp_path, name)
        marked = [[row.context[start:end] for start, end in row.answers] for row in found]
        assert marked == [["eleven million"], ["eleven million"], *[[]] * unanswerable]
        assert {row.dataset for row in found} == {name}


def test_a_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OnRecordError, match=r"train/speech.jsonl.gz: cannot be read \(.*name the"):
        read_set(tmp_path, "speech")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "speech.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(OnRecordError, match=r"train/speech.jsonl.gz: cannot be read \("):
        read_set(tmp_path, "speech")


def test_an_answer_longer_than_the_window_is_left_out(
    examples: Callable[..., list[Example]],
) -> None:
    long = line("Why?", "The county pays, because the harbour belongs to it")
    assert examples(long, window_tokens=(4, 4)) == []


def test_every_row_comes_once_before_any_comes_again(
    examples: Callable[..., list[Example]], tokenizer: Tokenizer
) -> None:
    rows = [line(f"How much is bridge {n}?", "eleven million") for n in "abcdefg"]
    found = [tokenizer.decode(example.ids) for example in examples(*rows, count=10)]
    counts = [sum(f"bridge {n}" in text for text in found) for n in "abcdefg"]
    assert sorted(counts) == [1, 1, 1, 1, 2, 2, 2]


def test_negatives_leave_the_answer_out(
    examples: Callable[..., list[Example]], tokenizer: Tokenizer
) -> None:
    other = line("Who sings?", "Nobody", context="Nobody sings here today.")
    found = examples(COST, other, count=60, negatives=1.0)
    asked = [one for one in found if "how much" in tokenizer.decode(one.ids)]
    refused = [one for one in asked if one.end == 0]
    assert len(asked) / 2 < len(refused) < len(asked)
    assert all("eleven million" not in tokenizer.decode(one.ids) for one in refused)
    assert any("sings" in tokenizer.decode(one.ids) for one in refused)
    assert any("county" in tokenizer.decode(one.ids) for one in refused)


def test_a_window_with_another_answer_is_no_negative(
    examples: Callable[..., list[Example]], tokenizer: Tokenizer
) -> None:
    twice = line("Who speaks?", "Ada")
    twice["answers"].append({"text": "Ben", "start": TALK.index("Ben")})
    found = examples(twice, count=40, negatives=1.0, window_tokens=(8, 12))
    assert found
    for example in found:
        shown = tokenizer.decode(example.ids[example.shift :])
        if example.end == 0:
            assert "ada" not in shown
            assert "ben" not in shown
    assert any(example.end for example in found)


def test_speech_may_lose_its_punctuation_but_not_its_labels(
    examples: Callable[..., list[Example]], tokenizer: Tokenizer
) -> None:
    (example,) = examples(COST, unpunctuated=1.0, window_tokens=(200, 200))
    text = tokenizer.decode(example.ids[example.shift :])
    assert "ada : well um the harbour" in text
    assert "." not in text
    assert tokenizer.decode(example.ids[example.start : example.end + 1]) == "eleven million"
    (written,) = examples(COST, name="qed", unpunctuated=1.0, window_tokens=(200, 200))
    assert "." in tokenizer.decode(written.ids)


def test_held_articles_are_never_trained_on(
    examples: Callable[..., list[Example]], tmp_path: Path
) -> None:
    titles = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    rows = [line("How much?", "eleven million", title=title) for title in titles]
    kept = [row for row in read_rows(write(tmp_path, "squad_dev", *rows)) if not held(row)]
    assert 0 < len(kept) < len(titles)
    assert len(examples(*rows, name="squad_dev", count=len(kept))) == len(kept)
    assert not any(held(row) for row in read_rows(write(tmp_path, "speech", *rows)))


def test_the_same_seed_gives_the_same_examples(examples: Callable[..., list[Example]]) -> None:
    rows = [line(f"How much is bridge {n}?", "eleven million") for n in range(9)]
    settings = {"count": 30, "negatives": 0.5, "unpunctuated": 0.5}
    assert examples(*rows, **settings) == examples(*rows, **settings)


def test_rivals_are_the_nearest_passages_that_lack_the_answer() -> None:
    texts = [
        "The bridge costs eleven million.",
        "Bridge: ELEVEN million again.",
        *(f"The bridge is said to cost much, {n}." for n in range(NEAREST)),
        *(f"Gulls and nothing else {n}." for n in range(NEAREST)),
    ]
    row = Row("s", "talk", "How much does the bridge cost?", texts[0], ((17, 31),))
    rivals = Rivals([row, *(replace(row, context=text) for text in texts)], BagOfWords())
    found = [rivals.of(row, 2, random.Random(n)) for n in range(40)]
    assert all(len(its) == 2 and its[0] != its[1] for its in found)
    assert {one.context for its in found for one in its} == set(texts[2 : 2 + NEAREST])
    assert all(one.answers == () and one.question == row.question for one in found[0])


def test_a_row_without_rivals_stays_as_it_is(examples: Callable[..., list[Example]]) -> None:
    alone = Row("s", "talk", "Who pays?", "The county pays.", ((0, 10),))
    assert Rivals([alone], BagOfWords()).of(alone, 2, random.Random(1)) == []
    assert len(examples(COST, rivals=2)) == 1


def test_rivals_are_shown_beside_the_passage_that_answers(
    examples: Callable[..., list[Example]], tokenizer: Tokenizer
) -> None:
    other = line("Who sings?", None, context="Nobody sings here today.")
    more = line("Who paints?", None, context="Much is painted.")
    found = examples(COST, other, more, rivals=2)
    assert len(found) == 5
    asked = [one for one in found if "bridge" in tokenizer.decode(one.ids[: one.shift])]
    assert [bool(one.start) for one in asked] == [True, False, False]
    assert len({one.question for one in asked}) == 1
    assert len({one.question for one in found}) == 3


@given(
    length=st.integers(1, 60),
    size=st.integers(1, 60),
    ends=st.tuples(st.integers(0, 59), st.integers(0, 59)),
    away=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_window_holds_all_of_the_answer_or_none_of_it(
    length: int, size: int, ends: tuple[int, int], away: bool, seed: int
) -> None:
    first, last = min(ends), max(ends)
    size = min(size, length)
    if last >= length or last - first >= size:
        return
    begin, stop, span = window(length, size, (first, last), away, random.Random(seed))
    assert 0 <= begin < stop <= length
    assert stop - begin <= size
    if span is None:
        assert stop <= first or begin > last
    else:
        assert begin <= first <= last < stop
