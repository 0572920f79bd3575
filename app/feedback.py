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

from index.errors import IndexFolderError, UsageError

FILE = "feedback.jsonl"
FORMAT = 1
MOST = 10_000  # candidates; anybody who can open the page can add one
LONGEST = 1_000  # characters of a correction
WAIT = 5.0  # seconds for another process to finish its own entry

Verdict = Literal["right", "wrong"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question, what was answered, and what somebody said of it.

    `quotes` and `nearest` are objects of the `ask --json` contract, as they were handed out.
    `correction` are the words that would have been right, if they were told; with `nobody`, that
    nobody says it. `at` is in UTC.
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

    def keep(  # noqa: PLR0913
        self,
        question: str,
        verdict: Verdict,
        *,
        correction: str = "",
        nobody: bool = False,
        quotes: Sequence[dict[str, Any]] = (),
        nearest: Sequence[dict[str, Any]] = (),
    ) -> Candidate:
        """Remember a verdict. The same again is kept once.

        Raises UsageError where it makes no sense, IndexFolderError where it cannot be written.
        """
        if verdict not in get_args(Verdict):
            raise UsageError(f'the verdict is "{verdict}"; it is "right" or "wrong".')
        correction = correction.strip()
        if len(correction) > LONGEST:
            raise UsageError(
                f"the correction has {len(correction):,} characters; give at most {LONGEST:,}: "
                "the shortest words that answer."
            )
        said = [question, verdict, correction, nobody, *(one["id"] for one in quotes)]
        identity = "c_" + hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        candidate = Candidate(
            identity, now, question, verdict, correction, nobody, [*quotes], [*nearest]
        )
        try:
            with FileLock(f"{self._file}.lock", timeout=WAIT):
                kept = self.candidates()
                if any(one.id == identity for one in kept):
                    return candidate
                if len(kept) >= MOST:
                    raise UsageError(
                        f"{self._file} holds {MOST:,} ratings, which is all it takes; move it away "
                        "once they are looked through."
                    )
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"format": FORMAT, **asdict(candidate)}) + "\n")
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
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise IndexFolderError(
                f"{self._file}, line {number}: this is no rating ({error}); take the line out."
            ) from error
