"""What people said of answers: kept once each, told again, and never lost without a word."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.answer import MAX_QUESTION
from app.feedback import FILE, LONGEST, Candidate, Feedback, Rating
from index.errors import IndexFolderError, UsageError

QUOTE: dict[str, Any] = {"id": "q_1", "text": "Eleven million.", "answer": {"text": "Eleven"}}
NEAREST: dict[str, Any] = {"id": "q_2", "text": "It is said.", "speaker": None}


@pytest.fixture
def feedback(tmp_path: Path) -> Feedback:
    return Feedback(tmp_path)


def rating(question: str = "What does it cost?", **fields: Any) -> Rating:
    return Rating(**{"question": question, "verdict": "right", **fields})


def questions(candidates: Sequence[Candidate]) -> list[str]:
    return [one.question for one in candidates]


def test_what_is_kept_is_told_again(feedback: Feedback, tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    kept = feedback.keep(
        rating(" What does it cost? ", verdict="wrong", correction=" nine ", quotes=("q_1",)),
        [QUOTE],
        [NEAREST],
    )
    assert feedback.candidates() == Feedback(tmp_path).candidates() == [kept]
    assert re.fullmatch(r"c_[0-9a-f]{12}", kept.id)
    assert before <= datetime.fromisoformat(kept.at) <= datetime.now(UTC)
    assert kept == Candidate(
        id=kept.id,
        at=kept.at,
        question="What does it cost?",
        verdict="wrong",
        correction="nine",
        nobody=False,
        quotes=[QUOTE],
        nearest=[NEAREST],
    )


def test_where_nothing_was_kept_there_is_nothing_and_no_file(
    feedback: Feedback, tmp_path: Path
) -> None:
    assert feedback.candidates() == []
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_comes_first(feedback: Feedback) -> None:
    for question in ("Who?", "What?", "Why?"):
        feedback.keep(rating(question))
    assert questions(feedback.candidates()) == ["Who?", "What?", "Why?"]


def test_any_text_comes_back_as_it_was(feedback: Feedback, tmp_path: Path) -> None:
    odd = "caf\N{LATIN SMALL LETTER E WITH ACUTE}\N{LINE SEPARATOR}\n\0 <b>🙂</b> \\ \" '"
    feedback.keep(rating(f"{odd}?", correction=odd), [{**QUOTE, "text": odd}])
    feedback.keep(rating("Next?"))
    first, second = feedback.candidates()
    assert (first.question, first.correction, first.quotes[0]["text"]) == (f"{odd}?", odd, odd)
    assert second.question == "Next?"
    lines = (tmp_path / FILE).read_text(encoding="utf-8").split("\n")
    assert [json.loads(line)["format"] for line in lines[:-1]] == [1, 1]


def test_half_a_character_in_a_question_is_kept_as_a_question_mark(feedback: Feedback) -> None:
    feedback.keep(rating("What \ud83d costs?", correction="\ud83d"))
    (kept,) = feedback.candidates()
    assert (kept.question, kept.correction) == ("What ? costs?", "\ud83d")


def test_the_same_again_is_kept_once(feedback: Feedback, tmp_path: Path) -> None:
    said = rating(verdict="wrong", correction="nine", quotes=("q_1",))
    first = feedback.keep(said, [QUOTE])
    before = (tmp_path / FILE).read_bytes()
    assert feedback.keep(said, [QUOTE]).id == first.id
    assert Feedback(tmp_path).keep(said, [QUOTE]).id == first.id
    spaced = replace(said, question=" What does it cost?\n", correction="nine ")
    assert feedback.keep(spaced, [QUOTE]).id == first.id
    assert (tmp_path / FILE).read_bytes() == before


def test_what_differs_in_anything_is_kept_beside(feedback: Feedback) -> None:
    said = [
        rating(),
        rating("What did it cost?"),
        rating(verdict="wrong"),
        rating(verdict="wrong", correction="nine"),
        rating(verdict="wrong", nobody=True),
        rating(quotes=("q_1",)),
        rating(quotes=("q_1", "q_2")),
        rating(quotes=("q_2", "q_1")),
    ]
    kept = [feedback.keep(one) for one in said]
    assert feedback.candidates() == kept
    assert len({one.id for one in kept}) == len(said)


def test_ids_are_the_same_wherever_the_same_is_said(feedback: Feedback, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert feedback.keep(rating()).id == Feedback(tmp_path / "other").keep(rating()).id


def test_several_may_rate_at_the_same_time(feedback: Feedback, tmp_path: Path) -> None:
    names = [f"Question {n}?" for n in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: Feedback(tmp_path).keep(rating(name)), names + names))
    assert sorted(questions(feedback.candidates())) == sorted(names)


# --- What makes no sense -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"verdict": "good"}, 'the verdict is "good"; it is "right" or "wrong".'),
        ({"verdict": ""}, 'the verdict is ""; it is "right" or "wrong".'),
        ({"verdict": None}, 'the verdict is "None"; it is "right" or "wrong".'),
        (
            {"correction": "x" * (LONGEST + 1)},
            "the correction has 1,001 characters; give at most 1,000: the shortest words that "
            "answer.",
        ),
        ({"question": " ?! "}, "the question is empty; ask something in words."),
        (
            {"question": "x" * (MAX_QUESTION + 1)},
            "the question has 2,001 characters; ask in at most 2,000.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_kept(
    feedback: Feedback, tmp_path: Path, fields: dict[str, Any], fault: str
) -> None:
    with pytest.raises(UsageError) as caught:
        feedback.keep(rating(**fields))
    assert str(caught.value) == fault
    assert list(tmp_path.iterdir()) == []


def test_the_longest_correction_is_kept(feedback: Feedback) -> None:
    feedback.keep(rating(correction=f" {'x' * LONGEST} "))
    assert [one.correction for one in feedback.candidates()] == ["x" * LONGEST]


def test_no_more_than_the_most_are_kept(
    feedback: Feedback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.feedback.MOST", 2)
    feedback.keep(rating("Who?"))
    feedback.keep(rating("What?"))
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(UsageError) as caught:
        feedback.keep(rating("Why?"))
    assert str(caught.value) == (
        f"{tmp_path / FILE} holds 2 ratings, which is all it takes; move it away once they are "
        "looked through."
    )
    assert (tmp_path / FILE).read_bytes() == before
    assert feedback.keep(rating("What?")).question == "What?"  # it is there already
    (tmp_path / FILE).rename(tmp_path / "looked-through.jsonl")
    feedback.keep(rating("Why?"))
    assert questions(feedback.candidates()) == ["Why?"]


# --- What cannot be read or written ------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "7",
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": 1, "id": "c_1", "mood": "good"}',
        '{"format": 2, "id": "c_1"}',
        "[" * 100_000,
    ],
)
def test_a_broken_line_is_named_and_nothing_is_added_behind_it(
    feedback: Feedback, tmp_path: Path, broken: str
) -> None:
    feedback.keep(rating())
    file = tmp_path / FILE
    file.write_text(file.read_text(encoding="utf-8") + broken + "\n", encoding="utf-8")
    before = file.read_bytes()
    for act in (feedback.candidates, lambda: feedback.keep(rating("Who?"))):
        with pytest.raises(IndexFolderError) as caught:
            act()
        assert str(caught.value).startswith(f"{file}, line 2: this is no rating (")
        assert str(caught.value).endswith("); take the line out.")
    assert file.read_bytes() == before


def test_a_line_that_lacks_its_end_is_ended_before_the_next(
    feedback: Feedback, tmp_path: Path
) -> None:
    feedback.keep(rating("Who?"))
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    feedback.keep(rating("What?"))
    assert questions(feedback.candidates()) == ["Who?", "What?"]


def test_what_is_no_text_is_one_sentence(feedback: Feedback, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\n")
    with pytest.raises(IndexFolderError, match=rf"{FILE}: cannot be read \(.+\)\.$"):
        feedback.candidates()


def test_a_folder_in_the_files_place_is_one_sentence(feedback: Feedback, tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(IndexFolderError, match=rf"{FILE}: cannot be read \(.+\)\.$"):
        feedback.candidates()
    with pytest.raises(IndexFolderError, match=rf"{FILE}: cannot be read \(.+\)\.$"):
        feedback.keep(rating())


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    no_folder, no_lock = tmp_path / "a-file", tmp_path / "locked"
    no_folder.touch()
    (no_lock / f"{FILE}.lock").mkdir(parents=True)  # no lock can be had
    for folder in (no_folder, no_lock):
        with pytest.raises(IndexFolderError) as caught:
            Feedback(folder).keep(rating())
        assert str(caught.value).startswith(f"{folder / FILE}: the rating could not be kept (")
        assert str(caught.value).endswith("). Make the folder writable.")


def test_a_file_that_may_only_be_read_is_one_sentence(
    feedback: Feedback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feedback.keep(rating())
    opened = Path.open

    def read_only(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if self.name == FILE and mode != "r":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(IndexFolderError) as caught:
        feedback.keep(rating("Who?"))
    assert str(caught.value) == (
        f"{tmp_path / FILE}: the rating could not be kept ([Errno 13] Permission denied: "
        f"'{tmp_path / FILE}'). Make the folder writable."
    )
    assert questions(feedback.candidates()) == ["What does it cost?"]


def test_who_waits_too_long_is_told(
    feedback: Feedback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr("app.feedback.WAIT", 0.05)
    with FileLock(tmp_path / f"{FILE}.lock"), pytest.raises(IndexFolderError) as caught:
        feedback.keep(rating())
    assert "the rating could not be kept" in str(caught.value)
    assert feedback.candidates() == []
