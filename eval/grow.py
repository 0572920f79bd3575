"""From what people said of answers to questions of a set: gold answers get their places here.

What people said is kept by `app.feedback`; the set is a file in the format of `questions`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from app.feedback import Candidate
from eval.formats import kind_of
from eval.metrics import normalize
from eval.questions import Gold, Question, load
from index.errors import OnRecordError, UsageError
from index.transcript import Transcript

SHOWN = 30  # characters on either side of a place in an error
PLACES = 6  # places told of, at most


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a new question beyond its candidate; None where nothing is.

    `answer` are its words, `at` the character they start at; `nobody` says that nothing answers.
    """

    answer: str | None = None
    at: int | None = None
    nobody: bool = False
    transcript: str | None = None
    speaker: str | None = None
    kind: str | None = None
    split: str = "dev"
    near_miss: bool = False


def listing(candidates: Sequence[Candidate], taken: Sequence[str]) -> Iterator[str]:
    """Two lines for each candidate that is in no set yet."""
    for one in candidates:
        if one.id not in taken:
            yield f"{one.id}  {one.verdict:5}  {one.question}"
            yield f"    answered: {_answered(one)}{_corrected(one)}"


def _answered(one: Candidate) -> str:
    if not one.quotes:
        return "nothing"
    first = one.quotes[0]
    return f'"{first["answer"]["text"]}" ({first["transcript"]["id"]}, {first["answer"]["start"]})'


def _corrected(one: Candidate) -> str:
    if one.nobody:
        return "; they say: nobody says it"
    return f'; they say: "{one.correction}"' if one.correction else ""


def question_of(
    candidate: Candidate, wish: Wish, transcripts: Mapping[str, Transcript]
) -> Question:
    """The question that a candidate becomes, its gold answer where it stands now.

    Raises UsageError where it cannot be told which words answer, or they do not stand.
    """
    question = Question(
        id=candidate.id,
        split=wish.split,
        kind=wish.kind or kind_of(candidate.question),
        transcript="",
        question=candidate.question,
        answerable=False,
        golds=(),
        speaker=None,
        multi=False,
        near_miss=wish.near_miss,
    )
    words = wish.answer or candidate.correction
    refused_rightly = candidate.verdict == "right" and not candidate.quotes
    if wish.nobody or (not words and (candidate.nobody or refused_rightly)):
        return replace(question, transcript=_transcript_of(candidate, wish, transcripts))
    if words or wish.at is not None:
        name, start = _place(words, wish, transcripts, candidate)
    elif candidate.verdict == "right":
        name, start, words = _quoted(candidate, transcripts)
    else:
        raise UsageError(
            f"{candidate.id}: the answer was wrong and nobody said what is right; give the words "
            "with --answer, or --nobody."
        )
    segment = transcripts[name].segment_at(start)
    speaker = segment.speaker.name if segment and segment.speaker else None
    return replace(
        question,
        transcript=name,
        answerable=True,
        golds=(Gold(words, start),),
        speaker=wish.speaker or speaker,
        near_miss=False,
    )


def questions_in(file: Path) -> list[Question]:
    """The questions of a set; none where the file is empty or not there yet."""
    return load(file) if file.exists() and file.read_bytes().strip() else []


def append(question: Question, file: Path) -> None:
    """Add a question to a set, which is made where there is none.

    Raises UsageError where the set is broken or has it already, OnRecordError where it cannot be
    written; the file is as it was then.
    """
    for other in questions_in(file):
        if other.id == question.id or normalize(other.question) == normalize(question.question):
            raise UsageError(f'{file} has that question already: {other.id}, "{other.question}".')
    line = {
        "id": question.id,
        "split": question.split,
        "kind": question.kind,
        "transcript": question.transcript,
        "question": question.question,
        "answerable": question.answerable,
        "answers": [{"text": gold.text, "start": gold.start} for gold in question.golds],
        "speaker": question.speaker,
        "multi": question.multi,
        "near_miss": question.near_miss,
    }
    new = file.with_name(f".{file.name}.new")
    try:
        before = file.read_bytes() if file.exists() else b""
        if before and not before.endswith(b"\n"):
            before += b"\n"
        new.write_bytes(before + json.dumps(line, ensure_ascii=False).encode() + b"\n")
        new.replace(file)
    except (OSError, UnicodeError) as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise OnRecordError(f"{file}: the question could not be added ({error}).") from None


def _transcript_of(candidate: Candidate, wish: Wish, transcripts: Mapping[str, Transcript]) -> str:
    """The transcript that a question without an answer is filed under."""
    shown = [quote["transcript"]["id"] for quote in (*candidate.quotes, *candidate.nearest)]
    name = wish.transcript or next(iter([*shown, *transcripts]), "")
    if name not in transcripts:
        raise UsageError(
            f'{candidate.id}: there is no transcript "{name}" in the index; name one with '
            "--transcript."
        )
    return name


def _place(
    words: str, wish: Wish, transcripts: Mapping[str, Transcript], candidate: Candidate
) -> tuple[str, int]:
    """The one place where the words stand."""
    if not words:
        raise UsageError(f"{candidate.id}: --at says where the words start; give --answer too.")
    name = wish.transcript
    if name is not None and name not in transcripts:
        raise UsageError(f'{candidate.id}: there is no transcript "{name}" in the index.')
    places = _places(words, {name: transcripts[name]} if name else transcripts)
    if wish.at is not None:
        places = [place for place in places if place[1] == wish.at]
    if not places:
        where = f"at {wish.at} " if wish.at is not None else ""
        raise UsageError(
            f'{candidate.id}: "{words}" does not stand, word for word, {where}in '
            f"{name or 'any transcript of the index'}; give the transcript's own words with "
            "--answer."
        )
    if len(places) > 1:
        raise UsageError(
            f'{candidate.id}: "{words}" stands in {len(places)} places; say which with --at (and '
            f"--transcript): {_told(places, words, transcripts)}"
        )
    return places[0]


def _quoted(candidate: Candidate, transcripts: Mapping[str, Transcript]) -> tuple[str, int, str]:
    """The first quote's answering words, if they still stand where they were quoted."""
    first = candidate.quotes[0]
    name, answer = first["transcript"]["id"], first["answer"]
    words, start = answer["text"], answer["start"]
    if name not in transcripts:
        raise UsageError(
            f'{candidate.id}: the transcript "{name}" that it was answered from is no longer in '
            "the index."
        )
    if transcripts[name].text[start : start + len(words)] != words:
        places = _places(words, {name: transcripts[name]})
        now = (
            f"they now stand here, say which with --answer and --at: "
            f"{_told(places, words, transcripts)}"
            if places
            else "they stand nowhere in it now: give others with --answer, or --nobody"
        )
        raise UsageError(
            f'{candidate.id}: "{words}" no longer stands at {start} in "{name}", which has changed '
            f"since; {now}."
        )
    return name, start, words


def _places(words: str, transcripts: Mapping[str, Transcript]) -> list[tuple[str, int]]:
    return [
        (name, found.start())
        for name, transcript in transcripts.items()
        for found in re.finditer(re.escape(words), transcript.text)
    ]


def _told(
    places: Sequence[tuple[str, int]], words: str, transcripts: Mapping[str, Transcript]
) -> str:
    told = []
    for name, start in places[:PLACES]:
        text = transcripts[name].text
        around = text[max(0, start - SHOWN) : start + len(words) + SHOWN]
        told.append(f'{name} {start} ("{" ".join(around.split())}")')
    more = f" and {len(places) - PLACES} more" if len(places) > PLACES else ""
    return "; ".join(told) + more
