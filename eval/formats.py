"""Question sets of other makes: SQuAD's JSON, and CSV as a spreadsheet writes it.

Their answers are given as words; here they get their places in the transcripts. Our own JSON
lines, which hold places, are read in `questions`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.questions import SPLITS, Gold, Question, load
from index.errors import UsageError

# Of a CSV file; only the first two must be there.
COLUMNS = ("question", "answer", "quote", "speaker", "transcript", "kind", "split", "id")
NOBODY = "nobody"  # in the column "speaker": narration
SHOWN = 60  # characters of a passage in an error

# By the first of these words in a question.
KINDS = "who whom whose when where why which how what".split()
_AMOUNT = re.compile(r"\bhow (many|much|long|often|far|old|large|big)\b")


def open_set(name: str, texts: Mapping[str, str]) -> list[Question]:
    """The questions of a shipped set, by name, or of a JSONL, SQuAD JSON or CSV file, in order.

    `texts` are the transcripts by id, which the answers of the latter two are looked up in.
    Raises UsageError where the file is broken or an answer stands in no transcript.
    """
    reader = {".json": from_squad, ".csv": from_csv}.get(Path(name).suffix.lower())
    return reader(Path(name), texts) if reader else load(name)


def squad_passages(file: Path) -> dict[str, str]:
    """The paragraphs of a SQuAD file, each once, by names made of their articles' titles."""
    names: dict[str, str] = {}
    for title, paragraph in _paragraphs(file):
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:80] or "passage"
        names.setdefault(plain(paragraph["context"]), f"{slug}-{len(names):04}")
    return {name: text for text, name in names.items()}


def plain(text: str) -> str:
    """A text as indexing it leaves it: line ends as \\n, no byte-order mark."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def from_squad(file: Path, texts: Mapping[str, str]) -> list[Question]:
    """The questions of a file in the format of SQuAD 1.1 or 2.0 (`is_impossible`).

    Each paragraph must stand in one of `texts`. Speakers are not given.
    """
    whole = {text: name for name, text in texts.items()}
    questions = []
    for title, paragraph in _paragraphs(file):
        context = paragraph["context"]
        transcript, at = _place_of(plain(context), title, whole, texts, file)
        for number, asked in enumerate(paragraph["qas"]):
            identity = asked.get("id", f"{transcript}-{number}") if isinstance(asked, dict) else "?"
            try:
                golds = tuple(
                    dict.fromkeys(
                        _squad_gold(answer, context, at) for answer in asked.get("answers", [])
                    )
                )
                question = asked["question"]
                impossible = bool(asked.get("is_impossible", not golds))
                if not isinstance(question, str) or impossible is bool(golds):
                    raise ValueError
            except (AttributeError, KeyError, TypeError, ValueError):
                raise UsageError(
                    f"{file}: the question {identity} is not as SQuAD has them; each has "
                    '"question" and "answers" with "text" and "answer_start", or "is_impossible".'
                ) from None
            questions.append(
                _question(str(identity), question, transcript, golds, near_miss=impossible)
            )
    return _with_own_ids(questions, file)


def from_csv(file: Path, texts: Mapping[str, str]) -> list[Question]:
    """The questions of a CSV file with the columns `question` and `answer`, more of COLUMNS
    where wanted.

    An answer stands in its quote and the quote in a transcript. Without a quote, every place
    where the answer stands is right; without an answer, the whole quote is. With neither, the
    question has no answer. A speaker of "nobody" is narration, an empty one is not scored.
    """
    questions = []
    for number, cells in _csv_rows(file):
        try:
            transcript, golds = _placed(cells, texts)
            split = cells.get("split") or SPLITS[0]
            if not cells["question"]:
                raise ValueError("the question is empty")
            if split not in SPLITS:
                raise ValueError(f'the split is "{split}", not one of {", ".join(SPLITS)}')
        except ValueError as error:
            raise UsageError(f"{file}, line {number}: {error}.") from None
        speaker = cells.get("speaker", "")
        questions.append(
            _question(
                cells.get("id") or f"line-{number}",
                cells["question"],
                transcript,
                golds,
                split=split,
                kind=cells.get("kind") or kind_of(cells["question"]),
                speaker=None if speaker.casefold() in ("", NOBODY) else speaker,
                speaker_given=bool(speaker),
            )
        )
    return _with_own_ids(questions, file)


def kind_of(question: str) -> str:
    """The kind of a question by its first question word: who, when, how_many ... or other."""
    lower = question.lower()
    if _AMOUNT.search(lower):
        return "how_many"
    first = next((word for word in re.findall(r"[a-z]+", lower) if word in KINDS), "other")
    return "who" if first in ("whom", "whose") else first


def _question(
    identity: str, question: str, transcript: str, golds: tuple[Gold, ...], **fields: Any
) -> Question:
    defaults: dict[str, Any] = {
        "split": SPLITS[0],
        "kind": kind_of(question),
        "speaker": None,
        "speaker_given": False,
        "multi": False,
        "near_miss": False,
    }
    return Question(
        id=identity,
        question=question,
        transcript=transcript,
        answerable=bool(golds),
        golds=golds,
        **{**defaults, **fields},
    )


def _with_own_ids(questions: Sequence[Question], file: Path) -> list[Question]:
    if not questions:
        raise UsageError(f"{file} has no questions.")
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise UsageError(f'{file}: the id "{question.id}" comes twice; give each its own.')
        seen.add(question.id)
    return list(questions)


# --- SQuAD -------------------------------------------------------------------------------


def _squad_gold(answer: Mapping[str, Any], context: str, at: int) -> Gold:
    """An answer in a paragraph that begins at `at`. Raises what fits where it is none."""
    text, start = answer["text"], answer["answer_start"]
    if type(text) is not str or type(start) is not int or not text.strip() or start < 0:
        raise ValueError(answer)
    return Gold(plain(text), at + len(plain(context[:start])))


def _paragraphs(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each paragraph with its article's title."""
    try:
        articles = json.loads(_read(file))["data"]
        found = [
            (str(article.get("title", "")), paragraph)
            for article in articles
            for paragraph in article["paragraphs"]
        ]
        if not all(isinstance(p["context"], str) and isinstance(p["qas"], list) for _, p in found):
            raise TypeError
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise UsageError(
            f'{file} is not in SQuAD\'s format: an object whose "data" lists articles with '
            '"paragraphs" of "context" and "qas".'
        ) from None
    yield from found


def _place_of(
    context: str, title: str, whole: Mapping[str, str], texts: Mapping[str, str], file: Path
) -> tuple[str, int]:
    """The transcript that a paragraph stands in, and the character it begins at."""
    if context in whole:
        return whole[context], 0
    places = [(name, text.find(context)) for name, text in texts.items() if context in text]
    named = [place for place in places if place[0] == title]
    if not places or (len(places) > 1 and len(named) != 1):
        where = "in several transcripts" if places else "in no transcript of the index"
        raise UsageError(
            f'{file}: the paragraph "{_short(context)}" stands {where}; without --index, the '
            "paragraphs themselves are indexed and asked."
        )
    return (named or places)[0]


# --- CSV ---------------------------------------------------------------------------------


def _csv_rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row that is not empty, with the line it ends on, white space around cells removed."""
    reader = csv.reader(io.StringIO(_read(file), newline=""), strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        unknown = [name for name in head if name not in COLUMNS]
        missing = [name for name in COLUMNS[:2] if name not in head]
        if unknown or missing or len(set(head)) < len(head):
            fault = (
                f'it has no column "{missing[0]}"' if missing
                else f'its column "{unknown[0]}" is unknown' if unknown
                else "a column comes twice"
            )  # fmt: skip
            raise UsageError(f"{file}: {fault}; the columns are {', '.join(COLUMNS)}.")
        for cells in reader:
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != len(head):
                raise UsageError(
                    f"{file}, line {reader.line_num}: {len(cells)} cells under {len(head)} "
                    "columns; put cells with commas in quotation marks."
                )
            stripped = map(str.strip, cells)
            yield reader.line_num, dict(zip(head, stripped, strict=True))
    except csv.Error as error:
        raise UsageError(f"{file}, line {reader.line_num}: this is no CSV ({error}).") from None


def _placed(cells: Mapping[str, str], texts: Mapping[str, str]) -> tuple[str, tuple[Gold, ...]]:
    """The transcript of a row and its gold answers. Raises ValueError, the end of a sentence."""
    answer, quote, named = cells["answer"], cells.get("quote", ""), cells.get("transcript", "")
    if named and named not in texts:
        raise ValueError(f'there is no transcript "{named}"')
    words = quote or answer
    if not words:
        # Nothing answers it anywhere; it is filed under the transcript that it is about.
        return named or next(iter(texts), ""), ()
    what = "quote" if quote else "answer"
    among = {named: texts[named]} if named else texts
    places = {name: _all_places(words, text) for name, text in among.items() if words in text}
    if not places:
        where = f'in "{named}"' if named else "in any transcript of the index"
        raise ValueError(f'the {what} "{_short(words)}" does not stand, word for word, {where}')
    if len(places) > 1:
        raise ValueError(
            f'the {what} "{_short(words)}" stands in {" and ".join(sorted(places))}; name one in '
            'a column "transcript"'
        )
    ((transcript, starts),) = places.items()
    if quote and answer:
        inside = _all_places(answer, quote)
        if not inside:
            raise ValueError(f'the answer "{_short(answer)}" does not stand in its quote')
        starts = [start + at for start in starts for at in inside]
    return transcript, tuple(Gold(answer or quote, start) for start in starts)


def _all_places(words: str, text: str) -> list[int]:
    return [found.start() for found in re.finditer(re.escape(words), text)]


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"The question set {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The question set {file} cannot be read: it is not UTF-8.") from None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
