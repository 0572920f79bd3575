"""What people said of answers: kept on this machine, as candidates for an evaluation set.

Lines of JSON in `feedback.jsonl` inside the index folder, written only where somebody asked for
it. `onrecord eval add` makes questions of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from app.answer import checked
from index.errors import IndexFolderError, UsageError

FILE = "feedback.jsonl"
FORMAT = 1
MOST = 10_000  # candidates; anybody who can open the page can add one
LONGEST = 1_000  # characters of a correction
WAIT = 5.0  # seconds for another process to finish its own entry

Verdict = Literal["right", "wrong"]


@dataclass(frozen=True, slots=True)
class Rating:
    """What somebody says of an answer: the question as it was asked, and the ids of the quotes
    that were shown for it.

    `correction` are the words that would have been right, if they are told; with `nobody`, that
    nobody says it.
    """

    question: str
    verdict: Verdict
    correction: str = ""
    nobody: bool = False
    quotes: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rating that was kept, with the quotes as they were handed out: objects of the
    `ask --json` contract. `at` is in UTC.
    """

    id: str
    at: str
    question: str
    verdict: Verdict
    correction: str
    nobody: bool
    quotes: list[dict[str, Any]]
    nearest: list[dict[str, Any]]


class Feedback:
    """The candidates of one index folder; every call opens the file anew."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def keep(
        self,
        rating: Rating,
        quotes: Sequence[dict[str, Any]] = (),
        nearest: Sequence[dict[str, Any]] = (),
    ) -> Candidate:
        """Remember a rating with the quotes that it is of. The same again is kept once.

        Raises UsageError where it makes no sense, IndexFolderError where it cannot be written.
        """
        if rating.verdict not in get_args(Verdict):
            raise UsageError(f'the verdict is "{rating.verdict}"; it is "right" or "wrong".')
        correction = rating.correction.strip()
        if len(correction) > LONGEST:
            raise UsageError(
                f"the correction has {len(correction):,} characters; give at most {LONGEST:,}: "
                "the shortest words that answer."
            )
        question = checked(rating.question)
        said = [question, rating.verdict, correction, rating.nobody, *rating.quotes]
        candidate = Candidate(
            id="c_" + hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12],
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            question=question,
            verdict=rating.verdict,
            correction=correction,
            nobody=rating.nobody,
            quotes=[*quotes],
            nearest=[*nearest],
        )
        try:
            with FileLock(f"{self._file}.lock", timeout=WAIT):
                kept = self.candidates()
                if any(one.id == candidate.id for one in kept):
                    return candidate
                if len(kept) >= MOST:
                    raise UsageError(
                        f"{self._file} holds {MOST:,} ratings, which is all it takes; move it away "
                        "once they are looked through."
                    )
                line = json.dumps({"format": FORMAT, **asdict(candidate)}) + "\n"
                # An editor may have left the last line without its end.
                whole = not kept or self._file.read_bytes().endswith(b"\n")
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(line if whole else f"\n{line}")
        except (OSError, Timeout) as error:
            raise IndexFolderError(
                f"{self._file}: the rating could not be kept ({error}). Make the folder writable."
            ) from error
        return candidate

    def candidates(self) -> list[Candidate]:
        """What was kept, the oldest first. Raises IndexFolderError where it cannot be read."""
        if not self._file.exists():
            return []
        try:
            lines = self._file.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeError) as error:
            raise IndexFolderError(f"{self._file}: cannot be read ({error}).") from error
        return [self._candidate(line, number) for number, line in enumerate(lines, 1) if line]

    def _candidate(self, line: str, number: int) -> Candidate:
        try:
            fields = json.loads(line)
            if fields.pop("format") != FORMAT:
                raise ValueError("it is of another version")
            return Candidate(**fields)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise IndexFolderError(
                f"{self._file}, line {number}: this is no rating ({error}); take the line out."
            ) from error
